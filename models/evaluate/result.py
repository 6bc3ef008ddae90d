"""What a measure says: rows of the report's table, further tables, plots, and remarks."""

from dataclasses import dataclass
from typing import Final

from PIL import Image

from engine.errors import AeoliaError


class MissingError(AeoliaError):
    """A measure can't be taken: says what it needs."""


@dataclass(frozen=True)
class Row:
    """One line of the report. `floor` is what the worst that is worth comparing scores, `ceiling` the best that can be
    had; None where there is none. `goal` says what must be reached in words, `reached` is None where nothing is asked
    or nothing could be measured. `count` is the number of sounds that were measured.
    """

    measure: str
    value: float | None
    unit: str = ""
    floor: float | None = None
    ceiling: float | None = None
    goal: str = ""
    reached: bool | None = None
    count: int = 0
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table under the summary: all cells are text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Plot:
    """A picture beside the report; `name` is a file name without its ending."""

    name: str
    title: str
    picture: Image.Image


@dataclass(frozen=True, eq=False)
class Finding:
    """All that one measure says."""

    rows: tuple[Row, ...]
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    remarks: tuple[str, ...] = ()


NEEDS_JUDGE: Final = "needs a judge"


def without_judge(measure: str, goal: str) -> Row:
    """The row of what only an outside judge can say, where there is none."""
    return Row(measure, None, goal=goal, note=NEEDS_JUDGE)


def shown(value: float | None) -> str:
    """A number in three digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
