"""docs/protocol.md, the reference of the OSC protocol, made from the parameter table."""

from collections.abc import Iterable

from engine import osc, protocol
from engine.params import ALIASES, COMMANDS, PARAMS, READINGS, Args

_KINDS = {"f": "float", "i": "integer", "s": "text", "b": "T/F or 0/1"}

_HEAD = f"""# The OSC protocol

This page is made from the parameter table by `aeolia params --format md`; a test keeps it up to date.

OSC 1.0 over UDP, by default at {osc.DEFAULT_HOST}:{osc.DEFAULT_PORT}, which only this machine can reach; another
address has to be asked for with `--osc HOST:PORT`. Floats may be sent as f, d, i or h, whole numbers also as f,
switches as T/F or 0/1.

- The class says when a change is heard: *block* with the next block of the sound card, *hop* with the next latent frame
  that is decoded, *model* when the generator has made the sound anew. `/latency/*` says how long that takes here.
- What is unknown, out of range or malformed changes nothing and is answered with `/fail ADDRESS REASON` to the sender;
  of a malformed packet nothing is taken, and ADDRESS is empty. Commands answer `/done ADDRESS ...` when they are done.
- Address patterns are not matched yet: an address with a wildcard (`*`, `?`, `[...]`, `{{...}}`) is unknown.
- Messages in a bundle are heard at its timetag, up to {osc.MAX_AHEAD_S:.0f} s ahead;
  a timetag that has passed means now.
- A packet may have {protocol.MAX_PACKET_BYTES} bytes, {protocol.MAX_MESSAGES} messages
  and {protocol.MAX_NESTING} nested bundles; a message {protocol.MAX_ARGUMENTS} arguments.
- `/get` with the address of a branch (`/emotion`, or `/` for everything) answers with every value below it.
- Up to {osc.MAX_SUBSCRIBERS} subscribers get what has changed {osc.FEEDBACK_HZ:.0f} times a second,
  and all values every {osc.REFRESH_S:g} s; one more takes the place of the one that subscribed first.
  Who sends from another machine may only subscribe that machine.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    values = [
        (
            f"`{p.address}`",
            _kinds(p.kinds),
            _ranges(p.kinds, p.minimum, p.maximum),
            p.unit,
            _shown(p.default),
            f"{p.smoothing_ms:g} ms" if p.smoothing_ms else "",
            p.latency,
            p.description,
        )
        for p in PARAMS
    ]
    commands = [
        (
            f"`{c.address}`",
            f"[{_kinds(c.kinds)}]" if c.optional else _kinds(c.kinds),
            _ranges(c.kinds, c.minimum, c.maximum),
            c.latency or "",
            c.description,
        )
        for c in COMMANDS
    ]
    readings = [
        (f"`{r.address}`", _kinds(r.kinds) + (" per channel" if r.per_channel else ""), r.unit, r.description)
        for r in READINGS
    ]
    aliases = [
        (f"`{a.address}`", _kinds(a.kinds), _ranges(a.kinds, a.minimum, a.maximum), f"`{a.target}`", a.description)
        for a in ALIASES.values()
    ]
    parts = (
        _HEAD,
        "## Values\n",
        _table(("address", "arguments", "range", "unit", "default", "smoothing", "class", "what it is"), values),
        "## Commands\n",
        _table(("address", "arguments", "range", "class", "what it does"), commands),
        "## Readings\n\nSent to subscribers with the values; `/get` answers with them too.\n",
        _table(("address", "arguments", "unit", "what it is"), readings),
        "## Foreign addresses\n",
        _table(("address", "arguments", "range", "sets", "what it is"), aliases),
    )
    return "\n".join(parts)


def _kinds(kinds: str) -> str:
    return ", ".join(_KINDS[kind] for kind in kinds) or "none"


def _ranges(kinds: str, minimum: tuple[float, ...], maximum: tuple[float, ...]) -> str:
    return ", ".join(
        f"{low:.10g}..{high:.10g}{' characters' if kind == 's' else ''}"
        for kind, low, high in zip(kinds, minimum, maximum, strict=True)
        if kind != "b"
    )


def _shown(args: Args) -> str:
    return ", ".join(
        {True: "T", False: "F"}[a] if isinstance(a, bool) else f"{a:g}" if isinstance(a, float) else str(a)
        for a in args
    )


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (header, ("---",) * len(header), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
