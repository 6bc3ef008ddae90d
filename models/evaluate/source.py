"""The real sounds: those of the data folder, trained on and held out, with their summaries kept on disk.

N samples, S numbers in a summary.
"""

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from engine.errors import AeoliaError
from engine.record import part_of
from engine.timing import SAMPLE_RATE_HZ
from models.data.index import HELD_OUT, Entry, load_index
from models.evaluate.studio import SECONDS, digest
from models.evaluate.summary import SIZE, Sound, Summary, Vector

START_S: Final = 1.0
"""Where a piece is cut out of a sound, if it is long enough."""
APART: Final = 5
"""One procedural sound in so many is not shown to the classifier and the regressor of the evaluation."""
VERSION: Final = 1
"""Another one works every summary out anew."""
BLOCK: Final = 100
"""Sounds whose rows are kept together: what an interrupted run loses at most."""


class Source:
    """A data folder. Everything that is worked out lies in `kept`. One thread."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder, self.kept = folder, kept
        self._summary = Summary()

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The sounds that were trained on. AeoliaError where there are none."""
        if not (self.folder / "index.jsonl").exists():
            raise AeoliaError(f"{self.folder}: no training sounds; must be made by `aeolia data`")
        return tuple(load_index(self.folder))

    @cached_property
    def held_out(self) -> tuple[Entry, ...]:
        """The recordings and notes that were not, none where the folder has no such list."""
        return tuple(load_index(self.folder, HELD_OUT)) if (self.folder / HELD_OUT).exists() else ()

    @property
    def procedural(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.source == "procedural")

    def sound(self, entry: Entry, seconds: float = SECONDS) -> Sound:
        """(2, N): a piece of a sound, shorter where it is; the same one each time."""
        path, wanted = self.folder / entry.file, round(seconds * SAMPLE_RATE_HZ)
        try:
            frames = soundfile.info(path).frames
            start = min(round(START_S * SAMPLE_RATE_HZ), max(frames - wanted, 0))
            found = soundfile.read(path, wanted, start, dtype="float32", always_2d=True)[0]
        except soundfile.LibsndfileError as error:
            raise AeoliaError(f"{path}: {error.error_string}") from None
        return np.ascontiguousarray(found.T)

    def summaries(self, entries: Sequence[Entry]) -> Vector:
        """(M, S) of the pieces of these sounds."""
        found = self.each("summary", entries, lambda entry: self._summary(self.sound(entry)))
        return found.reshape(len(entries), SIZE)

    def summary(self, sound: Sound) -> Vector:
        """(S,) of any sound."""
        return self._summary(sound)

    def each(
        self,
        what: str,
        entries: Sequence[Entry],
        work: Callable[[Entry], NDArray[np.float32]],
        *,
        quiet: bool = False,
    ) -> NDArray[np.float32]:
        """Rows of equal shape, one an entry, worked out once and kept, BLOCK at a time; `what` names them and what they
        depend on.
        """
        if len(entries) > BLOCK:
            blocks = [entries[k : k + BLOCK] for k in range(0, len(entries), BLOCK)]
            bar = tqdm(blocks, f"{what.partition(' ')[0]} of sources, by {BLOCK}", disable=True if quiet else None)
            return np.concatenate([self.each(what, block, work, quiet=True) for block in bar])
        index = self.folder / "index.jsonl"
        made_at = index.stat().st_mtime_ns if index.exists() else 0
        name = digest(VERSION, what, made_at, [(entry.file, entry.seed) for entry in entries])
        path = self.kept / f"{name[:24]}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            named = f"{what.partition(' ')[0]} of sources"
            rows = [work(entry) for entry in tqdm(entries, named, disable=True if quiet else None)]
            part = part_of(path)
            try:
                np.save(part, np.stack(rows) if rows else np.zeros((0, 0), np.float32))
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        kept: NDArray[np.float32] = np.load(path)
        return kept


def is_apart(entry: Entry) -> bool:
    """Whether a procedural sound is kept from the evaluation's own classifier and regressor; both of a pair are."""
    return entry.seed % APART == 0


def spread(entries: Sequence[Entry], count: int) -> tuple[Entry, ...]:
    """At most `count` of the entries, evenly over their order."""
    if len(entries) <= count:
        return tuple(entries)
    return tuple(entries[k * len(entries) // count] for k in range(count))
