"""The table of words that the evaluation asks for, prompts.toml."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.evaluate import acoustics
from models.evaluate.summary import Sound

TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Contrast:
    """Two prompts, and a measure that is to be larger for the second. The two lists name attributes and layers of
    procedural sounds to which the same applies.
    """

    name: str
    less: str
    more: str
    by: str
    less_has: tuple[str, ...]
    more_has: tuple[str, ...]

    @property
    def measure(self) -> Callable[[Sound], float]:
        """The function that `by` names."""
        return MEASURES[self.by]


MEASURES: dict[str, Callable[[Sound], float]] = {
    f.__name__: f
    for f in (
        acoustics.centroid_hz,
        acoustics.share_above_8_khz,
        acoustics.onsets_per_s,
        acoustics.place_variance,
        acoustics.decorrelation,
        acoustics.flux,
    )
}


@dataclass(frozen=True)
class Prompts:
    """The lists of the table."""

    dials: tuple[str, ...]
    ordinary: tuple[str, ...]
    held: tuple[str, ...]
    long: tuple[str, ...]
    contrasts: tuple[Contrast, ...]


def tupled(row: dict[str, Any]) -> dict[str, Any]:
    """A table of TOML with tuples for its lists."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


@cache
def prompts() -> Prompts:
    """The table. TypeError where a key is unknown or missing, KeyError where a measure is unknown."""
    raw = tomllib.loads(TABLE.read_text())
    contrasts = tuple(Contrast(**tupled(row)) for row in raw.pop("contrasts"))
    for contrast in contrasts:
        MEASURES[contrast.by]
    return Prompts(contrasts=contrasts, **{name: tuple(texts) for name, texts in raw.items()})
