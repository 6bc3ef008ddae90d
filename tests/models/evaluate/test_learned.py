"""The classifier and the regressor on rows whose labels are known."""

import numpy as np
import pytest

from models.evaluate.learned import Classifier, Regressor, Scale


def test_the_classifier_finds_classes_in_rows_it_never_saw() -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((5, 60))
    labels = np.repeat(np.arange(5), 30)
    shown, apart = (centres[labels] + rng.standard_normal((150, 60)) for _ in range(2))
    classifier = Classifier.fit(shown, labels, 5)
    assert (classifier(apart) == labels).mean() > 0.95
    assert classifier.scores(apart).shape == (150, 5)
    nonsense = Classifier.fit(shown, rng.permutation(labels), 5)
    assert (nonsense(apart) == labels).mean() < 0.5


def test_its_weights_are_those_of_the_direct_formula() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), 20)
    rows = rng.standard_normal((60, 10)) + labels[:, None]
    found = Classifier.fit(rows, labels, 3, shrinkage=0.3)
    x = Scale.of(rows)(rows)
    means = np.stack([x[labels == k].mean(0) for k in range(3)])
    rest = x - means[labels]
    common = 0.7 * rest.T @ rest / 60 + 0.3 * np.square(rest).mean() * np.eye(10)
    assert found.weights == pytest.approx(np.linalg.solve(common, means.T), rel=1e-6)


def test_a_class_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="class 1: must have at least one row"):
        Classifier.fit(np.zeros((4, 3)), np.array([0, 0, 2, 2]), 3)


@pytest.mark.parametrize("width", [20, 400])  # fewer and more numbers than rows
def test_a_calibrated_score_moves_by_1_where_its_dial_does(width: int) -> None:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((2, width))

    def sounds(count: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
        dials = rng.uniform(0, 10, (count, 2))
        return dials, dials @ mixing + rng.standard_normal((count, width))

    dials, rows = sounds(200)
    turns = np.repeat(10 * np.eye(2), 20, axis=0)
    moved, apart = (turns @ mixing + rng.standard_normal((40, width)) for _ in range(2))
    regressor = Regressor.fit(rows, dials, moved, turns).calibrated(apart, turns)
    said = regressor(turns @ mixing)
    assert said == pytest.approx(turns, abs=1.0)
    # Where nothing was to be learned, nothing is claimed.
    assert np.isfinite(Regressor.fit(rows * 0, dials, moved * 0, turns).calibrated(apart * 0, turns)(rows)).all()
