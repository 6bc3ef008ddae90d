"""Do the emotion dials move what is heard: in order, evenly, and one at a time?

The scores of a sound come from a regressor that was fitted on procedural pieces whose dials are known by construction,
calibrated on pieces apart, and held against a third set. P prompts or pieces, D dials, L places of a dial, S
numbers in a summary.
"""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from engine.params import EMOTIONS
from models.evaluate.context import Context
from models.evaluate.learned import Regressor
from models.evaluate.plots import curves
from models.evaluate.prompts import prompts
from models.evaluate.renders import dialled, swept
from models.evaluate.result import Finding, Plot, Row, Table
from models.evaluate.scores import Scores
from models.evaluate.studio import Piece

PLACES = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
SPEARMAN, UNEVEN, CROSS_TALK = 0.9, 0.25, 0.5
CALIBRATING, APART = 1000, 2000
"""The first pieces that calibrate, and the first that make the ceiling."""

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """What one dial did: how far the scores (P, L, D) moved from where they were at 0; and the mean curve (L,) of its
    own score, straightened.
    """

    dial: int
    scores: Float
    straight: Float

    @property
    def curve(self) -> Float:
        """(L, D): the mean over prompts."""
        return np.asarray(self.scores.mean(0))

    @property
    def spearman(self) -> float:
        """Rank correlation of place and own score, of the mean curve."""
        return rank_correlation(self.curve[:, self.dial])

    @property
    def each_spearman(self) -> float:
        """The same of every prompt, the mean: the regressor's own noise lowers it too."""
        return float(np.mean([rank_correlation(row) for row in self.scores[:, :, self.dial]]))

    @property
    def unevenness(self) -> float:
        """The largest deviation of a step of the straight curve from the mean step, in mean steps; infinite if flat."""
        steps = np.diff(self.straight)
        return float(np.abs(steps / steps.mean() - 1).max()) if abs(steps.mean()) > 1e-9 else float("inf")

    @property
    def cross_talk(self) -> float:
        """The largest movement of another score over that of the own one, from the first place to any other."""
        reach = np.abs(self.curve).max(0)
        return float(np.delete(reach, self.dial).max() / max(reach[self.dial], 1e-9))


def sweep_of(scores: Scores, summaries: NDArray[np.float32], dial: int) -> Sweep:
    """From the summaries (P, L, S) of a dial's places."""
    moved = scores(summaries)
    return Sweep(dial, moved, scores.straightened(moved.mean(0)[:, dial], dial))


def rank_correlation(row: Float) -> float:
    """Spearman's, of a row and its order; 0 where nothing moves."""
    if np.ptp(row) < 1e-9:
        return 0.0
    return float(scipy.stats.spearmanr(np.arange(len(row)), row).statistic)


def measure(context: Context) -> Finding:
    """Spearman, evenness and cross-talk of each dial, beside those of the procedural sounds themselves."""
    scores = calibrated(context)
    chosen = prompts().dials[: context.count(20, 3)]
    apart = range(APART, APART + context.count(22, 3))
    rows, plots, cells = [], [], []
    for dial, name in enumerate(EMOTIONS):
        sweep = sweep_of(scores, generated(context, chosen, dial), dial)
        source = sweep_of(scores, swept(context.source, apart, dial, PLACES), dial)
        count = len(chosen) * len(PLACES)
        each = f"of each prompt {sweep.each_spearman:.2f}, of each source piece {source.each_spearman:.2f}"
        rows += [
            Row(f"Dial {name}: Spearman of place and score, mean of prompts", sweep.spearman, "", 0.0, source.spearman,
                f"at least {SPEARMAN}", sweep.spearman >= SPEARMAN, count, each),
            Row(f"Dial {name}: unevenness, largest step off the mean step", sweep.unevenness, "", None,
                source.unevenness, f"at most {UNEVEN}", sweep.unevenness <= UNEVEN, count),
            Row(f"Dial {name}: cross-talk, largest other movement over its own", sweep.cross_talk, "", 1.0,
                source.cross_talk, f"below {CROSS_TALK}", sweep.cross_talk < CROSS_TALK, count),
        ]  # fmt: skip
        lines = {f"{e} score": sweep.curve[:, k].tolist() for k, e in enumerate(EMOTIONS)}
        lines["own, source sounds"] = source.curve[:, dial].tolist()
        picture = curves(PLACES, lines, f"{name} dial", ("dial", "change of the calibrated scores"))
        plots.append(Plot(f"dial-{name}", f"The {name} dial, mean of {len(chosen)} prompts", picture))
        cells.append((name, *(f"{place:.2f}" for place in sweep.straight)))
    table = Table(
        "Change of each dial's own score, straightened", ("dial", *(f"at {p:g}" for p in PLACES)), tuple(cells)
    )
    remark = (
        "Dials: the scores are a regression on statistics of engine.features, level included, fitted on procedural "
        "pieces in which one dial is turned; brought to scale, and straightened for the evenness, on pieces apart. "
        f"The ceiling is the same sweep of {len(apart)} other procedural pieces: where it misses the goal itself, the "
        "score is too coarse to decide. One seed a prompt, the other dials at 0."
    )
    return Finding(tuple(rows), (table,), tuple(plots), (remark,))


def calibrated(context: Context) -> Scores:
    """The scores, from procedural pieces alone."""
    source, dials = context.source, range(len(EMOTIONS))
    ends = [swept(source, range(context.count(132, 22)), dial, (0.0, 10.0)) for dial in dials]
    moved = np.stack([end[:, 1] - end[:, 0] for end in ends], axis=1)  # (P, D, S)
    regressor = Regressor.fit(moved, np.concatenate([end.reshape(-1, end.shape[2]) for end in ends]).std(0))
    numbers = range(CALIBRATING, CALIBRATING + context.count(22, 4))
    return Scores.calibrated(regressor, [swept(source, numbers, dial, PLACES) for dial in dials], PLACES)


def generated(context: Context, chosen: tuple[str, ...], dial: int) -> NDArray[np.float32]:
    """Summaries (P, L, S) of prompts with one dial at each place and the others at 0."""
    pieces = [Piece(words, emotions=dialled(dial, place)) for words in chosen for place in PLACES]
    sounds = context.studio.each(pieces, f"{EMOTIONS[dial]} dial")
    rows = np.stack([context.source.summary(sound) for sound in sounds])
    return rows.reshape(len(chosen), len(PLACES), -1)
