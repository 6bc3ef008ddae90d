"""What the encoder hears of sounds that are known."""

import math

import pytest
import torch

from engine.synthesis import HOP, SAMPLE_RATE_HZ
from models.features import (
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
    triangles,
)

PITCH = slice(0, PITCH_BANDS)
LEFT = slice(PITCH.stop, PITCH.stop + COLOUR_BANDS)
RIGHT = slice(LEFT.stop, LEFT.stop + COLOUR_BANDS)
SIDE = slice(RIGHT.stop, RIGHT.stop + SIDE_BANDS)
ONSET = slice(SIDE.stop, FEATURES)


@pytest.fixture(scope="module")
def features() -> Features:
    return Features()


def sound(frames: int = 12) -> torch.Tensor:
    return 0.1 * torch.randn(1, 2, frames * HOP, generator=torch.Generator().manual_seed(0))


def test_silence_is_the_floor(features: Features) -> None:
    said = features(torch.zeros(2, 2, 5 * HOP))
    assert said.shape == (2, FEATURES, 5)
    torch.testing.assert_close(said, torch.full_like(said, math.log(FLOOR)))


def test_twice_as_loud_is_log_4_more(features: Features) -> None:
    louder = features(2 * sound()) - features(sound())
    torch.testing.assert_close(louder, torch.full_like(louder, math.log(4)), atol=0.02, rtol=0)


def test_level_is_that_of_the_mean_square(features: Features) -> None:
    said = features(sound())[:, LEFT, 3:-3].exp().mean()
    assert said == pytest.approx(0.01, rel=0.1)


def test_left_right_and_side_are_told_apart(features: Features) -> None:
    left = sound()
    left[:, 1] = 0
    mono = sound()
    mono[:, 1] = mono[:, 0]
    assert (features(left)[:, RIGHT] == math.log(FLOOR)).all()
    assert (features(left)[:, LEFT] > math.log(FLOOR) + 3).all()
    assert (features(mono)[:, SIDE] == math.log(FLOOR)).all()


@pytest.mark.parametrize("frame", [0, 4, 11])
@pytest.mark.parametrize("look", range(ONSET_LOOKS))
def test_a_click_is_heard_in_its_frame_and_look(features: Features, frame: int, look: int) -> None:
    click = torch.zeros(1, 2, 12 * HOP)
    click[..., frame * HOP + (2 * look + 1) * HOP // (2 * ONSET_LOOKS)] = 1
    onset = features(click)[0, ONSET].unflatten(0, (ONSET_LOOKS, ONSET_BANDS)).mean(1)  # (looks, T)
    assert onset.T.flatten().argmax() == frame * ONSET_LOOKS + look
    if 0 < frame < 11:
        assert features(click)[0, PITCH].mean(0).argmax() == frame


@pytest.mark.parametrize("hz", [50.0, 220.0, 1000.0, 3500.0])
def test_a_tone_is_loudest_in_the_band_around_it(features: Features, hz: float) -> None:
    tone = 0.3 * torch.sin(2 * torch.pi * hz / SAMPLE_RATE_HZ * torch.arange(8 * HOP)).expand(1, 2, -1)
    band = features(tone)[0, PITCH, 4].argmax()
    centre = (features.pitch[:, band] * torch.linspace(0, SAMPLE_RATE_HZ / 2, PITCH_WINDOW // 2 + 1)).sum()
    assert abs(centre - hz) < 0.06 * hz + SAMPLE_RATE_HZ / PITCH_WINDOW


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
    torch.testing.assert_close(weights.sum(0), torch.ones(bands))
