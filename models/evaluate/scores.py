"""Emotion scores of a sound, calibrated on procedural pieces in which one dial is turned at a time.

P pieces, L places of a dial, S numbers in a summary, D dials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.learned import Regressor

Float = NDArray[np.float64]
Rows = NDArray[np.float32] | NDArray[np.float64]

MILDEST, STRONGEST = 1 / 3, 3.0


@dataclass(frozen=True)
class Scores:
    """A regressor whose scores are unmixed: a dial that goes from 0 to 10 moves its own by 10 and the others by 0, in
    the mean over the pieces it was calibrated on. `bend` (D,) are the powers by which their mean curves rise.
    """

    regressor: Regressor
    unmixing: Float
    """(D, D)"""
    bend: Float

    @classmethod
    def calibrated(cls, regressor: Regressor, sweeps: list[Rows], places: tuple[float, ...]) -> "Scores":
        """From the sweeps (P, L, S) of each dial over the places, 0 to 10."""
        curves = np.stack([changes(regressor, sweep).mean(0) for sweep in sweeps])  # (D, L, D)
        unmixing = 10 * np.linalg.pinv(curves[:, -1])
        own = np.stack([(curve @ unmixing)[:, dial] for dial, curve in enumerate(curves)])  # (D, L)
        return cls(regressor, np.asarray(unmixing), np.array([power(curve, places) for curve in own]))

    def __call__(self, rows: Rows) -> Float:
        """Summaries (P, L, S) of sweeps to how far the scores (P, L, D) have moved from the first place."""
        return np.asarray(changes(self.regressor, rows) @ self.unmixing)

    def straightened(self, curve: Float, dial: int) -> Float:
        """A curve (L,) of one score, bent so that a calibrating piece's mean curve would be straight."""
        return np.asarray(np.sign(curve) * 10 * (np.abs(curve) / 10) ** (1 / self.bend[dial]))


def changes(regressor: Regressor, rows: Rows) -> Float:
    """Raw scores (P, L, D), less those of each piece's first place."""
    wide = np.asarray(rows, np.float64)
    return regressor((wide - wide[:, :1]).reshape(-1, wide.shape[2])).reshape(*wide.shape[:2], -1)


def power(curve: Float, places: tuple[float, ...]) -> float:
    """The exponent in MILDEST..STRONGEST by which 10 (place / 10)^exponent comes nearest to a curve (L,)."""
    tried = np.geomspace(MILDEST, STRONGEST, 200)
    x = np.asarray(places) / 10
    error = np.square(10 * x[:, None] ** tried - curve[:, None]).sum(0)
    return float(tried[np.argmin(error)])
