"""The score of `aeolia demo`: 30 seconds in which words, emotions and panning move.

A list of moves, each a parameter that is set at a time, or that travels from a value to another over a while. Pure
data and its expansion to events: what plays it, live or offline, is none of its business.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.control import Event, Values
from engine.params import Args

SECONDS: Final = 30.0
STEP_S: Final = 0.05
"""A travelling value is sent this often: about what a hand on a controller does."""


@dataclass(frozen=True, slots=True)
class Move:
    """At `at_s` the parameter takes `args`; or, with `to`, travels evenly from `args` to `to` in `over_s`."""

    at_s: float
    address: str
    args: Args
    to: Args = ()
    over_s: float = 0.0


SCORE: Final = (
    # A deep room, alone
    Move(0.0, "/prompt/a/text", ("deep, spatial and gloomy rumble",)),
    Move(0.0, "/prompt/b/text", ("light sizzling crickets",)),
    Move(0.0, "/morph", (0.0, 0.0)),
    Move(0.0, "/level", (-24.0,), (0.0,), 2.0),
    Move(0.0, "/emotion/sadness", (0.0,), (8.0,), 5.0),
    # Crickets come in from the left, and the sadness leaves
    Move(6.0, "/morph", (0.0, 0.0), (1.0, 0.0), 4.0),
    Move(6.0, "/emotion/sadness", (8.0,), (0.0,), 3.0),
    Move(6.0, "/pan/azimuth", (0.0,), (-60.0,), 2.0),
    Move(8.0, "/pan/azimuth", (-60.0,), (60.0,), 4.0),
    Move(12.0, "/pan/azimuth", (60.0,), (0.0,), 1.5),
    Move(10.5, "/emotion/happiness", (0.0,), (9.0,), 2.5),
    # New words while it sounds
    Move(15.0, "/prompt/b/text", ("sci-fi, squishy humming",)),
    Move(15.0, "/emotion/happiness", (9.0,), (0.0,), 1.0),
    Move(17.0, "/pan/motion/rate", (0.5,)),
    Move(17.0, "/pan/motion/depth", (0.0,), (50.0,), 2.0),
    # Fear and anger
    Move(19.5, "/prompt/b/text", ("continuous, scary sizzling cymbals with varying pitch",)),
    Move(19.5, "/emotion/fear", (0.0,), (10.0,), 3.0),
    Move(22.5, "/emotion/anger", (0.0,), (9.0,), 1.5),
    Move(22.5, "/pan/motion/rate", (2.0,)),
    # Held, then home
    Move(24.5, "/emotion/anger", (9.0,), (0.0,), 2.0),
    Move(24.5, "/emotion/fear", (10.0,), (0.0,), 2.0),
    Move(24.5, "/morph", (1.0, 0.0), (0.0, 0.0), 3.0),
    Move(25.0, "/pan/motion/depth", (50.0,), (0.0,), 2.0),
    Move(27.5, "/level", (0.0,), (-60.0,), 2.4),
)


def events(rate_hz: int, start: int = 0) -> list[Event]:
    """The score as events on the sample clock, the first at `start`, in the order of their time."""
    found = [
        Event(start + round(at_s * rate_hz), address, args, "demo")
        for move in SCORE
        for at_s, address, args in points(move)
    ]
    return sorted(found, key=lambda event: event.sample)


def points(move: Move) -> Iterator[tuple[float, str, Args]]:
    """A move as (seconds, address, arguments), one every STEP_S where it travels."""
    steps = max(1, round(move.over_s / STEP_S))
    if not move.to:
        yield move.at_s, move.address, move.args
        return
    low, high = np.array(move.args, float), np.array(move.to, float)
    for k in range(steps + 1):
        part = k / steps
        yield move.at_s + part * move.over_s, move.address, tuple((low * (1 - part) + high * part).tolist())


def words() -> list[tuple[float, str]]:
    """(seconds, voice and text) of each prompt in the order it is given."""
    texts = [move for move in SCORE if move.address.endswith("/text")]
    return [(move.at_s, f"{move.address.split('/')[2]}: {move.args[0]}") for move in texts]


def curve(address: str, argument: int = 0, rate_hz: float = 20.0) -> NDArray[np.float64]:
    """A parameter over the whole score, a value every 1 / rate_hz seconds, from its default on."""
    times = np.arange(0, SECONDS, 1 / rate_hz)
    set_at = sorted((p for move in SCORE if move.address == address for p in points(move)), key=lambda p: p[0])
    at = np.searchsorted([seconds for seconds, _, _ in set_at], times, side="right") - 1
    values = [float(args[argument]) for _, _, args in set_at]
    default = float(Values.defaults()[address][argument])
    return np.array([values[k] if k >= 0 else default for k in at])
