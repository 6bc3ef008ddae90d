"""The front end of judges."""

import numpy as np
import pytest

from models.evaluate.logmel import BANDS, MFCCS, OFFSET, PATCH, log_mel, mel, mel_filters, mfcc, patches
from tests.models.evaluate.conftest import sine, white


def test_patches_are_0_96_s_every_0_48_s() -> None:
    assert patches(white(4.0)).shape == (7, PATCH, BANDS)
    assert patches(white(0.3)).shape == (1, PATCH, BANDS)  # repeated to a second
    assert patches(white(1.0)).dtype == np.float32
    assert (patches(white(2.0))[1] == log_mel(white(2.0))[48:144]).all()


def test_a_tone_is_strongest_in_the_band_of_its_pitch() -> None:
    centres = np.linspace(mel(125), mel(7500), BANDS + 2)[1:-1]
    for hz in (250, 1000, 4000):
        wanted = int(np.argmin(np.abs(centres - mel(hz))))
        assert abs(int(log_mel(sine(hz)).mean(0).argmax()) - wanted) <= 1


def test_silence_is_the_logarithm_of_the_offset() -> None:
    assert patches(np.zeros((2, 48_000), np.float32)) == pytest.approx(np.log(OFFSET))


def test_filters_leave_out_0_hz_and_are_at_most_1() -> None:
    assert not mel_filters()[0].any()
    assert 0.9 < mel_filters().max() <= 1


def test_mfccs_tell_tone_from_noise() -> None:
    tone, noise, again = (mfcc(patches(sound)) for sound in (sine(500), white(), white(seed=1)))
    assert tone.shape == (3, 2 * MFCCS)
    assert np.linalg.norm(noise.mean(0) - again.mean(0)) < 0.1 * np.linalg.norm(noise.mean(0) - tone.mean(0))


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 samples"):
        patches(np.zeros((2, 0), np.float32))
