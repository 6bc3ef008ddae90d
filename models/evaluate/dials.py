"""Do the emotion dials move what is heard: in order, evenly, and one at a time?

The score of a sound is a regressor's, fitted on procedural sounds whose dials are known by construction and calibrated
on pieces apart. P prompts, D dials, L places of a dial, S numbers in a summary.
"""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from tqdm import tqdm

from engine.params import EMOTIONS
from models.evaluate.context import Context
from models.evaluate.learned import Regressor
from models.evaluate.plots import curves
from models.evaluate.prompts import prompts
from models.evaluate.renders import turned
from models.evaluate.result import Finding, MissingError, Plot, Row, Table
from models.evaluate.source import spread
from models.evaluate.studio import Piece

PLACES = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
SPEARMAN, UNEVEN, CROSS_TALK = 0.9, 0.25, 0.5
LEAST_SOUNDS = 40

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """What one dial did: scores (P, L, D) over its places."""

    dial: int
    scores: Float

    @property
    def curve(self) -> Float:
        """(L, D): the mean over prompts of how far each score is from where it was at 0."""
        return np.asarray((self.scores - self.scores[:, :1]).mean(0))

    @property
    def spearman(self) -> float:
        """Rank correlation of place and own score, the mean over prompts."""
        own = self.scores[:, :, self.dial]
        return float(np.mean([rank_correlation(row) for row in own]))

    @property
    def unevenness(self) -> float:
        """The largest deviation of a step of the mean curve from the mean step, in mean steps; infinite for none."""
        steps = np.diff(self.curve[:, self.dial])
        return float(np.abs(steps / steps.mean() - 1).max()) if abs(steps.mean()) > 1e-9 else float("inf")

    @property
    def cross_talk(self) -> float:
        """The largest movement of another score over that of the own one, from the first place to any other."""
        reach = np.abs(self.curve).max(0)
        return float(np.delete(reach, self.dial).max() / max(reach[self.dial], 1e-9))


def rank_correlation(row: Float) -> float:
    """Spearman's, of a row and its order; 0 where nothing moves."""
    if np.ptp(row) < 1e-9:
        return 0.0
    return float(scipy.stats.spearmanr(np.arange(len(row)), row).statistic)


def measure(context: Context) -> Finding:
    """Spearman, evenness and cross-talk of each dial, beside those of the procedural sounds themselves."""
    regressor = fitted(context)
    chosen = prompts().dials[: context.count(20, 3)]
    rows, plots, sources = [], [], []
    for dial, name in enumerate(EMOTIONS):
        sweep = Sweep(dial, swept(context, regressor, chosen, dial))
        numbers = range(1000, 1000 + context.count(22, 5))
        source = Sweep(dial, np.stack([regressor(turned(context.source, k, dial, PLACES)) for k in numbers]))
        count = len(chosen) * len(PLACES)
        rows += [
            Row(f"Dial {name}: Spearman of place and score", sweep.spearman, "", 0.0, source.spearman,
                f"at least {SPEARMAN}", sweep.spearman >= SPEARMAN, count),
            Row(f"Dial {name}: unevenness, largest step off the mean step", sweep.unevenness, "", None,
                source.unevenness, f"at most {UNEVEN}", sweep.unevenness <= UNEVEN, count),
            Row(f"Dial {name}: cross-talk, largest other movement over its own", sweep.cross_talk, "", 1.0,
                source.cross_talk, f"below {CROSS_TALK}", sweep.cross_talk < CROSS_TALK, count),
        ]  # fmt: skip
        lines = {f"{e} score": sweep.curve[:, k].tolist() for k, e in enumerate(EMOTIONS)}
        lines["own score, source sounds"] = source.curve[:, dial].tolist()
        picture = curves(PLACES, lines, f"{name} dial", ("dial", "change of the calibrated scores"))
        plots.append(Plot(f"dial-{name}", f"The {name} dial, mean of {len(chosen)} prompts", picture))
        sources.append((name, *(f"{place:.2f}" for place in sweep.curve[:, dial])))
    table = Table("Change of each dial's own score", ("dial", *(f"at {p:g}" for p in PLACES)), tuple(sources))
    remark = (
        "Dials: the score is a ridge regression on statistics of models.features, level included, fitted on "
        "procedural sounds with known dials and on pieces in which one dial was turned, calibrated on other pieces; "
        "the ceiling is the same sweep of procedural renders. One seed a prompt, the other dials at 0."
    )
    return Finding(tuple(rows), (table,), tuple(plots), (remark,))


def fitted(context: Context) -> Regressor:
    """The regressor. MissingError where the data has too few sounds with known dials."""
    known = [entry for entry in context.source.procedural if entry.emotions is not None]
    known = list(spread(known, context.count(10_000, 250)))
    if len(known) < LEAST_SOUNDS:
        raise MissingError(f"needs at least {LEAST_SOUNDS} procedural sounds with known dials in the data")
    dials = np.array([entry.emotions for entry in known])
    pieces = context.count(88, 11)
    moves = [one_turn(context, number) for number in tqdm(range(pieces), "dials of source pieces", disable=None)]
    half = pieces // 2
    moved, turns = (np.concatenate(parts) for parts in zip(*moves[:half], strict=True))
    apart, turns_apart = (np.concatenate(parts) for parts in zip(*moves[half:], strict=True))
    rows = context.source.summaries(known)
    return Regressor.fit(rows, dials, moved, turns).calibrated(apart, turns_apart)


def one_turn(context: Context, number: int) -> tuple[Float, Float]:
    """How a piece's summary (4, S) moves when each dial alone goes from 0 to 10, and those turns (4, 4)."""
    ends = [turned(context.source, number, dial, (0.0, 10.0)) for dial in range(len(EMOTIONS))]
    return np.stack([end[1] - end[0] for end in ends]).astype(np.float64), 10 * np.eye(len(EMOTIONS))


def swept(context: Context, regressor: Regressor, chosen: tuple[str, ...], dial: int) -> Float:
    """Scores (P, L, D) of prompts with one dial at each place and the others at 0."""
    emotions = [tuple(place if k == dial else 0.0 for k in range(len(EMOTIONS))) for place in PLACES]
    pieces = [Piece(words, emotions=felt) for words in chosen for felt in emotions]
    sounds = context.studio.each(pieces, f"{EMOTIONS[dial]} dial")
    scores = regressor(np.stack([context.source.summary(sound) for sound in sounds]))
    return scores.reshape(len(chosen), len(PLACES), len(EMOTIONS))
