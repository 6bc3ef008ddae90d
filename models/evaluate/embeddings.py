"""Two ears that turn a sound into one vector whose distances mean something: the project's own, and the judge's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.index import Entry
from models.evaluate.context import Context
from models.evaluate.judge import Judge
from models.evaluate.learned import Scale
from models.evaluate.source import Source
from models.evaluate.summary import Sound

Float = NDArray[np.float64]


@dataclass
class Ear:
    """Vectors of sounds, (n, E). Where its numbers have units of their own, `scaled` brings each to deviation 1 over
    the sounds of `base`.
    """

    name: str
    key: str
    hear: Callable[[Sound], NDArray[np.float32]]
    source: Source
    scaled: bool
    scale: Scale | None = None

    def base(self, entries: Sequence[Entry]) -> Float:
        """(n, E) of source sounds, by which all others are scaled from then on."""
        rows = self._rows(entries)
        self.scale = Scale.of(rows) if self.scaled else Scale(np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
        return self.scale(rows)

    def entries(self, entries: Sequence[Entry]) -> Float:
        """(n, E) of other source sounds. RuntimeError before `base`."""
        return self._after_base(self._rows(entries))

    def sounds(self, sounds: Sequence[Sound]) -> Float:
        """(n, E) of any sounds. RuntimeError before `base`."""
        return self._after_base(np.stack([self.hear(sound) for sound in sounds]))

    def _rows(self, entries: Sequence[Entry]) -> NDArray[np.float32]:
        return self.source.each(self.key, entries, lambda entry: self.hear(self.source.sound(entry)))

    def _after_base(self, rows: NDArray[np.float32]) -> Float:
        if self.scale is None:
            raise RuntimeError("no base yet")
        return self.scale(rows)


def ears(context: Context) -> list[Ear]:
    """The judge's ear, where there is one, then the own."""
    source = context.source
    own = Ear("own features", "summary", source.summary, source, scaled=True)
    return [judged(source, context.judge), own] if context.judge else [own]


def judged(source: Source, judge: Judge) -> Ear:
    """The judge's mean embedding over a sound, as it is: most of its numbers are 0 for most sounds."""

    def hear(sound: Sound) -> NDArray[np.float32]:
        return np.asarray(judge.hear(sound).embeddings.mean(axis=0))

    return Ear(f"judge {judge.name}", f"embedding by {judge.key}", hear, source, scaled=False)


def mean_distance(rows: Float) -> float:
    """Mean Euclidean distance of all pairs of (n, E)."""
    return float(distances(rows, rows)[np.triu_indices(len(rows), 1)].mean())


def distances(a: Float, b: Float) -> Float:
    """(n, E) and (m, E) to (n, m) Euclidean distances."""
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.asarray(np.sqrt(np.clip(squared, 0.0, None)))
