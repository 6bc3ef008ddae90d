"""What happens to the mix: characters (digital, sci-fi ...), emotion colour, room, place, level."""

from __future__ import annotations

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from models.data.emotions import Colour
from models.data.kernels import SAMPLE_RATE_HZ, Audio, crush, flanger, swept_filter
from models.data.signals import Array, drift, swing, unit, upsample

CONTROL_HZ = 200.0
AZIMUTH_HZ = 10.0


def digital(rng: np.random.Generator, sound: Audio) -> Audio:
    """A cheap converter: sample-and-hold at 4-8 kHz and about five bits, mixed with the dry sound."""
    sound = unit(sound)
    wet = crush(sound, rng.uniform(6.0, 12.0), rng.uniform(5.0, 9.0))
    return np.asarray(0.45 * sound + 0.75 * wet, np.float32)


def sci_fi(rng: np.random.Generator, sound: Audio) -> Audio:
    """Moving resonant comb, as of spaceships: flanger with strong feedback, and a trace of ring modulation."""
    n = sound.shape[1]
    a, b = rng.spawn(2)
    sweep = swing(a, n, a.uniform(0.12, 0.4), 0.4)
    centre = a.uniform(1.4, 4.5)
    delay = centre * 2.0 ** (1.3 * np.stack([sweep, np.roll(sweep, 1)])) + np.array([[0.0], [0.21]])
    wet = flanger(sound, delay, float(a.choice([-1.0, 1.0]) * a.uniform(0.6, 0.78)), 0.8)
    hz = upsample(b.uniform(60.0, 420.0) * 2.0 ** (0.5 * drift(b, n, 0.4)[0]), n)
    ring = np.sin(np.cumsum(hz, dtype=np.float64) * (2.0 * np.pi / SAMPLE_RATE_HZ)).astype(np.float32)
    return np.asarray(wet * (0.85 + 0.22 * ring), np.float32)


def processed(rng: np.random.Generator, sound: Audio) -> Audio:
    """Studio processing: ring modulation between a few tens of hertz and audio rate, then a sweeping resonance."""
    n = sound.shape[1]
    a, b = rng.spawn(2)
    hz = upsample(a.uniform(300.0, 1_400.0) * 2.0 ** (0.8 * drift(a, n, 0.6)[0]), n)
    ring = np.sin(np.cumsum(hz, dtype=np.float64) * (2.0 * np.pi / SAMPLE_RATE_HZ)).astype(np.float32)
    wet = np.asarray(sound * (0.55 + 0.7 * ring), np.float32)
    cutoff = 2_600.0 * 2.0 ** (1.5 * drift(b, n, 0.8)[0])
    return np.asarray(0.7 * wet + 0.8 * swept_filter(wet, cutoff, 0.25, 0.0, 2.0, 0.0), np.float32)


def synthetic(rng: np.random.Generator, sound: Audio) -> Audio:
    """Chorus of an early synthesiser: one delayed, slowly modulated copy with opposite motion left and right."""
    n = sound.shape[1]
    wave = swing(rng, n, rng.uniform(0.4, 0.9))
    delay = np.stack([7.0 + 2.2 * wave, 7.6 - 2.2 * wave])
    return np.asarray(flanger(sound, delay, 0.12, 0.85))


CHARACTERS = {"digital": digital, "sci_fi": sci_fi, "processed": processed, "synthetic": synthetic}


def _shelf(kind: str, hz: float, gain_db: float) -> Array:
    """Second-order shelf as one section (1, 6): R. Bristow-Johnson, Audio EQ Cookbook, slope 0.5."""
    amp = 10.0 ** (gain_db / 40.0)
    w = 2.0 * np.pi * hz / SAMPLE_RATE_HZ
    cos, root = np.cos(w), np.sqrt(amp) * np.sin(w) * np.sqrt((amp + 1 / amp) * (1 / 0.5 - 1) + 2)
    s = -1.0 if kind == "high" else 1.0
    b = [
        amp * ((amp + 1) - s * (amp - 1) * cos + root),
        2 * s * amp * ((amp - 1) - s * (amp + 1) * cos),
        amp * ((amp + 1) - s * (amp - 1) * cos - root),
    ]
    a: list[float] = [
        (amp + 1) + s * (amp - 1) * cos + root,
        -2 * s * ((amp - 1) + s * (amp + 1) * cos),
        (amp + 1) + s * (amp - 1) * cos - root,
    ]
    return np.asarray(np.array([[*b, *a]]) / a[0])


def emote(rng: np.random.Generator, sound: Audio, c: Colour) -> Audio:
    """Colour of the whole mix: anger's saturation, fear's tremor and thinness, and the tilt of `brightness`."""
    n = sound.shape[1]
    sound = unit(sound)
    tremble, rng = rng.spawn(2)
    if c.tremor > 0.0:
        shake = swing(tremble, n, tremble.uniform(6.0, 8.5), 0.5) + 0.6 * drift(tremble, n, 5.0)[0]
        sound = np.asarray(sound * upsample(1.0 + 0.5 * c.tremor * shake, n), np.float32)
    if c.drive > 0.0:
        # Asymmetric saturation: even harmonics too, so that it is heard on any material.
        gain = 1.0 + 5.0 * c.drive
        bent = np.tanh(gain * sound + 0.4 * c.drive) - np.tanh(0.4 * c.drive)
        sound = np.asarray((1.0 - 0.8 * c.drive) * sound + 0.8 * c.drive * unit(bent), np.float32)
        # Saturation flattens what the layers' roughness modulated, so the driven mix is roughened again.
        hz = upsample(rng.uniform(42.0, 58.0) * (1.0 + 0.15 * drift(rng, n, 3.0)[0]), n)
        beat = np.sin(np.cumsum(hz, dtype=np.float64) * (2.0 * np.pi / SAMPLE_RATE_HZ)).astype(np.float32)
        sound = np.asarray(sound * (1.0 + 0.6 * c.drive * c.roughness * beat), np.float32)
    block = scipy.signal.butter(2, 20.0, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    sections = np.concatenate(
        [
            block,
            _shelf("low", 220.0, -5.0 * c.brightness - 8.0 * c.thinness),
            _shelf("high", 2_400.0, 9.0 * c.brightness),
        ]
    )
    return np.asarray(scipy.signal.sosfilt(sections.astype(np.float32), sound, axis=1), np.float32)


def room(rng: np.random.Generator, sound: Audio, wet: float, seconds: float) -> Audio:
    """Large space: convolution with decorrelated exponentially decaying noise whose highs die first."""
    size = int(seconds * SAMPLE_RATE_HZ)
    t = np.arange(size, dtype=np.float32) / SAMPLE_RATE_HZ
    noise = rng.standard_normal((2, size), np.float32)
    dull = scipy.signal.lfilter([0.12], [1.0, -0.88], noise, axis=1).astype(np.float32) * 2.6
    impulse = noise * np.exp(-t * (20.0 / seconds)) * 0.7 + dull * np.exp(-t * (6.9 / seconds))
    gap = int(rng.uniform(0.008, 0.03) * SAMPLE_RATE_HZ)
    impulse[:, :gap] = 0.0
    tail = scipy.signal.fftconvolve(sound, impulse, axes=1)[:, : sound.shape[1]].astype(np.float32)
    return np.asarray((1.0 - 0.5 * wet) * unit(sound) + wet * unit(tail), np.float32)


def azimuth(rng: np.random.Generator, n: int, attributes: tuple[str, ...]) -> Array:
    """Pan trajectory (C,) in degrees at the control rate, -90 left .. 90 right."""
    a, b = rng.spawn(2)
    home = a.uniform(-25.0, 25.0)
    if "moving_panorama" in attributes:
        path = 0.75 * swing(b, n, a.uniform(0.3, 0.8), 0.4) + 0.45 * drift(b, n, 1.5)[0]
        return np.asarray(np.clip(95.0 * path, -90.0, 90.0))
    if "slow_panorama" in attributes:
        return np.clip(a.uniform(60.0, 85.0) * swing(b, n, a.uniform(0.08, 0.14), 0.2), -90.0, 90.0)
    if "slight_panorama" in attributes:
        return np.clip(0.5 * home + a.uniform(28.0, 40.0) * swing(b, n, a.uniform(0.12, 0.25), 0.2), -90.0, 90.0)
    return np.full(len(drift(b, n, 1.0)[0]), 0.0 if "static_panorama" in attributes else home)


def pan(sound: Audio, azimuth_deg: Array, focus: float) -> Audio:
    """Equal-power pan of a stereo image narrowed by `focus` 0..1: a point at 1, so that its movement is plain."""
    n = sound.shape[1]
    mid, side = 0.5 * (sound[0] + sound[1]), 0.5 * (sound[0] - sound[1])
    side = side * (1.0 - focus)
    angle = upsample((azimuth_deg + 90.0) * (np.pi / 360.0), n)
    root = np.float32(np.sqrt(2.0))
    return np.stack([(mid + side) * np.cos(angle) * root, (mid - side) * np.sin(angle) * root]).astype(np.float32)


def limit(sound: Audio) -> Audio:
    """Memoryless soft knee above 0.6: |y| < 0.98."""
    over = np.abs(sound) - 0.6
    return np.where(over > 0.0, np.sign(sound) * (0.6 + 0.38 * np.tanh(over / 0.38)), sound).astype(np.float32)


def trajectory(azimuth_deg: Array, start: int, n: int) -> NDArray[np.float32]:
    """Sample the control-rate path of `n` samples from `start` at 10 Hz: (K,) with K = ceil(n / 4800)."""
    at = (start + np.arange(0, n, int(SAMPLE_RATE_HZ / AZIMUTH_HZ))) / SAMPLE_RATE_HZ * CONTROL_HZ
    return np.interp(at, np.arange(len(azimuth_deg)), azimuth_deg).astype(np.float32)
