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
    """Ridge regression of dials. Scores of one piece may be compared; those of two pieces differ by more than dials."""

    deviation: Float
    weights: Float
    """(S, D)"""

    @classmethod
    def fit(cls, rows: Rows, dials: Rows, moved: Rows, turned: Rows, ridge: float = 300.0) -> "Regressor":
        """From sounds (n, S) with dials (n, D), and from pieces whose summary moved (m, S) as dials turned (m, D)."""
        scale, wanted = Scale.of(rows), np.asarray(dials, np.float64)
        x = np.concatenate([scale(rows), moved / scale.deviation])
        y = np.concatenate([wanted - wanted.mean(0), turned])
        if len(x) < x.shape[1]:
            weights = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), y)
        else:
            weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
        return cls(scale.deviation, np.asarray(weights))

    def __call__(self, rows: Rows) -> Float:
        """(n, S), summaries or differences of them, to scores (n, D)."""
        return np.asarray(np.asarray(rows, np.float64) / self.deviation @ self.weights)
