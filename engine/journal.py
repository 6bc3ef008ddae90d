"""The journal of a performance: JSON lines, a header and then one event a line, from which it can be rendered again.

Besides what people sent, it says what the machine decided in real time: `/timeline/splice` (voice, number of the
request) at the hop where new latents were taken in, `/timeline/resume` and `/gate` around a panic, `/prompt/a/example`
(name, embedding) for what was heard in a file that became a prompt, and `/end`, always the last line. What is read is
hostile until proven otherwise, and refused with the number of the line.
"""

import json
import logging
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TextIO

from engine.bundle import ROLES, Bundle
from engine.control import Event, Values, check, check_as, shown
from engine.errors import AeoliaError
from engine.example import EXAMPLES, Example
from engine.params import BY_ADDRESS
from engine.stream import RESUME

FORMAT: Final = 1
SPLICE: Final = "/timeline/splice"
GATE: Final = "/gate"
END: Final = "/end"
MAX_LINE_CHARS: Final = 65_536
MAX_EVENTS: Final = 10_000_000
MAX_SAMPLE: Final = 2**53
MAX_CHARS: Final = 1 << 30
"""A journal that has grown to this is closed; the instrument plays on."""
MAX_SOURCE_CHARS: Final = 200

_INTERNAL: Final[Mapping[str, tuple[str, tuple[float, ...], tuple[float, ...]]]] = MappingProxyType(
    {
        SPLICE: ("ii", (0, 1), (3, MAX_SAMPLE)),
        RESUME: ("", (), ()),
        GATE: ("i", (0,), (1,)),
        END: ("", (), ()),
    }
)
_QUEUED: Final = 65_536
_MOST_DIGITS: Final = 20
"""Of a whole number: 2**64 - 1 has as many."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Header:
    """What must be the same for a performance to sound the same again."""

    format: int
    versions: dict[str, str]
    bundle: str
    checksums: dict[str, str]
    seed: int
    rate_hz: int
    block: int
    channels: int
    provider: str
    values: Values

    def check_bundle(self, bundle: Bundle) -> None:
        """AeoliaError where this is not the bundle that was played."""
        for role, checksum in self.checksums.items():
            file = bundle.manifest.files.get(role)
            if file is None or file.sha256 != checksum:
                raise AeoliaError(
                    f"bundle {bundle.folder}: its {role} is not the one of bundle {shown(self.bundle)} "
                    "that the journal was played with"
                )


@dataclass(frozen=True)
class Journal:
    """A performance: its header and its events in the order of their samples."""

    header: Header
    events: tuple[Event, ...]

    @property
    def ended(self) -> bool:
        """Whether the performance was ended and did not break off."""
        return any(event.address == END for event in reversed(self.events))

    @property
    def end(self) -> int:
        """The sample at which it ends: the one of `/end`, or of the last event where it broke off.

        What was made ahead of the sound card may be noted for later samples than `/end`: it was never heard.
        """
        ends = (event.sample for event in reversed(self.events) if event.address == END)
        return next(ends, self.events[-1].sample if self.events else 0)


def checksums(bundle: Bundle) -> dict[str, str]:
    """What of a bundle decides how it sounds."""
    return {role: file.sha256 for role, file in sorted(bundle.manifest.files.items()) if role in ROLES}


def header_line(header: Header) -> str:
    """The first line, without its line break."""
    fields = {**header.__dict__, "values": {address: list(args) for address, args in header.values.items()}}
    return json.dumps({"aeolia": "journal", **fields}, ensure_ascii=False)


def event_line(event: Event) -> str:
    """An event's line, without its line break."""
    source = event.source[:MAX_SOURCE_CHARS]
    return json.dumps(
        {"sample": event.sample, "address": event.address, "args": list(event.args), "source": source},
        ensure_ascii=False,
    )


def read_journal(path: str | Path) -> Journal:
    """A whole journal, checked. Of one that broke off in a crash, the unfinished last line is left out. AeoliaError
    with the line otherwise.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            lines = _lines(file, path)
            number, first = next(lines, (0, ""))
            if number == 0:
                raise AeoliaError(f"journal {path}: is empty")
            header = _parsed(path, number, first, _header)
            events: list[Event] = []
            for number, line in lines:
                if events and events[-1].address == END:
                    raise AeoliaError(f"journal {path}, line {number}: stands after {END}, which must be the last line")
                events.append(_parsed(path, number, line, _event))
    except OSError as error:
        raise AeoliaError(f"journal {path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise AeoliaError(f"journal {path}: is not UTF-8: {error.reason}") from None
    events.sort(key=lambda event: event.sample)  # stable: of the same sample, as they stand in the file
    return Journal(header, tuple(events))


def _lines(file: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    while line := file.readline(MAX_LINE_CHARS + 1):
        number += 1
        if not line.endswith("\n"):
            if len(line) > MAX_LINE_CHARS:
                raise AeoliaError(f"journal {path}, line {number}: is longer than {MAX_LINE_CHARS} characters")
            if number == 1:
                raise AeoliaError(f"journal {path}, line 1: the header is cut off")
            return
        if number > MAX_EVENTS + 1:
            raise AeoliaError(f"journal {path}, line {number}: at most {MAX_EVENTS} events are allowed")
        yield number, line


def _parsed(path: Path, number: int, line: str, build: Any) -> Any:
    try:
        raw = json.loads(line, parse_constant=_refuse_constant, parse_int=_short_number)
        if not isinstance(raw, dict):
            raise ValueError("must be a JSON object")
        return build(raw)
    except json.JSONDecodeError as error:
        raise AeoliaError(
            f"journal {path}, line {number}: must be a JSON object, breaks at column {error.colno}"
        ) from None
    except RecursionError:
        raise AeoliaError(f"journal {path}, line {number}: is nested too deep") from None
    except (ValueError, OverflowError, AeoliaError) as error:
        raise AeoliaError(f"journal {path}, line {number}: {' '.join(str(error).split())}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name}: must be a finite number")


def _short_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"{shown(digits)}: must be a number of at most {_MOST_DIGITS} digits")
    return int(digits)


def _only(raw: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in raw:
        if key not in keys:
            raise ValueError(f"unknown key {shown(key)}")
    for key in keys:
        if key not in raw:
            raise ValueError(f"key {key!r} is missing")


def _whole(raw: dict[str, Any], key: str, low: int, high: int) -> int:
    value = raw[key]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{key} {shown(value)}: must be a whole number in range {low}..{high}")
    return value


def _text(raw: dict[str, Any], key: str, most: int) -> str:
    value = raw[key]
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{key} {shown(value)}: must be text of at most {most} characters")
    return value


def _texts(raw: dict[str, Any], key: str) -> dict[str, str]:
    value = raw[key]
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"{key}: must be an object of texts")
    return value


def _header(raw: dict[str, Any]) -> Header:
    if raw.get("aeolia") != "journal":
        raise ValueError("is not the header of an Aeolia journal")
    if raw.get("format") != FORMAT:
        raise ValueError(f"format {shown(raw.get('format'))}: this Aeolia reads format {FORMAT}")
    _only(raw, ("aeolia", *Header.__dataclass_fields__))
    given = raw["values"]
    if not isinstance(given, dict):
        raise ValueError("values: must be an object of addresses")
    found = dict(Values.defaults())
    for address, args in given.items():
        if address not in BY_ADDRESS or not isinstance(args, list):
            raise ValueError(f"values: {shown(address)}: must be the address of a parameter, with a list")
        found[address] = check(address, args)
    return Header(
        format=FORMAT,
        versions=_texts(raw, "versions"),
        bundle=_text(raw, "bundle", 1000),
        checksums=_texts(raw, "checksums"),
        seed=_whole(raw, "seed", 0, 2**64 - 1),
        rate_hz=_whole(raw, "rate_hz", 8000, 384_000),
        block=_whole(raw, "block", 16, 8192),
        channels=_whole(raw, "channels", 1, 64),
        provider=_text(raw, "provider", 200),
        values=Values(found),
    )


def _event(raw: dict[str, Any]) -> Event:
    _only(raw, ("sample", "address", "args", "source"))
    address, args = _text(raw, "address", 1000), raw["args"]
    if not isinstance(args, list):
        raise ValueError(f"args {shown(args)}: must be a list")
    if address in _INTERNAL:
        kinds, low, high = _INTERNAL[address]
        checked = check_as(address, kinds, low, high, args)
    elif address in EXAMPLES:
        checked = Example.parse(tuple(args)).args
    elif address in BY_ADDRESS or address == "/panic":
        checked = check(address, args)
    else:
        raise ValueError(f"address {shown(address)}: must be a parameter, /panic, {', '.join(_INTERNAL)}")
    return Event(_whole(raw, "sample", 0, MAX_SAMPLE), address, checked, _text(raw, "source", MAX_SOURCE_CHARS))


class JournalWriter:
    """Writes a journal into an open file on a thread of its own, flushed as soon as nothing more waits.

    A disk that fails or a journal that is full ends the journal and never the sound: see `problem`.
    """

    def __init__(self, file: TextIO, header: Header) -> None:
        self._file = file
        self.problem: str | None = None
        self._queue: queue.Queue[Event | None] = queue.Queue(_QUEUED)
        self._chars = self._file.write(header_line(header) + "\n")
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @staticmethod
    def create(path: str | Path, header: Header) -> "JournalWriter":
        """Writes a new file. AeoliaError where it can't be made, or is there already."""
        try:
            file = open(path, "x", encoding="utf-8", errors="replace", newline="\n")  # noqa: SIM115  closed by `close`
        except FileExistsError:
            raise AeoliaError(f"journal {path}: is there already, choose a new name") from None
        except OSError as error:
            raise AeoliaError(f"journal {path}: can't be written: {error.strerror}, choose another folder") from None
        return JournalWriter(file, header)

    def add(self, event: Event) -> None:
        """Any thread; never waits."""
        if self.problem is None:
            try:
                self._queue.put_nowait(event)
            except queue.Full:
                self._end("the disk is too slow")

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self._queue.put(None)
        self._thread.join()

    def _end(self, reason: str) -> None:
        if self.problem is None:
            self.problem = f"journal {self._file.name} ended early: {reason}"
            _log.warning(self.problem)

    def _write(self) -> None:
        open_ = True
        try:
            while open_:
                open_ = self._write_for_a_while()
        except OSError as error:
            self._end(error.strerror or str(error))
        try:
            self._file.close()
        except OSError as error:
            self._end(error.strerror or str(error))
        while open_ and self._queue.get() is not None:  # after a failure: until closed, take what still comes
            pass

    def _write_for_a_while(self) -> bool:
        """Waits for an event, writes all that have come by then, flushes; False when told to close."""
        event = self._queue.get()
        while event is not None:
            if self.problem is None:
                self._chars += self._file.write(event_line(event) + "\n")
                if self._chars > MAX_CHARS:
                    self._end(f"it holds {MAX_CHARS} characters")
            try:
                event = self._queue.get_nowait()
            except queue.Empty:
                break
        self._file.flush()
        return event is not None
