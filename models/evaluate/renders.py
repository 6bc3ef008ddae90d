"""Procedural pieces in which one dial is turned and nothing else: what a perfect instrument would do.

D dials, S numbers in a summary.
"""

import numpy as np
from numpy.typing import NDArray

from models.data.descriptions import DESCRIPTIONS
from models.data.index import Entry
from models.data.procedural import render
from models.evaluate.source import Source
from models.evaluate.studio import SECONDS
from models.evaluate.summary import Sound

FIRST_SEED = 2**40
"""No data set has seeds from here on."""


def piece(number: int, emotions: NDArray[np.float64]) -> Sound:
    """Piece `number`, of the descriptions in turn, at these dials (4,)."""
    return render(FIRST_SEED + number, SECONDS, description=number % len(DESCRIPTIONS), emotions=emotions).audio


def turned(source: Source, number: int, dial: int, places: tuple[float, ...]) -> NDArray[np.float32]:
    """Summaries (places, S) of a piece with one dial at each of the places, 0..10, and the others at 0; kept."""
    entries = [_entry(number, dial, place) for place in places]
    at = dict(zip((e.file for e in entries), places, strict=True))

    def heard(entry: Entry) -> NDArray[np.float32]:
        emotions = np.zeros(4)
        emotions[dial] = at[entry.file]
        return source.summary(piece(number, emotions))

    return source.each("rendered summary", entries, heard, quiet=True)


def _entry(number: int, dial: int, place: float) -> Entry:
    """A name for a render that lies in no folder."""
    name = f"render of dial {dial} at {place:g}"
    return Entry(name, FIRST_SEED + number, number % len(DESCRIPTIONS), (), (), None, (), (), (), None)
