"""Sample loops compiled by numba: oscillators, grains, filters, delays.

Letters: `N` samples, `C` control frames (one every `HOP` samples), `P` partials, `G` grains. All sound is float32 at
`SAMPLE_RATE_HZ`; every kernel is a pure function of its arguments.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 48_000
HOP = 240
"""Samples between two control frames: controls run at 200 Hz and are interpolated linearly."""

Floats = NDArray[np.floating[Any]]
Audio = NDArray[np.float32]

_TABLE = 4096
_SINE = np.sin(2.0 * np.pi * np.arange(_TABLE + 1) / _TABLE).astype(np.float32)


@numba.njit(cache=True, fastmath=True)
def oscillators(phase: Floats, multiple: Floats, offset: Floats, wobble: Floats, left: Floats, right: Floats) -> Audio:
    """Additive synthesis: sum of sines that share one base phase.

    `phase` (N,) in cycles, `multiple` (P,) frequency ratios, `offset` (P,) and `wobble` (P, C) in cycles, `left` and
    `right` (P, C) amplitudes. Returns (2, N). A partial is skipped in the frames where it is silent.
    """
    n = phase.shape[0]
    out = np.zeros((2, n), np.float32)
    for p in range(multiple.shape[0]):
        m = multiple[p]
        o = offset[p]
        frame = 0
        for start in range(0, n, HOP):
            stop = min(start + HOP, n)
            l0, r0, w0 = left[p, frame], right[p, frame], wobble[p, frame]
            dl = (left[p, frame + 1] - l0) / HOP
            dr = (right[p, frame + 1] - r0) / HOP
            dw = (wobble[p, frame + 1] - w0) / HOP
            frame += 1
            if abs(l0) + abs(r0) + abs(dl) + abs(dr) < 1e-7:
                continue
            for i in range(start, stop):
                k = i - start
                x = m * phase[i] + o + w0 + dw * k
                x = (x - np.floor(x)) * _TABLE
                j = int(x)
                s = _SINE[j] + (x - j) * (_SINE[j + 1] - _SINE[j])
                out[0, i] += (l0 + dl * k) * s
                out[1, i] += (r0 + dr * k) * s
    return out


@numba.njit(cache=True, fastmath=True)
def tone_grains(
    n: int,
    onset: NDArray[np.int64],
    length: NDArray[np.int64],
    freq_hz: Floats,
    sweep: Floats,
    decay_s: Floats,
    attack_s: Floats,
    drive: Floats,
    left: Floats,
    right: Floats,
) -> Audio:
    """Sum of short sines, each with attack, exponential decay, exponential sweep and soft waveshaping.

    `sweep` (G,) is the octaves travelled over the grain's length, `drive` (G,) >= 0 turns the sine towards a square.
    Onsets may be negative or past the end: grains are cut by the frame, never faded. Returns (2, N).
    """
    out = np.zeros((2, n), np.float32)
    for g in range(onset.shape[0]):
        size = length[g]
        if size < 2:
            continue
        f = freq_hz[g] / SAMPLE_RATE_HZ
        step = 2.0 ** (sweep[g] / size)
        env = 1.0
        fall = np.exp(-1.0 / (max(decay_s[g], 1e-4) * SAMPLE_RATE_HZ))
        rise = max(attack_s[g] * SAMPLE_RATE_HZ, 1.0)
        release = max(min(0.25 * size, 240.0), 1.0)
        d = drive[g]
        x = 0.0
        for k in range(size):
            i = onset[g] + k
            if i >= n or env < 1e-4:
                break
            env *= fall
            f *= step
            if f > 0.44:
                break
            x += f
            if x >= 1.0:
                x -= 1.0
            if i < 0:
                continue
            s = _SINE[int(x * _TABLE)]
            s = s * (1.0 + d) / (1.0 + d * abs(s))
            a = env * min(1.0, k / rise) * min(1.0, (size - k) / release)
            out[0, i] += left[g] * a * s
            out[1, i] += right[g] * a * s
    return out


@numba.njit(cache=True, fastmath=True)
def noise_grains(
    n: int,
    onset: NDArray[np.int64],
    length: NDArray[np.int64],
    freq_hz: Floats,
    width: Floats,
    hold: NDArray[np.int64],
    left: Floats,
    right: Floats,
) -> Audio:
    """Sum of short band-passed noise bursts (state-variable filter, `width` (G,) = 1/Q), exponentially decaying.

    `hold` (G,) >= 1 repeats each noise sample that many times before the filter: a bit-crushed grain. Returns (2, N).
    """
    out = np.zeros((2, n), np.float32)
    for g in range(onset.shape[0]):
        size = length[g]
        w = np.tan(np.pi * min(freq_hz[g], 20_000.0) / SAMPLE_RATE_HZ)
        k = width[g]
        a1 = 1.0 / (1.0 + w * (w + k))
        s1 = 0.0
        s2 = 0.0
        state = np.uint32(g * 2_654_435_761 + 12_345)
        fall = np.exp(-4.0 / size)
        env = 1.0
        v = 0.0
        for t in range(size):
            i = onset[g] + t
            if i >= n:
                break
            if t % hold[g] == 0:
                state = np.uint32(state * np.uint32(1_664_525) + np.uint32(1_013_904_223))
                v = np.float64(state) / 2_147_483_648.0 - 1.0
            v3 = v - s2
            v1 = a1 * (s1 + w * v3)
            v2 = s2 + w * v1
            s1 = 2.0 * v1 - s1
            s2 = 2.0 * v2 - s2
            env *= fall
            if i < 0:
                continue
            y = k * v1 * env * min(1.0, t / 12.0) * min(1.0, (size - t) / 24.0)
            out[0, i] += left[g] * y
            out[1, i] += right[g] * y
    return out


@numba.njit(cache=True, fastmath=True)
def swept_filter(audio: Audio, cutoff_hz: Floats, width: float, low: float, band: float, high: float) -> Audio:
    """Topology-preserving state-variable filter (Zavalishin 2012) with a moving cutoff.

    `audio` (2, N), `cutoff_hz` (C,), `width` = 1/Q; `low`, `band`, `high` weigh its three outputs. Returns (2, N).
    """
    n = audio.shape[1]
    out = np.empty((2, n), np.float32)
    for c in range(2):
        s1 = 0.0
        s2 = 0.0
        for frame in range((n + HOP - 1) // HOP):
            w = np.tan(np.pi * min(max(cutoff_hz[frame], 15.0), 20_000.0) / SAMPLE_RATE_HZ)
            a1 = 1.0 / (1.0 + w * (w + width))
            for i in range(frame * HOP, min(frame * HOP + HOP, n)):
                x = audio[c, i]
                v1 = a1 * (s1 + w * (x - s2))
                v2 = s2 + w * v1
                s1 = 2.0 * v1 - s1
                s2 = 2.0 * v2 - s2
                out[c, i] = low * v2 + band * width * v1 + high * (x - width * v1 - v2)
    return out


@numba.njit(cache=True, fastmath=True)
def flanger(audio: Audio, delay_ms: Floats, feedback: float, mix: float) -> Audio:
    """Comb filter with a moving delay: `audio` (2, N), `delay_ms` (2, C) in 0.1..19, |feedback| < 1. Returns (2, N)."""
    n = audio.shape[1]
    size = 1024
    out = np.empty((2, n), np.float32)
    for c in range(2):
        line = np.zeros(size, np.float32)
        for frame in range((n + HOP - 1) // HOP):
            d0 = delay_ms[c, frame] * SAMPLE_RATE_HZ / 1000.0
            step = (delay_ms[c, frame + 1] * SAMPLE_RATE_HZ / 1000.0 - d0) / HOP
            for i in range(frame * HOP, min(frame * HOP + HOP, n)):
                d = d0 + step * (i - frame * HOP)
                j = int(d)
                a = line[(i - j) & (size - 1)]
                b = line[(i - j - 1) & (size - 1)]
                y = a + (d - j) * (b - a)
                line[i & (size - 1)] = audio[c, i] + feedback * y
                out[c, i] = audio[c, i] + mix * y
    return out


@numba.njit(cache=True)
def crush(audio: Audio, hold: float, levels: float) -> Audio:
    """Sample-and-hold every `hold` samples and quantise to `levels` steps per unit: `audio` (2, N) -> (2, N)."""
    n = audio.shape[1]
    out = np.empty((2, n), np.float32)
    for c in range(2):
        left = 0.0
        v = 0.0
        for i in range(n):
            if left <= 0.0:
                v = np.round(audio[c, i] * levels) / levels
                left += hold
            left -= 1.0
            out[c, i] = v
    return out


@numba.njit(cache=True)
def stutter(
    audio: Audio, onset: NDArray[np.int64], slice_len: NDArray[np.int64], repeats: NDArray[np.int64], edge: int
) -> Audio:
    """Buffer repeats: from each onset the next `slice_len` samples sound `repeats` times, with `edge`-sample seams."""
    n = audio.shape[1]
    out = audio.copy()
    for g in range(onset.shape[0]):
        a = onset[g]
        size = slice_len[g]
        total = size * repeats[g]
        if a < 0 or a + total >= n:
            continue
        for k in range(total):
            q = k % size
            w = min(1.0, min(q, size - 1 - q) / edge)
            for c in range(2):
                out[c, a + k] = audio[c, a + q] * w
    return out
