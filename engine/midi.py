"""MIDI control changes as events, through a map of routes.

The map is data (a preset holds it); a route may cover any part of a parameter's range, also backwards. What comes in
waits in rtmidi's own C++ queue, which a thread of ours empties: no Python runs on the driver's or the sound server's
thread, which would have to wait for the interpreter lock there and with it every other program's sound.
"""

import logging
import os
import threading
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

_BACKEND = "mido.backends.rtmidi"
_CLIENT = "aeolia"
_NUMBERS = "fib"
_ERRORS = (OSError, RuntimeError, ValueError)  # the built-in parents of rtmidi's own

_QUEUE_MESSAGES = 1 << 14  # 16 s of a MIDI cable at its fastest, half a megabyte
_POLL_S = 0.001
_STOP_S = 2.0

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
    client, names = _open_client()
    client.delete()
    return tuple(names)


class MidiInput:
    """An open MIDI input that steers an instrument, from its making until `stop`. `refused` counts what the instrument
    did not take and what is not MIDI.

    `port` is the whole name of a port (with ALSA also without the numbers at its end), a part that only one has, or
    `VIRTUAL`. Raises AeoliaError, which lists the ports, where there is no such port. The system's API is chosen by
    MIDO_BACKEND as mido does, for JACK `MIDO_BACKEND=mido.backends.rtmidi/UNIX_JACK` (`JACK`).

    One thread, "midi", looks for messages every millisecond (about 3 % of a core), stamps them and posts what they
    mean. 16,383 of them can wait; if more come, rtmidi drops the newest, writes "message queue limit reached" to stderr
    and tells us nothing, so they are not in `refused`.
    """

    def __init__(self, instrument: Instrument, port: str, routes: Iterable[Route]) -> None:
        self._instrument = instrument
        self._mapper = Mapper(instrument, routes)
        self.refused = 0
        self._client, names = _open_client(f"MIDI port {port!r}")
        try:
            self.name = _CLIENT if port == VIRTUAL else _match(port, names, alsa=_is_alsa(self._client))
            self._client.ignore_types(sysex=True, timing=True, active_sense=True)
            if port == VIRTUAL:
                self._client.open_virtual_port(_CLIENT)
            else:
                self._client.open_port(names.index(self.name), _CLIENT)
        except _ERRORS as error:
            self._client.delete()
            raise AeoliaError(
                f"MIDI port {self.name!r}: {_one_line(error)}; must be a port that can be opened"
            ) from None
        except AeoliaError:
            self._client.delete()
            raise
        self._source = f"midi {self.name}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """The thread. It closes the port that it reads, for a port deleted under a reader's feet crashes."""
        try:
            while not self._stopping.is_set():
                received = self._client.get_message()
                if received is None:
                    time.sleep(_POLL_S)  # two thirds of what waiting for the event costs
                else:
                    self._take(received[0], time.monotonic_ns())
        finally:
            self._client.delete()

    def _take(self, data: list[int], stamp_ns: int) -> None:
        """On the thread, which must survive whatever happens here."""
        from mido import Message

        try:
            message = Message.from_bytes(data)
            if message.type != "control_change":
                return
            args = (message.channel + 1, message.control, message.value)
            for event in self._mapper.control_change(*args, self._source, stamp_ns):
                self._instrument.post(event)
        except (AeoliaError, ValueError):
            self.refused += 1
        except Exception:  # noqa: BLE001  logged; a bug behind one knob must not silence the others
            self.refused += 1
            _log.exception("%s from %s", data, self._source)

    def stop(self) -> None:
        """End the thread, then close the port; what still waits in the queue is dropped. Returns within 2 s, also when
        the instrument does not return from `post`: the port is closed then as soon as it does. Any thread, any number
        of times.
        """
        self._stopping.set()
        self._thread.join(_STOP_S)
        if self._thread.is_alive():
            _log.warning("MIDI port %r: still open, its last message is not yet taken", self.name)


def _match(port: str, names: list[str], *, alsa: bool = False) -> str:
    if alsa:
        from mido.backends.rtmidi_utils import expand_alsa_port_name

        port = expand_alsa_port_name(names, port)
    if port in names:
        return port
    found = sorted({name for name in names if port.casefold() in name.casefold()})
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(name) for name in found or sorted(set(names)))
    if not there:
        raise AeoliaError(f"MIDI port {port!r}: unknown; must be {VIRTUAL!r}, as no port is connected")
    problem = "is in the names of several" if found else "unknown"
    raise AeoliaError(f"MIDI port {port!r}: {problem}; must be one of: {there}, or {VIRTUAL!r}")


def _open_client(wanted: str = "MIDI") -> tuple[Any, list[str]]:
    """A client of the system's MIDI with a queue, no callback, no port yet; the names of the inputs that it sees.
    Raises AeoliaError, which begins with what was `wanted`.
    """
    backend = os.environ.get("MIDO_BACKEND") or _BACKEND
    try:
        import rtmidi  # here, so that nothing but MIDI needs the system's MIDI libraries

        compiled = rtmidi.get_compiled_api()
        apis = {
            f"{_BACKEND}/{name.removeprefix('API_')}": api
            for name, api in vars(rtmidi).items()
            if name.startswith("API_") and api in compiled
        }
        apis[_BACKEND] = rtmidi.API_UNSPECIFIED
        if backend not in apis:
            raise AeoliaError(f"MIDO_BACKEND {backend!r}: must be one of: {', '.join(sorted(apis))}")
        client = rtmidi.MidiIn(apis[backend], _CLIENT, queue_size_limit=_QUEUE_MESSAGES)
        return client, client.get_ports()  # JACK's absence shows only when asked for ports
    except (ImportError, *_ERRORS) as error:
        raise AeoliaError(
            f"{wanted}: {backend} can't be opened ({_one_line(error).rstrip('.')}); "
            f"needs a system with MIDI, or JACK running and MIDO_BACKEND={JACK}"
        ) from None


def _is_alsa(client: Any) -> bool:
    import rtmidi

    return bool(client.get_current_api() == rtmidi.API_LINUX_ALSA)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
