"""The measuring of onsets, on changes whose time is known."""

import numpy as np
import pytest

from engine.cli.onset import pan_onset, sound_onset

RATE = 48_000
Sound = np.ndarray


def noise(seed: int, low_hz: float, high_hz: float, frames: int) -> Sound:
    """(N,) float32 noise in a band."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(frames))
    hz = np.fft.rfftfreq(frames, 1 / RATE)
    return (0.3 * np.fft.irfft(np.where((hz >= low_hz) & (hz < high_hz), spectrum, 0), frames)).astype(np.float32)


def ramp(frames: int, start: int, length: int) -> Sound:
    """(N,) from 0 to 1."""
    return np.clip((np.arange(frames) - start) / length, 0, 1)


@pytest.mark.parametrize("late_ms", [0.7, 3.0, 9.0])
def test_a_pan_is_found_within_half_a_millisecond(late_ms: float) -> None:
    frames, sent = RATE // 2, RATE // 5
    change = sent + round(late_ms * RATE / 1000)
    angle = np.pi / 2 * ramp(frames, change, 240)
    sound = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32) * noise(1, 50, 15_000, frames)[:, None]
    found = pan_onset(sound, sent)
    assert (found.start - change) / RATE * 1000 == pytest.approx(0, abs=0.5)
    assert found.clearness > 10


@pytest.mark.parametrize("late_ms", [20, 80, 200])
@pytest.mark.parametrize(("length_ms", "early_ms"), [(21, 10), (128, 45)])
def test_a_change_of_timbre_is_found(late_ms: int, length_ms: int, early_ms: int) -> None:
    frames, sent = round(1.8 * RATE), round(0.6 * RATE)
    change, length = sent + late_ms * RATE // 1000, length_ms * RATE // 1000
    part = ramp(frames, change, length)
    mono = np.sqrt(1 - part) * noise(2, 60, 400, frames) + np.sqrt(part) * noise(3, 3000, 9000, frames)
    found = sound_onset(np.stack([mono, mono], 1).astype(np.float32), sent, RATE)
    assert -early_ms <= (found.start - change) / RATE * 1000 <= 2
    assert found.clearness > 8


def test_no_change_is_not_clear() -> None:
    mono = noise(4, 60, 9000, round(1.8 * RATE))
    assert sound_onset(np.stack([mono, mono], 1), round(0.6 * RATE), RATE).clearness < 2
