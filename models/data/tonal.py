"""Pitched layers: hum, drone, sixth, buzz, cymbals, swarm, alarm. Each is (rng, n, controls) -> (2, N) float32."""

from __future__ import annotations

import numpy as np

from models.data.kernels import Audio, oscillators
from models.data.signals import (
    Array,
    Controls,
    audible,
    coloured_noise,
    drift,
    frames_of,
    lean,
    phase_of,
    place,
    swing,
    unit,
    upsample,
)


def voices(
    rng: np.random.Generator,
    n: int,
    c: Controls,
    ratios: Array,
    weights: Array,
    harmonics: int,
    rolloff: float,
    spread_cents: float = 6.0,
    drift_hz: float = 0.35,
) -> Audio:
    """Additive voices: each ratio (V,) carries `harmonics` partials falling as k^-rolloff, drifting independently."""
    place_rng, phase_rng, amp_rng, detune_rng, colour_rng = rng.spawn(5)
    v = len(ratios)
    k = np.arange(1, harmonics + 1, dtype=np.float64)
    slope = k ** -(max(rolloff - 0.9 * c.brightness - 0.2 * c.synthetic, 0.25))
    slope = slope * np.where(k % 2 == 0, 1.0 - 0.96 * c.hollow, 1.0)
    multiple = (ratios[:, None] * k[None, :] * (1.0 + 0.0004 * c.dissonance * k**2)[None, :]).ravel()
    p = len(multiple)
    detune = 2.0 ** (detune_rng.uniform(-1, 1, v) * spread_cents * c.beating / 1200.0)
    multiple = multiple * np.repeat(detune, harmonics)
    # A fixed formant-like emphasis makes two hums of one pitch differ in vowel.
    emphasis = 10.0 ** (0.35 * colour_rng.standard_normal((v, harmonics)))
    base = (weights[:, None] * slope[None, :] * emphasis).ravel()
    depth = 0.1 + 0.9 * c.unrest
    sway = 1.0 + depth * drift(amp_rng, n, drift_hz * (0.5 + c.rate * 0.5), p)
    amplitude = base[:, None] * sway * audible(multiple, c.pitch_hz, c.glide, n)
    left, right = place(place_rng, p, c.width)
    wobble = drift(detune_rng, n, 0.5, p) * (0.2 + 1.2 * c.irregularity)
    phase = phase_of(c.pitch_hz, c.glide)
    return np.asarray(
        oscillators(phase, multiple, phase_rng.random(p), wobble, amplitude * left[:, None], amplitude * right[:, None])
    )


def rough(rng: np.random.Generator, n: int, c: Controls, sound: Audio) -> Audio:
    """Roughness: amplitude modulation in the 30-70 Hz band, where beats are heard as harshness (Zwicker & Fastl)."""
    if c.roughness < 0.01:
        return sound
    a, b = rng.spawn(2)
    hz = a.uniform(38.0, 62.0)
    t = upsample(hz * (1.0 + 0.15 * drift(b, n, 3.0)[0]), n)
    wave = np.sin(np.cumsum(t, dtype=np.float64) * (2.0 * np.pi / 48_000.0)).astype(np.float32)
    return np.asarray(sound * (1.0 + 0.85 * c.roughness * wave), np.float32)


def gate(rng: np.random.Generator, n: int, c: Controls, sound: Audio) -> Audio:
    """Cut a continuous layer into pieces at the rapid rate: `gated` is the depth of the cuts."""
    if c.gated < 0.01:
        return sound
    a, b = rng.spawn(2)
    rate_hz = a.uniform(6.0, 9.0) * c.rate
    steps = int(n / 48_000 * rate_hz * 1.6) + 4
    open_ = (b.random((steps, 1))[:, 0] < 0.62).astype(np.float64)
    pace = rate_hz * (1.0 + 0.6 * c.irregularity * drift(a, n, 2.0)[0])
    position = np.cumsum(pace) / 200.0
    f = position % 1.0
    level = open_[np.minimum(position.astype(int), steps - 1)] * np.minimum(1.0, 8.0 * (1.0 - f))
    return np.asarray(sound * upsample(1.0 - c.gated * (1.0 - level), n), np.float32)


def hum(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Mains-like hum: two detuned voices, twenty breathing harmonics, a little air."""
    tone_rng, air_rng, rough_rng, gate_rng, beat_rng = rng.spawn(5)
    ratios = np.array([1.0, 1.0 + 0.003 * c.beating * beat_rng.uniform(0.5, 1.6), 2.0])
    if c.synthetic > 0.0:
        ratios[2] = beat_rng.choice([1.5, 2.0, 3.0])
    tone = unit(voices(tone_rng, n, c, ratios, np.array([1.0, 0.8, 0.25]), 20, 1.25 + 0.3 * c.hollow))
    centre = min(c.pitch_hz * 8.0, 4_000.0)
    air = coloured_noise(
        air_rng, n, np.array([40.0, centre / 4, centre, 9_000.0]), np.array([-30.0, -6, 0, -26]), c.width
    )
    breath = upsample(0.6 + 0.4 * drift(air_rng, n, 0.7)[0], n)
    sound = tone + (0.035 - 0.02 * c.synthetic + 0.05 * c.hollow) * air * breath
    return gate(gate_rng, n, c, rough(rough_rng, n, c, np.asarray(sound, np.float32)))


def drone(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Slowly beating chord drone; third and cluster voices grow with `major` and `dissonance`."""
    tone_rng, air_rng, rough_rng, gate_rng = rng.spawn(4)
    semitones = np.array([0.0, 0.07 * c.beating, 7.02, 12.0, 4.0, 3.0, 1.0, 6.0, 13.0])
    calm = 1.0 - 0.6 * c.dissonance
    weights = np.array(
        [
            1.0,
            0.8,
            0.45 * calm,
            0.4 * calm,
            0.5 * max(c.major, 0.0),
            0.5 * max(-c.major, 0.0),
            0.55 * c.dissonance,
            0.45 * c.dissonance,
            0.25 * c.dissonance,
        ]
    )
    keep = weights > 0.01
    tone = unit(voices(tone_rng, n, c, 2.0 ** (semitones / 12.0), weights * keep, 11, 1.15, 8.0, 0.2))
    air = coloured_noise(
        air_rng, n, np.array([30.0, 90, 400, 2_500, 12_000]), np.array([-8.0, 0, -6, -18, -40]), c.width
    )
    sound = tone + (0.1 + 0.08 * c.unrest) * air * upsample(0.7 + 0.3 * drift(air_rng, n, 0.3)[0], n)
    return gate(gate_rng, n, c, rough(rough_rng, n, c, np.asarray(sound, np.float32)))


def sixth(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Chorused synthetic pad on a sixth: 9 semitones, 8 as it turns minor; breathing filter by drifting partials."""
    tone_rng, rough_rng, swell_rng = rng.spawn(3)
    minor = np.clip(0.5 - c.major, 0.0, 1.0) if c.major < 0.5 else 0.0
    d = 0.06 * c.beating
    semitones = np.array([0.0, d, 9.0, 9.0 + d, 8.0, 8.0 + d, 12.0, -12.0, 1.0])
    weights = np.array(
        [1, 0.8, 0.9 * (1 - minor), 0.7 * (1 - minor), 0.9 * minor, 0.7 * minor, 0.25, 0.4, 0.5 * c.dissonance]
    )
    tone = voices(tone_rng, n, c, 2.0 ** (semitones / 12.0), weights, 9, 1.0, 9.0, 0.5)
    swell = upsample(1.0 - 0.35 * c.unrest * (0.5 + 0.5 * swing(swell_rng, n, 0.5 * c.rate, c.irregularity)), n)
    return rough(rough_rng, n, c, np.asarray(tone * swell, np.float32))


def buzz(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Insect or transformer buzz: dense jittering saw partials, wing-beat modulation, a nasal band."""
    tone_rng, jitter_rng, rough_rng, gate_rng, am_rng = rng.spawn(5)
    pitch = c.pitch_hz * 1.6
    jitter = drift(jitter_rng, n, 11.0)[0] * (0.012 + 0.03 * c.irregularity)
    glide = np.asarray(c.glide * upsample(2.0**jitter, n), np.float32)
    harmonics = 40
    k = np.arange(1, harmonics + 1, dtype=np.float64)
    a, b, d = tone_rng.spawn(3)
    nasal = np.clip(a.uniform(900.0, 2_600.0) * 2.0 ** (0.8 * c.brightness), 500.0, 6_000.0)
    base = (
        k**-0.55
        * (0.25 + np.exp(-0.5 * (np.log2(k * pitch / nasal) / 0.9) ** 2))
        * np.where(k % 2 == 0, 1 - 0.9 * c.hollow, 1)
    )
    amplitude = base[:, None] * (1 + 0.5 * drift(b, n, 2.5, harmonics)) * audible(k, pitch, glide, n)
    left, right = place(d, harmonics, 0.7 * c.width)
    wobble = 0.5 * drift(d, n, 3.0, harmonics)
    phase = phase_of(pitch, glide)
    tone = oscillators(
        phase, k, a.random(harmonics) * 0.2, wobble, amplitude * left[:, None], amplitude * right[:, None]
    )
    beat_hz = am_rng.uniform(22.0, 48.0) * c.rate**0.3
    t = upsample(beat_hz * (1 + 0.2 * drift(am_rng, n, 2.0)[0]), n)
    beat = 0.62 + 0.38 * np.sin(np.cumsum(t, dtype=np.float64) * (2 * np.pi / 48_000)).astype(np.float32)
    return gate(gate_rng, n, c, rough(rough_rng, n, c, np.asarray(tone * beat, np.float32)))


def cymbals(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Bowed and rolled metal: sixty inharmonic partials and a hiss that swell together, over the glide."""
    a, b, d, e, f = rng.spawn(5)
    p = 60
    low = 330.0 * c.register
    ladder = np.sort(low * (14_000.0 / low) ** a.random(p)) * (1.0 + 0.01 * a.standard_normal(p))
    multiple = ladder / low
    group = b.integers(0, 3, p)
    swells = np.stack(
        [0.5 + 0.5 * swing(d, n, (0.25 + 0.35 * d.random()) * c.rate, 0.3 + 0.5 * c.irregularity) for _ in range(3)]
    )
    swells = 1.0 - 0.8 * c.beating * (1.0 - swells ** (1.0 + 1.5 * c.attack))
    base = (ladder / 1_500.0) ** (-0.05 + 0.5 * c.brightness) * 10.0 ** (0.3 * b.standard_normal(p))
    amplitude = (
        base[:, None]
        * swells[group]
        * (1.0 + 0.6 * c.beating * drift(e, n, 3.0 * c.rate, p))
        * audible(multiple, low, c.glide, n)
    )
    left, right = place(f, p, 0.3 + 0.7 * c.width)
    tone = unit(
        oscillators(
            phase_of(low, c.glide),
            multiple,
            f.random(p),
            0.3 * drift(e, n, 2.0, p),
            amplitude * left[:, None],
            amplitude * right[:, None],
        )
    )
    hiss = coloured_noise(
        a, n, np.array([200.0, 2_000, 7_000, 13_000, 19_000]), np.array([-50.0, -16, 0, -1, -9]), 0.4 + 0.6 * c.width
    )
    sound = tone + (0.55 + 0.2 * c.brightness) * hiss * upsample(swells.mean(axis=0) ** 1.5, n)
    return rough(d, n, c, np.asarray(sound, np.float32))


def swarm(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Insect swarm: sixteen restless high tones with two overtones, each with its own wing beat and place."""
    a, b, d, e = rng.spawn(4)
    flies = 16
    semitones = lean(a.uniform(0.0, 24.0, flies), c.major, c.dissonance)
    base_hz = 1_300.0 * c.register
    ratio = np.repeat(2.0 ** (semitones / 12.0), 3) * np.tile([1.0, 2.01, 3.6], flies)
    wander = np.repeat(drift(b, n, 2.2 * c.rate**0.5, flies), 3, axis=0) * np.tile([1.0, 2.0, 3.6], flies)[:, None]
    wobble = wander * (6.0 + 16.0 * c.irregularity)
    wings_hz = np.repeat(d.uniform(9.0, 42.0, flies) * c.rate**0.5, 3)
    t = np.arange(frames_of(n)) / 200.0
    wings = 0.5 + 0.5 * np.sin(2 * np.pi * (wings_hz[:, None] * t[None, :] + np.repeat(d.random(flies), 3)[:, None]))
    near = np.repeat(np.clip(0.5 + 0.7 * drift(e, n, 0.5 * c.rate, flies), 0.05, 1.0), 3, axis=0)
    weight = np.tile(np.array([1.0, 0.5, 0.3]) ** (1.0 - 0.7 * c.brightness), flies)
    amplitude = weight[:, None] * wings * near * audible(ratio, base_hz, c.glide, n)
    left, right = (np.repeat(g, 3) for g in place(e, flies, c.width))
    sound = oscillators(
        phase_of(base_hz, c.glide),
        ratio,
        a.random(3 * flies),
        wobble,
        amplitude * left[:, None],
        amplitude * right[:, None],
    )
    return rough(a, n, c, sound)


def alarm(rng: np.random.Generator, n: int, c: Controls) -> Audio:
    """Distant alarm: two alternating pitches (or a siren between them), edges softened by `attack`."""
    a, b, d = rng.spawn(3)
    hz = a.uniform(0.7, 1.5) * c.rate
    interval = lean(np.array([a.uniform(3.5, 7.5)]), c.major, c.dissonance)[0] + 0.8 * c.dissonance
    wave = swing(b, n, hz, 0.5 * c.irregularity)
    shape = a.uniform(0.8, 6.0) * (0.6 + c.attack)
    glide = np.asarray(c.glide * upsample(2.0 ** (interval / 24.0 * np.tanh(shape * wave)), n), np.float32)
    pitch = np.clip(c.pitch_hz * 6.0, 380.0, 1_100.0)
    k = np.arange(1, 10, dtype=np.float64)
    base = k ** -(1.1 - 0.7 * c.brightness) * np.where(k % 2 == 0, 0.35, 1.0)
    pulse = 0.75 + 0.25 * np.tanh(3.0 * swing(d, n, 2.0 * hz, 0.5 * c.irregularity))
    amplitude = base[:, None] * pulse * (1 + 0.3 * drift(d, n, 1.0, 9)) * audible(k, pitch, glide, n)
    left, right = place(d, 9, 0.5 * c.width)
    wobble = 0.3 * drift(b, n, 1.0, 9)
    sound = oscillators(
        phase_of(pitch, glide), k, a.random(9), wobble, amplitude * left[:, None], amplitude * right[:, None]
    )
    return rough(a, n, c, sound)
