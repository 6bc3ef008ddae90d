"""What the encoder hears of sounds that are known."""

import math

import numpy as np
import pytest

from engine.features import (
    COLOUR_BANDS,
    COLOUR_WINDOW,
    FEATURES,
    FLOOR,
    ONSET_BANDS,
    ONSET_LOOKS,
    ONSET_WINDOW,
    PITCH_BANDS,
    PITCH_WINDOW,
    SIDE_BANDS,
    Features,
    Float,
    triangles,
)
from engine.synthesis import HOP, SAMPLE_RATE_HZ

PITCH = slice(0, PITCH_BANDS)
LEFT = slice(PITCH.stop, PITCH.stop + COLOUR_BANDS)
RIGHT = slice(LEFT.stop, LEFT.stop + COLOUR_BANDS)
SIDE = slice(RIGHT.stop, RIGHT.stop + SIDE_BANDS)
ONSET = slice(SIDE.stop, FEATURES)


@pytest.fixture(scope="module")
def features() -> Features:
    return Features()


def sound(frames: int = 12) -> Float:
    return 0.1 * np.random.default_rng(0).standard_normal((2, frames * HOP), np.float32)


def test_silence_is_the_floor(features: Features) -> None:
    said = features(np.zeros((2, 5 * HOP), np.float32))
    assert said.shape == (FEATURES, 5)
    assert said.dtype == np.float32
    np.testing.assert_allclose(said, math.log(FLOOR), rtol=1e-6)


def test_twice_as_loud_is_log_4_more(features: Features) -> None:
    np.testing.assert_allclose(features(2 * sound()) - features(sound()), math.log(4), atol=0.02)


def test_level_is_that_of_the_mean_square(features: Features) -> None:
    assert np.exp(features(sound())[LEFT, 3:-3]).mean() == pytest.approx(0.01, rel=0.1)


def test_left_right_and_side_are_told_apart(features: Features) -> None:
    left, mono = sound(), sound()
    left[1] = 0
    mono[1] = mono[0]
    floor = math.log(FLOOR) + 1e-5
    assert (features(left)[RIGHT] < floor).all()
    assert (features(left)[LEFT] > floor + 3).all()
    assert (features(mono)[SIDE] < floor).all()


@pytest.mark.parametrize("frame", [0, 4, 11])
@pytest.mark.parametrize("look", range(ONSET_LOOKS))
def test_a_click_is_heard_in_its_frame_and_look(features: Features, frame: int, look: int) -> None:
    click = np.zeros((2, 12 * HOP), np.float32)
    click[:, frame * HOP + (2 * look + 1) * HOP // (2 * ONSET_LOOKS)] = 1
    onset = features(click)[ONSET].reshape(ONSET_LOOKS, ONSET_BANDS, -1).mean(1)  # (looks, T)
    assert onset.T.argmax() == frame * ONSET_LOOKS + look
    if 0 < frame < 11:
        assert features(click)[PITCH].mean(0).argmax() == frame


@pytest.mark.parametrize("hz", [50.0, 220.0, 1000.0, 3500.0])
def test_a_tone_is_loudest_in_the_band_around_it(features: Features, hz: float) -> None:
    tone = 0.3 * np.sin(2 * np.pi * hz / SAMPLE_RATE_HZ * np.arange(8 * HOP)).astype(np.float32)
    band = features(np.stack([tone, tone]))[PITCH, 4].argmax()
    centre = (features.pitch[:, band] * np.linspace(0, SAMPLE_RATE_HZ / 2, PITCH_WINDOW // 2 + 1)).sum()
    assert abs(centre - hz) < 0.06 * hz + SAMPLE_RATE_HZ / PITCH_WINDOW


def test_a_longer_sound_begins_as_a_shorter_one(features: Features) -> None:
    longer = sound(12)
    np.testing.assert_allclose(features(longer)[:, :5], features(longer[:, : 8 * HOP])[:, :5], atol=1e-5)


@pytest.mark.parametrize(
    ("bands", "window", "low", "high", "knee"),
    [
        (PITCH_BANDS, PITCH_WINDOW, 30, 4000, 200),
        (COLOUR_BANDS, COLOUR_WINDOW, 40, 21000, 700),
        (ONSET_BANDS, ONSET_WINDOW, 100, 20000, 1000),
    ],
)
def test_bands_are_never_empty_and_of_unit_sum(bands: int, window: int, low: float, high: float, knee: float) -> None:
    weights = triangles(bands, window, low, high, knee)
    assert weights.shape == (window // 2 + 1, bands)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-5)
