"""`aeolia params`: the parameter table and the commands, for people, for programs, for documents."""

import argparse
import json
from dataclasses import asdict

from engine.cli.main import Subparsers
from engine.cli.tables import aligned
from engine.params import ALIASES, COMMANDS, PARAMS, READINGS
from engine.protocol_reference import reference

HEADER = ("address", "type", "range", "unit", "default", "class", "description")


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia params`."""
    parser = subparsers.add_parser("params", description="Every parameter and command that OSC, MIDI and presets know.")
    parser.add_argument("--format", choices=("table", "json", "md"), default="table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    if args.format == "md":
        print(reference(), end="")
    elif args.format == "json":
        found = {
            "parameters": [asdict(row) for row in PARAMS],
            "commands": [asdict(row) for row in COMMANDS],
            "readings": [asdict(row) for row in READINGS],
            "aliases": [asdict(row) for row in ALIASES.values()],
        }
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(aligned(HEADER, rows()))
    return 0


def rows() -> list[tuple[str, ...]]:
    """One row for each parameter, then for each command, reading and foreign address."""
    values = [
        (
            p.address,
            p.kinds,
            bounds(p.kinds, p.minimum, p.maximum),
            p.unit,
            " ".join(map(str, p.default)),
            p.latency.value,
            p.description,
        )
        for p in PARAMS
    ]
    commands = [(c.address, c.kinds, "", "", "", c.latency.value if c.latency else "", c.description) for c in COMMANDS]
    readings = [(r.address, r.kinds, "", r.unit, "", "", r.description) for r in READINGS]
    aliases = [
        (a.address, a.kinds, bounds(a.kinds, a.minimum, a.maximum), "", "", "", a.description) for a in ALIASES.values()
    ]
    return [*values, *commands, *readings, *aliases]


def bounds(kinds: str, minimum: tuple[float, ...], maximum: tuple[float, ...]) -> str:
    """`low..high` for each argument; of switches what may be sent."""
    return " ".join(
        "T/F" if kind == "b" else f"{low:.10g}..{high:.10g}"
        for kind, low, high in zip(kinds, minimum, maximum, strict=True)
    )
