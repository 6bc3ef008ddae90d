"""What the engine measures of itself, as values: recent latencies, load, counts. Memory is bounded, for months."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from engine.callback import Meters
from engine.params import Args, Latency

RECENT: Final = 512
"""Latencies that are remembered of each class."""
LOAD_WINDOW_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Onset:
    """How long events took from arrival to sound, over the last `count` of them."""

    p50_ms: float
    p99_ms: float
    count: int


class Onsets:
    """Recent latencies by class. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: dict[Latency, deque[float]] = {latency: deque(maxlen=RECENT) for latency in Latency}

    def add(self, latency: Latency, milliseconds: float) -> None:
        with self._lock:
            self._recent[latency].append(milliseconds)

    def summary(self) -> dict[Latency, Onset]:
        """Of the classes that were measured at all."""
        with self._lock:
            copies = {latency: list(recent) for latency, recent in self._recent.items() if recent}
        return {
            latency: Onset(float(np.percentile(ms, 50)), float(np.percentile(ms, 99)), len(ms))
            for latency, ms in copies.items()
        }


class Load:
    """Seconds of work per second of sound, over about the last LOAD_WINDOW_S of sound. One thread adds, any reads."""

    def __init__(self) -> None:
        self.value = 0.0
        self._sound_s = 0.0

    def add(self, work_s: float, sound_s: float) -> None:
        """A stretch of sound, > 0, and the work it took."""
        self._sound_s = min(self._sound_s + sound_s, LOAD_WINDOW_S)
        self.value += min(1.0, sound_s / self._sound_s) * (work_s / sound_s - self.value)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine at one moment."""

    meters: Meters
    onsets: Mapping[Latency, Onset]
    load: float
    """Seconds of generation and decoding per second of sound."""
    late: int
    """How often a voice was extended because the generator was late."""
    restarts: int
    """How often the generator was restarted."""
    faults: int
    """How often making a hop failed and was tried again."""
    gaps: int
    """Blocks for which no sound was ready, since there was any."""
    refused: int
    rate_hz: int
    ahead_frames: tuple[int, ...] = field(default=())
    """Generated latent frames ahead of each voice's playhead."""
    problems: tuple[str, ...] = ()
    """What stands in the way of full service now, each in one line."""

    def readings(self) -> dict[str, Args]:
        """By the addresses of `engine.params.READINGS`; latencies only once they were measured."""
        found: dict[str, Args] = {
            "/meter/peak": tuple(_db(value) for value in self.meters.peak),
            "/meter/rms": tuple(_db(value) for value in self.meters.rms),
            "/meter/reduction": (self.meters.reduction_db,),
            "/meter/lead": (1000.0 * self.meters.fill / self.rate_hz,),
            "/meter/empty": (self.gaps,),
            "/generator/load": (self.load,),
            "/generator/late": (self.late,),
            "/generator/restarts": (self.restarts,),
            "/control/refused": (self.refused,),
            "/problem": ("; ".join(self.problems),),
        }
        for latency, onset in self.onsets.items():
            found[f"/latency/{latency}"] = (onset.p50_ms, onset.p99_ms)
        return found


def _db(value: float) -> float:
    return float(20.0 * np.log10(max(value, 1e-6)))
