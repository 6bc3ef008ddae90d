"""Summaries: what they depend on and what not."""

import numpy as np
import pytest

from models.evaluate.summary import SIZE, Summary, modulation
from tests.models.evaluate.conftest import sine, white


@pytest.fixture(scope="module")
def summary() -> Summary:
    return Summary()


def test_level_is_in_the_last_number_alone(summary: Summary) -> None:
    loud, soft = summary(white()), summary(white() / 8)
    assert loud.shape == (SIZE,)
    assert np.isfinite(loud).all()
    assert soft[:-1] == pytest.approx(loud[:-1], abs=1e-3)
    assert loud[-1] - soft[-1] == pytest.approx(np.log(8), abs=1e-3)


def test_two_draws_of_noise_are_nearer_than_noise_and_tone(summary: Summary) -> None:
    a, b, tone = summary(white()), summary(white(seed=1)), summary(sine(440))
    assert np.linalg.norm(a - b) < 0.2 * np.linalg.norm(a - tone)


def test_what_pans_has_more_movement(summary: Summary) -> None:
    still = white(4.0)
    turn = np.linspace(0, 4 * np.pi, still.shape[1])
    moving = (still * np.stack([np.cos(turn / 2), np.sin(turn / 2)])).astype(np.float32)
    assert (summary(moving)[-4:-1] > 3 * summary(still)[-4:-1]).all()


@pytest.mark.parametrize("hz", [3.0, 12.0])
def test_modulation_lies_in_its_octave(hz: float) -> None:
    frames = 375  # 8 s
    t = np.arange(frames * 4) / 187.5
    looks = np.repeat(np.sin(2 * np.pi * hz * t)[None], 24, axis=0).reshape(24, frames, 4)
    power = modulation(looks.transpose(2, 0, 1).reshape(96, frames).astype(np.float32)).reshape(-1, 4).mean(1)
    assert power.argmax() == (2 if hz == 3.0 else 4)


def test_silence_has_a_summary_and_a_click_has_none(summary: Summary) -> None:
    assert np.isfinite(summary(np.zeros((2, 48_000), np.float32))).all()
    with pytest.raises(ValueError, match="at least"):
        summary(np.zeros((2, 4800), np.float32))
