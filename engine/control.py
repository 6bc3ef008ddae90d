"""Stamped events, the values they make, and the queue between those who post and the one who applies.

An event is checked where it enters (`check`); the state it makes (`Values`) is immutable, so threads can share it.
"""

import heapq
import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import AeoliaError
from engine.example import EXAMPLES, Example
from engine.params import (
    BY_ADDRESS,
    COMMANDS_BY_ADDRESS,
    EMOTIONS,
    PARAMS,
    VOICES,
    Arg,
    Args,
)

NOW: Final = -1
"""The `sample` of an event that takes effect as soon as possible."""
MAX_TIMED: Final = 4096
"""How many events may wait for their time."""

_SHOWN_CHARS = 40


@dataclass(frozen=True, slots=True)
class Event:
    """An address with its arguments and its time.

    `sample` is the position on the engine's sample clock at which it takes effect, `NOW` for as soon as possible;
    `source` says who sent it ("osc 127.0.0.1:5000", "midi ..."); `stamp_ns` is time.monotonic_ns at the socket or port.
    """

    sample: int
    address: str
    args: Args
    source: str
    stamp_ns: int = 0


def shown(value: object) -> str:
    """A value as it appears in an error: on one line and short, whatever it is."""
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."


_NEEDS: Final = {"f": "a number", "i": "a whole number", "b": "true or false (T/F, or 0/1)", "s": "text"}


def _coerce(where: str, kind: str, value: object, low: float, high: float) -> Arg:
    """One argument as its kind and in its range. Raises AeoliaError that names it and what is allowed."""
    if kind == "s":
        if not isinstance(value, str):
            raise AeoliaError(f"{where} {shown(value)}: must be text")
        if not low <= len(value.strip()) or len(value) > high:
            found = f"text of {len(value)} characters" if value.strip() else f"empty text {shown(value)}"
            raise AeoliaError(f"{where} {found}: must have {low:g} to {high:g} characters, not all blank")
        if any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in value):
            raise AeoliaError(f"{where} {shown(value)}: must be valid Unicode without NUL")
        return value
    if kind == "b" and isinstance(value, bool):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AeoliaError(f"{where} {shown(value)}: must be {_NEEDS[kind]}")
    whole = kind in "ib"
    if isinstance(value, float) and (not math.isfinite(value) or (whole and not value.is_integer())):
        raise AeoliaError(f"{where} {value:g}: must be {_NEEDS[kind]}{'' if whole else ', finite'}")
    if not low <= value <= high:
        number = f"{value:.10g}" if isinstance(value, float) else shown(value)
        allowed = _NEEDS["b"] if kind == "b" else f"in range {low:.10g}..{high:.10g}"
        raise AeoliaError(f"{where} {number}: must be {allowed}")
    return bool(value) if kind == "b" else int(value) if kind == "i" else float(value)


def check_as(
    address: str,
    kinds: str,
    minimum: tuple[float, ...],
    maximum: tuple[float, ...],
    args: Iterable[object],
    optional: int = 0,
) -> Args:
    """Arguments against kinds and ranges; the last `optional` ones may be missing, all or none. Raises
    AeoliaError.
    """
    found = tuple(args)
    least = len(kinds) - optional
    if len(found) not in (least, len(kinds)):
        count = f"{least}" if not optional else f"{least} or {len(kinds)}"
        raise AeoliaError(f"{address} with {len(found)} arguments: must have {count} ({kinds or 'none'})")
    return tuple(
        _coerce(address, kind, value, low, high)
        for kind, value, low, high in zip(kinds, found, minimum, maximum, strict=False)
    )


def check(address: str, args: Iterable[object]) -> Args:
    """The arguments of a parameter or command, coerced to its types (an integer to a float, 0/1 to a switch).

    Raises AeoliaError in one line with the address, the value and what is allowed: for an unknown address, a wrong
    number or type of arguments, a value out of range, NaN and infinity, words without a letter or digit.
    """
    if param := BY_ADDRESS.get(address):
        checked = check_as(address, param.kinds, param.minimum, param.maximum, args)
        for value in checked:
            if isinstance(value, str) and not any(c.isalnum() for c in value):
                raise AeoliaError(f"{address} {shown(value)}: must have at least one letter or digit")
        return checked
    if command := COMMANDS_BY_ADDRESS.get(address):
        return check_as(address, command.kinds, command.minimum, command.maximum, args, command.optional)
    raise AeoliaError(f"address {shown(address)}: unknown; `aeolia params` lists all")


def morph_weights(x: float, y: float) -> tuple[float, float, float, float]:
    """Bilinear weights of the corners a (0, 0), b (1, 0), c (0, 1), d (1, 1) at x, y in 0..1; they sum to 1."""
    return (1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y


_TEXT: Final = tuple(f"/prompt/{v}/text" for v in VOICES)
_VOICE_OF_TEXT: Final = {address: voice for voice, address in enumerate(_TEXT)}
_WEIGHT: Final = tuple(f"/prompt/{v}/weight" for v in VOICES)
_EMOTION: Final = tuple(f"/emotion/{e}" for e in EMOTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Values(Mapping[str, Args]):
    """What every parameter is set to: an immutable mapping from address to arguments, always complete and in range.

    A voice may sound like an example instead of words; then the name of the example stands where its words were.
    """

    _args: dict[str, Args]
    _examples: Mapping[int, Example] = field(default_factory=dict)

    @staticmethod
    def defaults() -> "Values":
        """The defaults of the table."""
        return Values({p.address: p.default for p in PARAMS})

    def set(self, address: str, *args: object) -> "Values":
        """The values after one parameter is set. `/morph` also sets the four weights; a weight set later wins until
        `/morph` is set again. Raises AeoliaError as `check` does, and for a command.
        """
        if address in COMMANDS_BY_ADDRESS:
            raise AeoliaError(f"address {address}: is a command and holds no value")
        checked = check(address, args)
        changed = {**self._args, address: checked}
        if address == "/morph":
            x, y = (float(value) for value in checked)
            changed |= {a: (w,) for a, w in zip(_WEIGHT, morph_weights(x, y), strict=True)}
        return Values(changed, self._examples_but(_VOICE_OF_TEXT.get(address)))

    def like(self, voice: int, example: Example) -> "Values":
        """The values after a voice, 0 to 3, was given an example; it lasts until the voice is given words."""
        named = {**self._args, _TEXT[voice]: (example.name,)}
        return Values(named, {**self._examples_but(voice), voice: example})

    def _examples_but(self, voice: int | None) -> Mapping[int, Example]:
        return {k: example for k, example in self._examples.items() if k != voice}

    def with_(self, event: Event) -> "Values":
        """The values after an event; as `set`, or `like` for an example."""
        if event.address in EXAMPLES:
            return self.like(EXAMPLES[event.address], Example.parse(event.args))
        return self.set(event.address, *event.args)

    def __getitem__(self, address: str) -> Args:
        return self._args[address]

    def __iter__(self) -> Iterator[str]:
        return iter(self._args)

    def __len__(self) -> int:
        return len(self._args)

    def number(self, address: str) -> float:
        """The only argument of a parameter that is a number or a switch. KeyError where there is no such parameter."""
        (value,) = self._args[address]
        return float(value)

    def texts(self) -> tuple[str, ...]:
        """The words of voices a to d, or the names of their examples."""
        return tuple(str(self._args[a][0]) for a in _TEXT)

    def prompts(self) -> tuple[str | Example, ...]:
        """What voices a to d are to sound like: words or an example."""
        return tuple(self._examples.get(voice, text) for voice, text in enumerate(self.texts()))

    def weights(self) -> NDArray[np.float32]:
        """(4,) float32, 0..1: the weights of voices a to d as stored, not normalised."""
        return np.array([self.number(a) for a in _WEIGHT], np.float32)

    def emotions(self) -> NDArray[np.float32]:
        """(4,) float32, 0..10: happiness, sadness, fear, anger."""
        return np.array([self.number(a) for a in _EMOTION], np.float32)

    @property
    def seed(self) -> int:
        return int(self.number("/generator/seed"))

    @property
    def steps(self) -> int:
        return int(self.number("/generator/steps"))

    @property
    def guidance(self) -> float:
        return self.number("/generator/guidance")

    @property
    def variation(self) -> float:
        return self.number("/generator/variation")

    @property
    def freeze(self) -> bool:
        return bool(self._args["/freeze"][0])


class EventQueue:
    """From many threads that post to the one that applies.

    Events for now coalesce: of each address only the latest is kept, in the order of these latest ones, so applying
    what is left gives the same values as applying all. Events with a time wait for it, at most `MAX_TIMED` of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, Event] = {}
        self._timed: list[tuple[int, int, Event]] = []
        self._arrival = itertools.count()

    def post(self, event: Event) -> None:
        """Any thread. Raises AeoliaError where too many events wait for their time; these stay as they were."""
        with self._lock:
            if event.sample < 0:
                self._now.pop(event.address, None)
                self._now[event.address] = event
                return
            if len(self._timed) >= MAX_TIMED:
                raise AeoliaError(
                    f"event {event.address} at sample {event.sample}: at most {MAX_TIMED} may wait for their time"
                )
            heapq.heappush(self._timed, (event.sample, next(self._arrival), event))

    def due(self, before_sample: int) -> list[Event]:
        """The reading thread: takes out what is to be applied before this position of the sample clock: the events for
        now, then the timed ones in the order of their time and, at the same time, of their arrival.
        """
        with self._lock:
            taken = list(self._now.values())
            self._now.clear()
            while self._timed and self._timed[0][0] < before_sample:
                taken.append(heapq.heappop(self._timed)[2])
        return taken

    def __len__(self) -> int:
        with self._lock:
            return len(self._now) + len(self._timed)
