"""Every acoustic measure orders sounds of which it is known which has more."""

from collections.abc import Callable

import numpy as np
import pytest

from models.evaluate import acoustics
from tests.models.evaluate.conftest import RATE_HZ, Sound, clicks, panned, sine, white

PAIRS: list[tuple[Callable[[Sound], float], Sound, Sound]] = [
    (acoustics.level_db, sine(440, amplitude=0.05), sine(440)),
    (acoustics.centroid_hz, sine(200), sine(2000)),
    (acoustics.share_above_8_khz, sine(7000), sine(9000)),
    (acoustics.onsets_per_s, clicks(2), clicks(8)),
    (acoustics.onsets_per_s, white(), clicks(1)),
    (acoustics.place_variance, panned(0.0), panned(0.6)),
    (acoustics.decorrelation, sine(440), white()),
    (acoustics.flux, white(), clicks(8)),
    (acoustics.flux, sine(440), clicks(8)),
]


@pytest.mark.parametrize(("measure", "less", "more"), PAIRS)
def test_the_second_has_more(measure: Callable[[Sound], float], less: Sound, more: Sound) -> None:
    assert measure(less) < measure(more)


@pytest.mark.parametrize("measure", [m for m, _, _ in PAIRS if m is not acoustics.level_db])
def test_level_does_not_count(measure: Callable[[Sound], float]) -> None:
    assert measure(clicks(4) * np.float32(0.1)) == pytest.approx(measure(clicks(4)), rel=0.02, abs=1e-9)


def test_known_values() -> None:
    assert acoustics.level_db(sine(1000)) == pytest.approx(-23.01, abs=0.01)
    assert acoustics.centroid_hz(sine(3000)) == pytest.approx(3000, rel=0.02)
    assert acoustics.share_above_8_khz(white()) == pytest.approx(2 / 3, abs=0.01)
    assert acoustics.onsets_per_s(clicks(4)) == pytest.approx(4, abs=0.5)
    assert acoustics.decorrelation(sine(440)) == pytest.approx(0, abs=1e-6)
    assert acoustics.decorrelation(white()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("measure", [m for m, _, _ in PAIRS])
def test_silence_is_finite(measure: Callable[[Sound], float]) -> None:
    assert np.isfinite(measure(np.zeros((2, RATE_HZ), np.float32)))
