"""Emotion scores of a sound, brought to scale on procedural pieces in which one dial is turned at a time.

P pieces, L places of a dial, S numbers in a summary, D dials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evaluate.learned import Regressor

Float = NDArray[np.float64]
Rows = NDArray[np.float32] | NDArray[np.float64]

MILDEST, STRONGEST = 0.5, 2.0
LEAST_END = 1.0
"""A score that moves less than this of 10 is not blown up any further."""


@dataclass(frozen=True)
class Scores:
    """A regressor whose scores are to scale: a dial that goes from 0 to 10 moves its own by 10, in the mean over the
    pieces it was calibrated on. `gain` and `bend`, both (D,), are the factors that do it, and the powers by which the
    mean curves rise. Scores are not unmixed any further than the regressor does: it would take more pieces than there
    is time to render, or add more noise than it takes away.
    """

    regressor: Regressor
    gain: Float
    bend: Float

    @classmethod
    def calibrated(cls, regressor: Regressor, sweeps: list[Rows], places: tuple[float, ...]) -> "Scores":
        """From the sweeps (P, L, S) of each dial over the places, 0 to 10."""
        own = np.stack([changes(regressor, sweep).mean(0)[:, dial] for dial, sweep in enumerate(sweeps)])  # (D, L)
        gain = 10 / np.maximum(own[:, -1], LEAST_END)
        bend = [power(curve, places) for curve in gain[:, None] * own]
        return cls(regressor, gain, np.array(bend))

    def __call__(self, rows: Rows) -> Float:
        """Summaries (P, L, S) of sweeps to how far the scores (P, L, D) have moved from the first place."""
        return np.asarray(changes(self.regressor, rows) * self.gain)

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
