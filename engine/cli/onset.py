"""When a change begins to be heard: found in captured sound, whatever the sound is.

A change is taken as a ramp from what was heard before to what is heard after; its two ends are fitted by least squares.
N frames of sound, T analysis windows.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

BANDS: Final = 24
WINDOW: Final = 512
HOP: Final = 64


@dataclass(frozen=True)
class Ramp:
    """A change: where it begins and ends, in frames, and how much clearer it is than what is heard anyway (the step
    over the standard deviation around it; under 2 the ends mean little).
    """

    start: float
    end: float
    clearness: float


def pan_onset(sound: NDArray[np.float32], sent: int, tick: int = 16) -> Ramp:
    """The ramp of the direction in (N, 2) that was mono before it was panned (`/pan/width` 0): the ratio of the two
    channels is then a matter of panning alone, whatever sounds. `sent` is the frame at which the change was sent.
    """
    frames = len(sound) // tick * tick
    energy = (sound[:frames].astype(np.float64) ** 2).reshape(-1, tick, 2).sum(axis=1)  # (T, 2)
    angle = np.arctan2(np.sqrt(energy[:, 1]), np.sqrt(energy[:, 0]))
    audible = energy.sum(axis=1) > 1e-10 * tick
    index = np.arange(len(angle))
    angle = np.interp(index, index[audible], angle[audible]) if audible.any() else np.zeros(len(angle))
    return fit(angle, sent / tick, scale=tick, offset=tick / 2, longest=1600 // tick, within=9600 // tick)


def sound_onset(sound: NDArray[np.float32], sent: int, rate_hz: int) -> Ramp:
    """The ramp of the spectrum in (N, channels): band levels of both channels together, weighed so that what differs
    most clearly between before and after counts most (Fisher's linear discriminant on independent bands).
    """
    levels = band_levels(sound, rate_hz)  # (T, BANDS)
    at = int(sent / HOP)
    late = at + round(0.5 * rate_hz / HOP)  # by then even a new prompt has arrived
    before, after = levels[:at], levels[late:]
    spread = before.var(axis=0) + after.var(axis=0)
    spread += 0.01 * spread.max() + 1e-30  # what is nearly silent must not decide
    weights = (after.mean(axis=0) - before.mean(axis=0)) / spread
    return fit(
        levels @ weights,
        sent / HOP,
        scale=HOP,
        offset=WINDOW / 2,
        longest=round(0.4 * rate_hz / HOP),
        within=round(rate_hz / HOP),
    )


def band_levels(sound: NDArray[np.float32], rate_hz: int) -> Float:
    """(N, channels) to (T, BANDS): loudness in bands from 60 Hz to 20 kHz, a window each HOP.

    Loudness is the power to the 0.3 (Stevens 1957): what is heard, and steady where the power of a texture is not. Its
    price: of a slow crossfade between sounds with no band in common, the start is found early, by 45 ms in 128 ms.
    """
    mono = sound.astype(np.float64).sum(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    edges = np.unique(np.round(np.geomspace(60, min(20_000, rate_hz / 2), BANDS + 1) / rate_hz * WINDOW).astype(int))
    return np.asarray(np.add.reduceat(power, edges[:-1], axis=1) ** 0.3)


def fit(feature: Float, sent: float, *, scale: float, offset: float, longest: int, within: int) -> Ramp:
    """The ramp, at most `longest` windows long, that fits a feature (T,) best in the sense of least squares, its levels
    free. It begins at window `sent` or at most `within` later. Window k stands for frame k * scale + offset.
    """
    first = max(int(np.ceil(sent - offset / scale)), 0)
    centred = feature - feature.mean()
    coarse = max(1, longest // 16)
    found = max(best_start(centred, first, first + within, length) for length in range(0, longest + 1, coarse))
    near = range(max(0, found[2] - coarse), min(longest, found[2] + coarse) + 1, max(1, coarse // 5))
    explained, start, length = max(found, *(best_start(centred, first, first + within, length) for length in near))
    rest = max(float((centred**2).sum()) - explained, 1e-12) / len(feature)
    step = abs(float(feature[start + length :].mean() - feature[: start + 1].mean()))
    return Ramp(start * scale + offset, (start + length) * scale + offset, step / float(np.sqrt(rest)))


def best_start(centred: Float, first: int, last: int, length: int) -> tuple[float, int, int]:
    """(variance explained, start, length) of the best ramp of this length that starts between two windows."""
    index = np.arange(len(centred))
    starts = np.arange(first, min(last, len(centred) - length - 1))
    ramps = np.clip((index[None] - starts[:, None]) / max(length, 0.5), 0, 1)  # (starts, T)
    ramps -= ramps.mean(axis=1, keepdims=True)
    explained = (ramps @ centred) ** 2 / (ramps**2).sum(axis=1)
    k = int(np.argmax(explained))
    return float(explained[k]), int(starts[k]), length
