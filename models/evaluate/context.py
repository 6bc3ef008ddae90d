"""What every measure is given."""

from dataclasses import dataclass
from pathlib import Path

from engine.bundle import Bundle
from models.evaluate.judge import Judge
from models.evaluate.source import Source
from models.evaluate.studio import Studio


@dataclass(frozen=True)
class Context:
    """One evaluation of one bundle. `work` is the folder with data and checkpoints; `bench` a file that `aeolia bench
    --json` wrote; `before` a folder with sounds of the presets by an earlier bundle, NAME.flac. `quick` is a small
    subset, for trying out.
    """

    bundle: Bundle
    work: Path
    source: Source
    studio: Studio
    judge: Judge | None = None
    bench: Path | None = None
    quick: bool = False
    before: Path | None = None

    def count(self, full: int, quick: int) -> int:
        """So many in earnest, so many when trying out."""
        return quick if self.quick else full
