"""What every layer is built from: slow drifts, event times, coloured noise, stereo places.

Randomness always comes in as a `Generator`. Draws are consumed in time order from one generator each, so that a
faster or slower rendering of the same piece meets the same grains in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from models.data.kernels import HOP, SAMPLE_RATE_HZ, Audio, Floats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Controls:
    """What a layer may depend on. `glide` (N,) multiplies every pitch; the rest are scalars."""

    pitch_hz: float
    """Base pitch, 25..900 Hz; bright layers place their bands relative to `register`."""
    register: float
    """Frequency factor of layers that have no base pitch, about 0.5..2."""
    glide: Audio
    """(N,) pitch ratio over time, about 0.25..4."""
    rate: float
    """Factor on every event and modulation rate, about 0.2..5."""
    density: float
    """Factor on the number of grains, 0.3..3."""
    brightness: float
    """-1..1: harmonic roll-off and band centres."""
    roughness: float
    """0..1: fast amplitude modulation and waveshaping."""
    irregularity: float
    """0 is clockwork, 1 is scattered."""
    dissonance: float
    """0..1: weight of clusters and tritones against fifths and octaves."""
    major: float
    """-1 minor .. 1 major."""
    attack: float
    """0 soft .. 1 sharp."""
    width: float
    """0 mono .. 1 fully decorrelated."""
    unrest: float
    """0 stable .. 1 lively: depth of the slow drifts."""
    hollow: float
    """0..1: odd harmonics only, scooped."""
    synthetic: float
    """0 organic .. 1 machine-made: brighter harmonics, wider intervals between voices."""
    grain_sweep_octaves: float
    """Octaves travelled inside each grain, -3..3; 0 leaves it to the layer."""
    grain_s: float
    """Factor on the length of each grain, 0.3..6."""
    gated: float
    """0..1: continuous layers are cut into rapid pieces."""

    @property
    def beating(self) -> float:
        """0.1..1: factor on detunings and swells; small when the texture is to stay stable."""
        return min(1.0, 0.1 + 2.5 * self.unrest)


def frames_of(n: int) -> int:
    """Control frames needed to cover `n` samples, with one to spare for interpolation."""
    return n // HOP + 3


def drift(rng: np.random.Generator, n: int, hz: float, count: int = 1) -> Array:
    """Smooth random curves (count, C) in -1..1, `hz` turns a second, cosine-interpolated."""
    c = frames_of(n)
    x = np.arange(c)[:, None] * (HOP / SAMPLE_RATE_HZ * hz) + rng.random(count)[None, :]
    knots = rng.uniform(-1.0, 1.0, (int(x[-1].max()) + 2, count))
    j = x.astype(np.int64)
    f = 0.5 - 0.5 * np.cos(np.pi * (x - j))
    columns = np.arange(count)
    return np.asarray((knots[j, columns] * (1.0 - f) + knots[np.minimum(j + 1, len(knots) - 1), columns] * f).T)


def swing(rng: np.random.Generator, n: int, hz: float, jitter: float = 0.0) -> Array:
    """Sine (C,) of `hz` with random start and, for `jitter` > 0, an uneven pace."""
    start = rng.random()
    pace = hz * (1.0 + jitter * drift(rng, n, max(hz, 0.3))[0])
    return np.asarray(np.sin(2.0 * np.pi * (np.cumsum(pace) * HOP / SAMPLE_RATE_HZ + start)))


def upsample(curve: Floats, n: int) -> Audio:
    """Control curve (C,) to samples (N,)."""
    return np.interp(np.arange(n) / HOP, np.arange(len(curve)), curve).astype(np.float32)


def events(
    rng: np.random.Generator, n: int, rate_hz: float, irregularity: float, before_s: float = 0.6
) -> NDArray[np.int64]:
    """Onsets (G,) in samples at a mean rate: a clock at irregularity 0, a Poisson process at 1.

    Gaps are drawn in event order, so the k-th gap is the same at every rate. The first events lie before the frame:
    their tails sound at sample 0.
    """
    total_s = n / SAMPLE_RATE_HZ + before_s
    count = int(total_s * rate_hz * 1.6) + 12
    u = rng.random((count, 1))[:, 0]
    gap = (1.0 - irregularity) + irregularity * np.minimum(-np.log(1.0 - u), 5.0)
    t = np.cumsum(gap) / rate_hz - before_s
    return np.asarray(t[t < n / SAMPLE_RATE_HZ] * SAMPLE_RATE_HZ, np.int64)


def place(rng: np.random.Generator, count: int, width: float) -> tuple[Array, Array]:
    """Equal-power left and right gains (count,) of points spread over `width` (0 centre .. 1 everywhere)."""
    angle = np.pi / 4 * (1.0 + width * rng.uniform(-1.0, 1.0, count))
    return np.cos(angle) * np.sqrt(2.0), np.sin(angle) * np.sqrt(2.0)


def coloured_noise(rng: np.random.Generator, n: int, points_hz: Floats, points_db: Floats, width: float) -> Audio:
    """Stereo noise (2, N), unit RMS, whose spectrum follows the points on a log-frequency axis.

    `width` 0 is mono and 1 fully decorrelated. Drawn in the frequency domain: one inverse transform a channel, and its
    period is the frame itself.
    """
    size = scipy.fft.next_fast_len(n, real=True)
    bins = size // 2 + 1
    hz = np.arange(bins) * (SAMPLE_RATE_HZ / size)
    grid = np.geomspace(10.0, SAMPLE_RATE_HZ / 2, 512)
    shape_db = np.interp(np.log(grid), np.log(points_hz), points_db)
    gain = np.interp(hz, grid, 10.0 ** (shape_db / 20.0)).astype(np.float32)
    gain[hz < 18.0] = 0.0
    spectrum = rng.standard_normal((2, 2 * bins), np.float32).view(np.complex64) * gain
    mid, side = np.sqrt(1.0 - 0.5 * width), np.sqrt(0.5 * width)
    spectrum = np.stack([mid * spectrum[0] + side * spectrum[1], mid * spectrum[0] - side * spectrum[1]])
    sound = scipy.fft.irfft(spectrum, size, axis=1)[:, :n].astype(np.float32)
    return np.asarray(sound / (np.sqrt(np.mean(sound**2)) + 1e-12), np.float32)


def phase_of(pitch_hz: float, glide: Audio) -> Array:
    """Base phase (N,) in cycles of a pitch that follows `glide`."""
    return np.cumsum(glide, dtype=np.float64) * (pitch_hz / SAMPLE_RATE_HZ)


def audible(multiple: Floats, pitch_hz: float, glide: Audio, n: int) -> Array:
    """Gain (P, C) that fades partials out between 17 and 20 kHz and below 22 Hz: no aliasing, no DC."""
    ratio = glide[np.minimum(np.arange(frames_of(n)) * HOP, n - 1)].astype(np.float64)
    hz = np.asarray(multiple)[:, None] * pitch_hz * ratio[None, :]
    return np.asarray(np.clip((20_000.0 - hz) / 3_000.0, 0.0, 1.0) * np.clip((hz - 22.0) / 6.0, 0.0, 1.0))


def unit(sound: Audio) -> Audio:
    """Scale (2, N) to unit RMS."""
    return np.asarray(sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9), np.float32)


def lean(semitones: Floats, major: float, dissonance: float) -> Array:
    """Pull free pitches (semitones) towards a major or minor chord by |major|, away again by `dissonance`."""
    s = np.asarray(semitones, np.float64)
    pull = abs(major) * (1.0 - 0.8 * dissonance)
    chord = np.array([0.0, 4.0 if major > 0 else 3.0, 7.0, 12.0])
    octave = np.floor(s / 12.0) * 12.0
    near = chord[np.argmin(np.abs((s - octave)[..., None] - chord), axis=-1)] + octave
    return np.asarray(s + pull * (near - s))
