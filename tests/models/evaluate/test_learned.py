"""The classifier, the regressor and its calibration on rows whose labels are known."""

import numpy as np
import pytest

from models.evaluate.learned import Classifier, Float, Regressor, Scale
from models.evaluate.scores import Scores, power


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
def test_a_dial_that_turns_moves_its_own_score_alone_and_evenly(width: int) -> None:
    rng = np.random.default_rng(2)
    mixing = rng.standard_normal((2, width))
    mixing[1] += mixing[0]  # the dials sound alike
    places = (0.0, 2.5, 5.0, 7.5, 10.0)

    def sweeps(pieces: int) -> list[Float]:
        """Both dials act by the square of where they stand; each piece has a colour of its own."""
        found = []
        for dial in range(2):
            dials = np.zeros((1, len(places), 2))
            dials[:, :, dial] = np.square(places) / 10
            colour = 5 * rng.standard_normal((pieces, 1, width))
            found.append(dials @ mixing + colour + rng.standard_normal((pieces, len(places), width)))
        return found

    moved = np.stack([sweep[:, -1] - sweep[:, 0] for sweep in sweeps(20)], axis=1)
    regressor = Regressor.fit(moved, np.ones(width))
    scores = Scores.calibrated(regressor, sweeps(40), places)
    assert scores.bend == pytest.approx([2, 2], rel=0.15)
    for dial, sweep in enumerate(sweeps(40)):
        curve = scores(sweep).mean(0)
        assert curve[0] == pytest.approx([0, 0])
        assert curve[:, dial] == pytest.approx(np.square(places) / 10, abs=0.5)
        assert curve[:, 1 - dial] == pytest.approx(0, abs=0.5)
        assert np.diff(scores.straightened(curve[:, dial], dial)) == pytest.approx(2.5, abs=0.6)


def test_a_power_is_that_of_its_curve() -> None:
    places = (0.0, 5.0, 10.0)
    assert power(np.array([0.0, 5.0, 10.0]), places) == pytest.approx(1, rel=0.01)
    assert power(np.array([0.0, 2.5, 10.0]), places) == pytest.approx(2, rel=0.01)
    assert power(np.array([0.0, 0.0, 10.0]), places) == pytest.approx(2)
