"""Layers made of events: crickets, glass, glitch, elements, impulses. Each is (rng, n, controls) -> (2, N) float32."""

from __future__ import annotations

import numpy as np

from models.data.kernels import Audio, noise_grains, stutter, tone_grains
from models.data.signals import Array, Controls, coloured_noise, drift, events, lean, place, unit, upsample
from models.data.tonal import gate, rough


def crickets(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Five to eight insects, 3-9 kHz: chirps of a few wing strokes, or trills; each its own place and pace."""
    head, *insects = rng.spawn(9)
    count = int(head.integers(5, 9))
    parts: list[list[Array]] = []
    for r in insects[:count]:
        a, b, d, e = r.spawn(4)
        pulse_hz = a.uniform(24.0, 62.0) * c.rate**0.6
        period = np.inf if a.random() < 0.25 else a.uniform(0.28, 0.7) / c.rate**0.6
        strokes = int(a.integers(3, 7))
        carrier = a.uniform(3_000.0, 7_600.0) * c.register * 2.0 ** (0.15 * c.brightness)
        loud = 10.0 ** (-0.8 * a.random())
        t = events(b, n, pulse_hz, 0.05 + 0.35 * c.irregularity, 0.3)
        if np.isfinite(period):
            slot = np.floor((t / 48_000.0 + 1.0) / period)
            within = (t / 48_000.0 + 1.0) - slot * period
            t = t[(within < strokes / pulse_hz) & (np.sin(slot * 12.9898 + carrier) > -0.8)]
        g = len(t)
        size = min(0.75 / pulse_hz, 0.018) * c.grain_s**0.3
        bend = c.glide[np.clip(t, 0, n - 1)].astype(np.float64)
        left, right = place(d, 1, c.width)
        u = e.random((g, 2))
        level = loud * (0.7 + 0.3 * u[:, 0])
        for ratio, gain in ((1.0, 1.0), (2.0, 0.22 + 0.15 * c.brightness)):
            parts.append(
                [
                    t.astype(np.float64), np.full(g, size * 48_000), ratio * carrier * bend * (1 + 0.01 * u[:, 1]),
                    np.full(g, -0.06 + 0.2 * c.grain_sweep_octaves), level * gain * left, level * gain * right,
                ]
            )  # fmt: skip
    onset, length, hz, sweep, left_, right_ = (np.concatenate(x) for x in zip(*parts, strict=True))
    g = len(onset)
    sound = tone_grains(
        n, onset.astype(np.int64), length.astype(np.int64), np.minimum(hz, 19_000.0), sweep, np.full(g, 0.03),
        np.full(g, 0.004 - 0.003 * c.attack), np.full(g, 0.2 + 2.0 * c.roughness), left_, right_,
    )  # fmt: skip
    return rough(head, n, c, sound)


def glass(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Shredded glass: a rain of shards, each three inharmonic high resonances of its own decay and place."""
    a, b, d = rng.spawn(3)
    onset = events(a, n, 34.0 * c.rate * c.density, 0.6 + 0.4 * c.irregularity, 0.8)
    g = len(onset)
    u = b.random((g, 8))
    semitones = lean(36.0 * u[:, 0] ** 1.3, c.major, c.dissonance)
    base = 1_700.0 * c.register * 2.0 ** (semitones / 12.0 + 0.3 * c.brightness)
    base = base * c.glide[np.clip(onset, 0, n - 1)]
    ratios = np.stack([np.ones(g), 1.52 + 0.5 * u[:, 1], 2.4 + 1.1 * u[:, 2]], axis=1)
    decay = (0.02 + 0.26 * u[:, 3] ** 3)[:, None] * np.array([1.0, 0.7, 0.4]) * c.grain_s**0.5
    level = (0.15 + 0.85 * u[:, 4] ** 3)[:, None] * np.array([1.0, 0.6, 0.5 + 0.4 * c.brightness])
    left, right = place(d, g, c.width)
    return tone_grains(
        n, np.repeat(onset, 3), (6.0 * decay.ravel() * 48_000).astype(np.int64), (base[:, None] * ratios).ravel(),
        np.full(3 * g, 0.6 * c.grain_sweep_octaves), decay.ravel(), np.full(3 * g, 0.0025 * (1.0 - c.attack) + 0.0002),
        np.full(3 * g, 1.5 * c.roughness), (level * left[:, None]).ravel(), (level * right[:, None]).ravel(),
    )  # fmt: skip


def glitch(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Digital debris: chirped blips, crushed noise bursts and clicks on a broken grid, then buffer stutters."""
    a, b, d, e, f, gestures, h = rng.spawn(7)
    onset = events(a, n, 17.0 * c.rate * c.density, 0.25 + 0.65 * c.irregularity)
    g = len(onset)
    u = b.random((g, 9))
    # Phrases: neighbouring grains share a colour, so the debris has gestures rather than a uniform spray.
    gesture = gestures.random((g // 5 + 2, 1))[np.arange(g) // 5]
    semitones = lean(60.0 * gesture[:, 0] + 9.0 * (u[:, 0] - 0.5), c.major, c.dissonance)
    hz = 95.0 * c.register * 2.0 ** (semitones / 12.0 + 0.8 * c.brightness) * c.glide[np.clip(onset, 0, n - 1)]
    length = ((0.006 + 0.085 * u[:, 1] ** 2) * c.grain_s * 48_000).astype(np.int64)
    sweep = np.where(u[:, 2] < 0.5, 1.0, -1.0) * (2.2 * u[:, 3] ** 2)
    if c.grain_sweep_octaves != 0.0:
        sweep = np.sign(sweep + 1e-9) * abs(c.grain_sweep_octaves) * (0.6 + 0.5 * u[:, 3])
    level = 0.2 + 0.8 * u[:, 4] ** 2
    left, right = place(d, g, c.width)
    tone = u[:, 5] < 0.62
    drive = 0.3 + 7.0 * u[:, 6] ** 2 + 5.0 * c.roughness
    decay = length / 48_000.0 * (0.35 + u[:, 7])
    attack = np.full(g, 0.004 * (1.0 - c.attack) + 0.0003)
    blips = tone_grains(
        n, onset[tone], length[tone], hz[tone], sweep[tone], decay[tone], attack[tone], drive[tone],
        (level * left)[tone], (level * right)[tone],
    )  # fmt: skip
    noisy = ~tone
    hold = (1 + 14 * u[:, 8] ** 2).astype(np.int64)
    bursts = noise_grains(
        n, onset[noisy], length[noisy] // 2 + 60, np.clip(hz * 9.0, 400.0, 15_000.0)[noisy], 0.3 + u[noisy, 6],
        hold[noisy], (2.6 * level * left)[noisy], (2.6 * level * right)[noisy],
    )  # fmt: skip
    # A floor of grit: between gestures, and inside a stuttered gap, the texture goes on.
    floor = coloured_noise(
        h, n, np.array([60.0, 300, 2_500, 9_000, 18_000]), np.array([-12.0, -6, 0, -6, -20]), 0.8 * c.width
    )
    crackle = upsample(0.35 + np.maximum(drift(h, n, 14.0 * c.rate**0.5)[0], 0.0), n)
    sound = np.asarray(unit(blips + bursts) + 0.07 * floor * crackle, np.float32)
    at = events(e, n, 1.6 * c.rate, 0.7)
    v = f.random((len(at), 2))
    return np.asarray(
        stutter(
            sound,
            at,
            ((0.011 + 0.06 * v[:, 0] ** 2) / c.rate**0.5 * 48_000).astype(np.int64),
            (3 + 8 * v[:, 1]).astype(np.int64),
            40,
        )
    )


def elements(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Plain small events: woody ticks, pops and plucks that hop around a few pitches."""
    a, b, d = rng.spawn(3)
    onset = events(a, n, 5.5 * c.rate * c.density, 0.08 + 0.8 * c.irregularity)
    g = len(onset)
    palette = lean(b.uniform(0.0, 30.0, 6), c.major, c.dissonance)
    u = b.random((g, 5))
    semitones = palette[(u[:, 0] * 6).astype(int)] + 0.3 * (u[:, 1] - 0.5)
    hz = 240.0 * c.register * 2.0 ** (semitones / 12.0) * c.glide[np.clip(onset, 0, n - 1)]
    decay = (0.025 + 0.05 * u[:, 2]) * c.grain_s
    level = 0.4 + 0.6 * u[:, 3]
    left, right = place(d, g, c.width)
    ratios = np.array([1.0, 2.76, 5.4])
    weights = np.array([1.0, 0.35 * 2.0**c.brightness, 0.15 * 4.0**c.brightness])
    shrink = np.array([1.0, 0.5, 0.3])
    sound = tone_grains(
        n, np.repeat(onset, 3), (5.0 * decay[:, None] * shrink * 48_000).astype(np.int64).ravel(),
        (hz[:, None] * ratios).ravel(), np.full(3 * g, c.grain_sweep_octaves - 0.1), (decay[:, None] * shrink).ravel(),
        np.full(3 * g, 0.006 * (1.0 - c.attack) + 0.0004), np.full(3 * g, 0.3 + 4.0 * c.roughness),
        (level[:, None] * weights * left[:, None]).ravel(), (level[:, None] * weights * right[:, None]).ravel(),
    )  # fmt: skip
    length = ((0.004 + 0.006 * u[:, 4]) * 48_000).astype(np.int64)
    tick = 0.5 * level * 2.0**c.brightness
    ticks = noise_grains(
        n, onset, length, np.minimum(hz * 8, 14_000.0), np.full(g, 0.8), np.ones(g, np.int64), tick * left, tick * right
    )
    return np.asarray(sound + ticks, np.float32)


def impulses(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Low thumps like a slow machine heart: a swept sub with a soft knock."""
    a, b, d = rng.spawn(3)
    beat_hz, thump_hz, decay_s = a.uniform([1.3, 52.0, 0.12], [2.4, 74.0, 0.24])
    onset = events(a, n, beat_hz * c.rate, 0.6 * c.irregularity, 1.2)
    g = len(onset)
    u = b.random((g, 2))
    hz = thump_hz * c.register**0.5
    decay = decay_s * c.grain_s**0.5
    level = 1.0 - (0.1 + 0.4 * c.irregularity) * u[:, 0]
    left, right = place(d, g, 0.25 * c.width)
    ones = np.ones(g)
    thump = tone_grains(
        n, onset, np.full(g, int(decay * 5 * 48_000)), hz * 1.6 * c.glide[np.clip(onset, 0, n - 1)] ** 0.3,
        -0.9 * ones, decay * ones, (0.02 - 0.017 * c.attack) * ones, (0.6 + 4.0 * c.roughness) * ones,
        level * left, level * right,
    )  # fmt: skip
    knock = noise_grains(
        n,
        onset,
        np.full(g, 1_900),
        210.0 * 2.0**c.brightness * ones,
        0.5 * ones,
        np.ones(g, np.int64),
        1.2 * level * left,
        1.2 * level * right,
    )
    return gate(b, n, c, np.asarray(thump + knock, np.float32))
