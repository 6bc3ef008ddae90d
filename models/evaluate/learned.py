"""The evaluation's own classifier and regressor, fitted on summaries of source sounds and never on generated ones.

n rows, S numbers in a summary, K classes, D dials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Rows = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Brings every number of a summary to mean 0 and deviation 1 over the rows it was fitted on."""

    mean: Float
    deviation: Float

    @classmethod
    def of(cls, rows: Rows) -> "Scale":
        """From (n, S)."""
        wide = np.asarray(rows, np.float64)
        return cls(wide.mean(0), wide.std(0) + 1e-6)

    def __call__(self, rows: Rows) -> Float:
        return np.asarray((np.asarray(rows, np.float64) - self.mean) / self.deviation)


@dataclass(frozen=True)
class Classifier:
    """Linear discriminant analysis, the common covariance shrunk towards a multiple of the identity (Friedman 1989)."""

    scale: Scale
    weights: Float
    """(S, K)"""
    offsets: Float
    """(K,)"""

    @classmethod
    def fit(cls, rows: Rows, labels: NDArray[np.int64], classes: int, shrinkage: float = 0.05) -> "Classifier":
        """From (n, S) and labels (n,) in 0..classes - 1. ValueError where a class has no row."""
        present = np.bincount(labels, minlength=classes)
        if not present.all():
            raise ValueError(f"class {int(np.argmin(present))}: must have at least one row")
        scale = Scale.of(rows)
        x = scale(rows)
        means = np.stack([x[labels == k].mean(0) for k in range(classes)])
        rest = x - means[labels]
        # The rows span fewer directions than S: (c I + r'r)^-1 by the n x n system of the Woodbury identity.
        ridge = shrinkage * np.square(rest).sum() / rest.size + 1e-9
        r = rest * np.sqrt((1 - shrinkage) / len(rest))
        inner = ridge * np.eye(len(r)) + r @ r.T
        weights = (means.T - r.T @ np.linalg.solve(inner, r @ means.T)) / ridge
        return cls(scale, weights, -0.5 * (means.T * weights).sum(0))

    def scores(self, rows: Rows) -> Float:
        """(n, S) to (n, K): the higher, the likelier."""
        return np.asarray(self.scale(rows) @ self.weights + self.offsets)

    def __call__(self, rows: Rows) -> NDArray[np.int64]:
        """(n, S) to the likeliest class (n,)."""
        return np.asarray(self.scores(rows).argmax(1), np.int64)


@dataclass(frozen=True)
class Regressor:
    """How far dials were turned, from how far a summary moved: multivariate calibration (Brown 1982, "Multivariate
    calibration", the generalised least squares estimator), with the noise's covariance shrunk towards its diagonal.
    """

    weights: Float
    """(S, D)"""

    @classmethod
    def fit(cls, moved: Rows, deviation: Rows, shrinkage: float = 0.5, floor: float = 0.02) -> "Regressor":
        """From how the summaries of n pieces moved, (n, D, S), as each of the D dials alone went from 0 to 10; the
        deviation (S,) of the numbers over sounds makes them comparable. `floor` is the part of the mean variance that
        every number has at least.
        """
        unit = 1 / (np.asarray(deviation, np.float64) + 1e-6)
        x = np.asarray(moved, np.float64) * unit
        response = x.mean(0)  # (D, S)
        noise = (x - response).reshape(-1, x.shape[2])
        covariance = (1 - shrinkage) * noise.T @ noise / len(noise)
        variance = np.square(noise).mean(0)
        np.einsum("ss->s", covariance)[:] += shrinkage * variance + floor * variance.mean() + 1e-9
        heard = np.linalg.solve(covariance, response.T)  # (S, D)
        return cls(unit[:, None] * 10 * heard @ np.linalg.pinv(response @ heard))

    def __call__(self, rows: Rows) -> Float:
        """Differences of summaries (n, S) of one piece to differences of its dials (n, D)."""
        return np.asarray(np.asarray(rows, np.float64) @ self.weights)
