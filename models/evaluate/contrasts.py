"""Do opposite words pull the sound to opposite sides? The same seeds, two prompts, one acoustic measure."""

import numpy as np

from models.data.index import Entry
from models.evaluate.context import Context
from models.evaluate.prompts import Contrast, prompts
from models.evaluate.result import Finding, Row
from models.evaluate.source import spread
from models.evaluate.studio import Piece

GOAL = 0.95
CHANCE = 0.5


def measure(context: Context) -> Finding:
    """For each contrast, the share of seeds in which the order holds."""
    return Finding(tuple(contrast_row(context, contrast) for contrast in prompts().contrasts))


def contrast_row(context: Context, contrast: Contrast) -> Row:
    """Generated pairs of one seed; beside them pairs of source sounds that have the two words."""
    seeds = range(context.count(50, 5))
    sides = [
        [contrast.measure(s) for s in context.studio.each([Piece(words, seed) for seed in seeds], contrast.by)]
        for words in (contrast.less, contrast.more)
    ]
    held = share_in_order(*sides)
    return Row(
        f"Contrast: {contrast.name}", held, "share", CHANCE, ceiling(context, contrast), f"at least {GOAL:.0%}",
        held >= GOAL, 2 * len(seeds), note=f"medians {np.median(sides[0]):.3g} < {np.median(sides[1]):.3g}",
    )  # fmt: skip


def share_in_order(less: list[float], more: list[float]) -> float:
    """The share of pairs in which the second is larger."""
    return float(np.mean([b > a for a, b in zip(less, more, strict=True)]))


def ceiling(context: Context, contrast: Contrast) -> float | None:
    """The share of all pairs of source sounds in which the second is larger; None where there are too few."""
    most = context.count(50, 10)
    sides = []
    for words, other in ((contrast.less_has, contrast.more_has), (contrast.more_has, contrast.less_has)):
        chosen = [entry for entry in context.source.procedural if has(entry, words) and not has(entry, other)]
        if len(chosen) < 3:
            return None
        sides.append(np.array([contrast.measure(context.source.sound(e)) for e in spread(chosen, most)]))
    return float((sides[1][:, None] > sides[0]).mean())


def has(entry: Entry, words: tuple[str, ...]) -> bool:
    """Whether a procedural sound has all of these attributes and layers."""
    return set(words) <= {*entry.attributes, *entry.layers}
