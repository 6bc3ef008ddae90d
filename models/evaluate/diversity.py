"""Do the seeds of one prompt differ as real sounds with that caption do?"""

from typing import Final

import numpy as np

from models.data.descriptions import DESCRIPTIONS
from models.evaluate.context import Context
from models.evaluate.embeddings import ears, mean_distance
from models.evaluate.result import Finding, MissingError, Row, Table
from models.evaluate.source import spread
from models.evaluate.studio import Piece

GOAL: Final = 0.7
LEAST: Final = 4


def measure(context: Context) -> Finding:
    """Mean pairwise distance of the seeds over that of the source sounds, by every ear there is."""
    entries, seeds = context.source.procedural, context.count(20, 5)
    numbers = range(0, len(DESCRIPTIONS), context.count(4, 11))
    real = {k: spread([entry for entry in entries if entry.description == k], seeds) for k in numbers}
    real = {k: group for k, group in real.items() if len(group) >= LEAST}
    if not real:
        raise MissingError(f"needs at least {LEAST} procedural sounds of a description in the data")
    made = {
        k: list(context.studio.each([Piece(DESCRIPTIONS[k], seed) for seed in range(len(group))], "diversity"))
        for k, group in real.items()
    }
    rows, tables = [], []
    for ear in ears(context):
        ear.base(spread(entries, context.count(600, 60)))
        ratios = {k: mean_distance(ear.sounds(made[k])) / mean_distance(ear.entries(real[k])) for k in real}
        value = float(np.mean(list(ratios.values())))
        rows.append(
            Row(f"Diversity of seeds over that of real sounds, {ear.name}", value, "", 0.0, 1.0, f"at least {GOAL}",
                value >= GOAL, sum(map(len, made.values())))
        )  # fmt: skip
        cells = tuple((DESCRIPTIONS[k], f"{ratio:.2f}") for k, ratio in ratios.items())
        tables.append(Table(f"Diversity by description, {ear.name}", ("description", "ratio"), cells))
    remark = (
        "Diversity: the dials are at 0 for generated sounds; the real ones have any, which adds to their distances."
    )
    return Finding(tuple(rows), tuple(tables), remarks=(remark,))
