"""Procedural pieces in which one dial is turned and nothing else: what a perfect instrument would do.

P pieces, L places of a dial, S numbers in a summary.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.params import EMOTIONS
from models.data.descriptions import DESCRIPTIONS
from models.data.index import Entry
from models.data.procedural import render
from models.evaluate.source import Source
from models.evaluate.studio import SECONDS

FIRST_SEED = 2**40
"""No data set has seeds from here on."""


def dialled(dial: int, place: float) -> tuple[float, ...]:
    """The four dials with one at a place, 0..10, and the others at 0."""
    return tuple(place if k == dial else 0.0 for k in range(len(EMOTIONS)))


def swept(source: Source, pieces: Sequence[int], dial: int, places: Sequence[float]) -> NDArray[np.float32]:
    """Summaries (P, L, S) of procedural pieces, of the descriptions in turn, with one dial at each of the places."""
    bar = tqdm(pieces, f"renders, {EMOTIONS[dial]}", disable=None)
    return np.stack([[rendered(source, number, dialled(dial, place)) for place in places] for number in bar])


def rendered(source: Source, number: int, emotions: tuple[float, ...]) -> NDArray[np.float32]:
    """The summary (S,) of piece `number` at these dials; rendered once and kept."""
    seed, description = FIRST_SEED + number, number % len(DESCRIPTIONS)
    name = Entry(f"render at {emotions}", seed, description, (), (), None, (), (), (), None)  # lies in no folder

    def work(_: Entry) -> NDArray[np.float32]:
        dials = np.array(emotions, np.float64)
        return source.summary(render(seed, SECONDS, description=description, emotions=dials).audio)

    found: NDArray[np.float32] = source.each("rendered summary", (name,), work, quiet=True)[0]
    return found
