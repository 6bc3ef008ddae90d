"""The Frechet distance against its closed form."""

import numpy as np
import pytest

from models.evaluate.frechet import across_halves, frechet


def whitened(count: int, width: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(count, width) of mean exactly 0 and covariance exactly 1."""
    x = np.random.default_rng(seed).standard_normal((count, width))
    x -= x.mean(0)
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return np.asarray(x @ (vectors / np.sqrt(values)) @ vectors.T)


def test_equal_sets_are_at_distance_0() -> None:
    x = np.random.default_rng(0).standard_normal((50, 6))
    assert frechet(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet(x, x[::-1]) == pytest.approx(0, abs=1e-6)


def test_gaussians_are_at_the_distance_of_the_closed_form() -> None:
    x = whitened(400, 5)
    spread, shift = np.array([1.0, 2.0, 0.5, 3.0, 1.5]), np.array([0.3, -1.0, 0.0, 2.0, 0.1])
    wanted = float((shift**2).sum() + ((spread - 1) ** 2).sum())
    assert frechet(x, x * spread + shift) == pytest.approx(wanted, rel=1e-6)
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0]
    assert frechet(x @ turned, (x * spread + shift) @ turned) == pytest.approx(wanted, rel=1e-6)


def test_sets_smaller_than_their_width_stay_finite_and_not_negative() -> None:
    a, b = (np.random.default_rng(k).standard_normal((8, 40)) for k in range(2))
    assert frechet(a, a) == pytest.approx(0, abs=1e-5)
    assert frechet(a, b) > 10


def test_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 2"):
        frechet(np.zeros((1, 3)), np.zeros((5, 3)))


def test_halves_of_one_version_are_nearer_than_halves_of_two() -> None:
    sounds = [np.random.default_rng(k).standard_normal((4, 3)) for k in range(40)]
    same = across_halves(sounds, sounds, 0)
    assert same == across_halves(sounds, sounds, 0)
    assert across_halves(sounds, [x + 2.0 for x in sounds], 0) == pytest.approx(same + 12, rel=0.3)
