"""MIDI control changes as events, through a map of routes.

The map is data (a preset holds it); a route may cover any part of a parameter's range, also backwards. The port's own
thread stamps each message and posts what it means; it waits for nothing.
"""

import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from engine.control import NOW, Event, check
from engine.errors import AeoliaError
from engine.params import BY_ADDRESS, Arg, Args, Curve
from engine.protocol import Instrument

VIRTUAL: Final = "virtual"
"""The port name that makes a new port, named aeolia, for others to connect to (Linux and macOS)."""

JACK: Final = "mido.backends.rtmidi/UNIX_JACK"
"""The value of MIDO_BACKEND that takes JACK's MIDI ports."""

_CLIENT = "aeolia"
_NUMBERS = "fib"
_ERRORS = (OSError, ImportError, RuntimeError, ValueError)  # rtmidi's own, no library, other backends', an unknown API

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a control change goes: controller number 0..127 on channel 1..16 (None: on every channel) moves one
    argument of a parameter from `minimum` to `maximum` (None: over the whole range; swapped: backwards) along a curve
    (None: the parameter's own). Raises AeoliaError for what is not in the table or out of range.
    """

    control: int
    address: str
    channel: int | None = None
    argument: int = 0
    minimum: float | None = None
    maximum: float | None = None
    curve: Curve | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.control <= 127:
            raise AeoliaError(f"MIDI control {self.control}: must be in range 0..127")
        if self.channel is not None and not 1 <= self.channel <= 16:
            raise AeoliaError(f"MIDI channel {self.channel}: must be in range 1..16")
        param = BY_ADDRESS.get(self.address)
        if param is None or not set(param.kinds) <= set(_NUMBERS):
            raise AeoliaError(f"MIDI address {self.address!r}: must be a parameter that is a number or a switch")
        if not 0 <= self.argument < len(param.kinds):
            last = len(param.kinds) - 1
            raise AeoliaError(f"MIDI argument {self.argument} of {self.address}: must be in range 0..{last}")
        low, high = param.minimum[self.argument], param.maximum[self.argument]
        for bound in (self.minimum, self.maximum):
            if bound is not None and not low <= bound <= high:
                raise AeoliaError(f"MIDI range of {self.address} {bound:g}: must be in range {low:g}..{high:g}")

    def value(self, raw: int) -> Arg:
        """The argument that a control value 0..127 stands for."""
        param = BY_ADDRESS[self.address]
        low = param.minimum[self.argument] if self.minimum is None else self.minimum
        high = param.maximum[self.argument] if self.maximum is None else self.maximum
        value = low + (high - low) * (self.curve or param.curve).bend(raw / 127)
        kind = param.kinds[self.argument]
        return value if kind == "f" else round(value) if kind == "i" else value >= 0.5


class Mapper:
    """Control changes to events. Of an address with two arguments, the one that is not moved stays where it is: also
    while the last event is still on its way to the instrument. One thread.
    """

    def __init__(self, instrument: Instrument, routes: Iterable[Route]) -> None:
        self._instrument = instrument
        self._routes: dict[int, list[Route]] = {}
        for route in routes:
            self._routes.setdefault(route.control, []).append(route)
        self._sent: dict[str, tuple[Args, Args]] = {}  # what was set when it was sent, what was sent

    def control_change(self, channel: int, control: int, raw: int, source: str, stamp_ns: int) -> list[Event]:
        """The events of controller `control` 0..127 on channel 1..16 at `raw` 0..127."""
        events = []
        for route in self._routes.get(control, ()):
            if route.channel not in (None, channel):
                continue
            now = self._instrument.values[route.address]
            base, sent = self._sent.get(route.address, (now, now))
            args = list(sent if now == base else now)
            args[route.argument] = route.value(raw)
            checked = check(route.address, args)
            self._sent[route.address] = (now, checked)
            events.append(Event(NOW, route.address, checked, source, stamp_ns))
        return events


def list_ports() -> tuple[str, ...]:
    """The MIDI inputs that are there now. Raises AeoliaError where the system has no MIDI."""
    return tuple(_rtmidi_backend().get_input_names())


class MidiInput:
    """An open MIDI input that steers an instrument, from its making until `stop`. `refused` counts what the instrument
    did not take.

    `port` is the whole name of a port, a part that only one has, or `VIRTUAL`. Raises AeoliaError, which lists the
    ports, where there is no such port. The system's API is chosen by MIDO_BACKEND as mido does, for JACK
    `MIDO_BACKEND=mido.backends.rtmidi/UNIX_JACK` (`JACK`).
    """

    def __init__(self, instrument: Instrument, port: str, routes: Iterable[Route]) -> None:
        self._instrument = instrument
        self._mapper = Mapper(instrument, routes)
        self.refused = 0
        backend = _rtmidi_backend()
        virtual = port == VIRTUAL
        self.name = _CLIENT if virtual else _match(port, backend.get_input_names())
        self._source = f"midi {self.name}"
        try:
            naming = {"client_name": _CLIENT} if virtual else {}  # mido takes a client name for the wish for a new port
            self._port = backend.open_input(self.name, virtual=virtual, callback=self._take, **naming)
        except _ERRORS as error:
            raise AeoliaError(
                f"MIDI port {self.name!r}: {_one_line(error)}; must be a port that can be opened"
            ) from None

    def _take(self, message: Any) -> None:
        """On the port's thread, which must survive whatever happens here."""
        stamp_ns = time.monotonic_ns()
        if message.type != "control_change":
            return
        try:
            args = (message.channel + 1, message.control, message.value)
            for event in self._mapper.control_change(*args, self._source, stamp_ns):
                self._instrument.post(event)
        except AeoliaError:
            self.refused += 1
        except Exception:  # noqa: BLE001  logged; a bug behind one knob must not silence the others
            self.refused += 1
            _log.exception("%s from %s", message, self._source)

    def stop(self) -> None:
        """Close the port."""
        self._port.close()


def _match(port: str, names: list[str]) -> str:
    if port in names:
        return port
    found = sorted({name for name in names if port.casefold() in name.casefold()})
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(name) for name in found or sorted(set(names))) or "none is connected"
    problem = "is in the names of several" if found else "unknown"
    raise AeoliaError(f"MIDI port {port!r}: {problem}; must be one of: {there}, or {VIRTUAL!r}")


def _rtmidi_backend() -> Any:
    """mido's backend, loaded. Imported here so that nothing but MIDI needs the system's MIDI libraries."""
    import mido

    backend = mido.backend
    try:
        backend.load()
        with contextlib.suppress(AttributeError):  # other backends than rtmidi need no probing
            backend.get_input_names()
    except _ERRORS as error:
        reason = f"{_one_line(error)}; must be a system with MIDI, or JACK running and MIDO_BACKEND={JACK}"
        raise AeoliaError(f"MIDI through {backend.name}: {reason}") from None
    return backend


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
