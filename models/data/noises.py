"""Unpitched continuous layers: rumble, noise, sizzle, squish. Each is (rng, n, controls) -> (2, N) float32."""

from __future__ import annotations

import numpy as np

from models.data.kernels import Audio, noise_grains, swept_filter, tone_grains
from models.data.signals import Controls, coloured_noise, drift, events, place, swing, unit, upsample
from models.data.tonal import gate, rough, voices


def rumble(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Earth rumble: steep low noise, three wandering sub resonances with their own swells, a little grit above."""
    bed_rng, res_rng, swell_rng, rough_rng, grit_rng = rng.spawn(5)
    low = 70.0 * c.register
    points = np.array([20.0, 30.0, low, 3 * low, 12 * low, 6_000.0])
    bed = coloured_noise(
        bed_rng, n, points, np.array([-9.0, -2, 0, -9 + 5 * c.brightness, -26 + 10 * c.brightness, -75]), 0.8 * c.width
    )
    swells = 1.0 + (0.1 + 0.65 * c.unrest) * drift(swell_rng, n, 0.8 * c.rate**0.5, 3)
    sound = bed * upsample(swells[0], n)
    for k in range(3):
        centre = low * (0.55 + 0.55 * k) * res_rng.uniform(0.85, 1.2)
        band = centre * 0.16
        tone = coloured_noise(
            res_rng, n, np.array([centre - 3 * band, centre - band, centre, centre + band, centre + 3 * band]),
            np.array([-110.0, -12, 0, -12, -110]), 0.4 * c.width,
        )  # fmt: skip
        sound = sound + tone * upsample(0.55 * swells[k % 3] ** 2, n)
    grit = coloured_noise(
        grit_rng, n, np.array([60.0, 200, 900, 3_000, 12_000]), np.array([-40.0, -8, 0, -12, -36]), c.width
    )
    crumble = upsample(np.maximum(drift(grit_rng, n, 9.0)[0], 0.0) ** 2, n)
    sound = sound + (0.05 + 0.1 * c.roughness + 0.04 * c.unrest) * grit * crumble
    return gate(rough_rng, n, c, rough(rough_rng, n, c, np.asarray(sound, np.float32)))


def noise(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Soft wind-like noise: two broad bands whose cutoffs wander."""
    a, b, d = rng.spawn(3)
    bed = coloured_noise(
        a,
        n,
        np.array([30.0, 120, 900, 5_000, 18_000]),
        np.array([-14.0, -4, 0, -7 + 5 * c.brightness, -20 + 8 * c.brightness]),
        c.width,
    )
    centre = 900.0 * c.register * 2.0 ** (1.2 * c.brightness)
    cutoff = centre * 2.0 ** ((0.4 + 0.9 * c.unrest) * drift(b, n, 0.7 * c.rate)[0])
    tilt = swept_filter(bed, cutoff, 1.1, 0.35, 1.0, 0.12)
    return rough(d, n, c, np.asarray(tilt * upsample(1 + 0.3 * c.unrest * drift(d, n, 1.3 * c.rate)[0], n), np.float32))


def sizzle(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Frying, hissing air: high noise bed under hundreds of tiny band-passed crackles a second, each with its place."""
    a, b, d, e, f = rng.spawn(5)
    low = 6_000.0 * c.register * 2.0 ** (0.35 * c.brightness)
    points = np.array([500.0, low * 0.45, low, 13_500.0, 20_500.0])
    bed = coloured_noise(a, n, points, np.array([-60.0, -22, 0, -1, -10]), c.width)
    flicker = 1.0 + (0.3 + 0.5 * c.unrest) * drift(b, n, 6.0 * c.rate)[0]
    onset = events(d, n, 190.0 * c.rate * c.density, 0.75 + 0.25 * c.irregularity, 0.05)
    g = len(onset)
    u = e.random((g, 4))
    # A crackle's loudness is heavy-tailed: most are dust, a few snap.
    level = 0.25 + 1.1 * u[:, 0] ** (5.0 - 2.0 * c.attack)
    hz = np.minimum(low * (0.6 + 1.6 * u[:, 1]), 17_000.0) * c.glide[np.clip(onset, 0, n - 1)] ** 0.5
    length = ((0.002 + 0.011 * u[:, 2] ** 2) * c.grain_s**0.5 * 48_000).astype(np.int64)
    left, right = place(f, g, c.width)
    grains = noise_grains(
        n, onset, length, hz, 0.12 + 0.5 * u[:, 3], np.ones(g, np.int64), 5.0 * level * left, 5.0 * level * right
    )
    sound = 0.75 * bed * upsample(flicker, n) + unit(grains)
    return gate(a, n, c, rough(b, n, c, np.asarray(sound, np.float32)))


def squish(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Wet and rubbery: a saw and some noise squeezed by a wobbling resonant filter, with rising bubbles."""
    a, b, d, e, f = rng.spawn(5)
    source = unit(voices(a, n, c, np.array([1.0, 1.006]), np.array([1.0, 0.9]), 24, 0.9))
    source = source + 0.35 * coloured_noise(
        b, n, np.array([100.0, 400, 3_000, 9_000]), np.array([-20.0, -3, 0, -18]), c.width
    )
    hz = d.uniform(1.6, 3.6) * c.rate
    wave = 0.6 * swing(d, n, hz, 0.35 + 0.5 * c.irregularity) + 0.5 * drift(d, n, 1.7 * hz)[0]
    cutoff = c.pitch_hz * 5.0 * 2.0 ** (0.8 * c.brightness + 1.5 * wave)
    body = unit(swept_filter(np.asarray(source, np.float32), cutoff, 0.16, 0.35, 1.6, 0.02))
    onset = events(e, n, 9.0 * c.rate * c.density, 0.4 + 0.6 * c.irregularity)
    g = len(onset)
    u = f.random((g, 4))
    length = ((0.03 + 0.06 * u[:, 0]) * c.grain_s**0.5 * 48_000).astype(np.int64)
    hz_g = 260.0 * c.register * 2.0 ** (2.2 * u[:, 1]) * c.glide[np.clip(onset, 0, n - 1)]
    left, right = place(f, g, c.width)
    level = 0.3 + 0.7 * u[:, 2]
    bubbles = tone_grains(
        n, onset, length, hz_g, 0.5 + 1.3 * u[:, 3] + c.grain_sweep_octaves, 0.04 * np.ones(g), 0.004 * np.ones(g),
        0.3 * np.ones(g), level * left, level * right,
    )  # fmt: skip
    return rough(b, n, c, np.asarray(body + 0.7 * unit(bubbles), np.float32))
