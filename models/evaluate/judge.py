"""An outside judge: a tagging net that had no part in training, given as a folder. It only ever measures.

The folder holds one *.onnx with the input `logmel` (n, 96, 64) float32, fed as `models.evaluate.logmel` says, and the
outputs scores (n, classes) and embeddings (n, E); and one *.csv with a column `display_name`, a row a class.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from engine.bundle import onnx_session, sha256
from engine.errors import AeoliaError
from models.evaluate.logmel import BANDS, PATCH, patches

INPUT, COLUMN = "logmel", "display_name"
TOP: Final = 5

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """What the judge says of a sound of P patches: scores (P, classes), embeddings (P, E)."""

    scores: Float
    embeddings: Float


@dataclass(frozen=True)
class Judge:
    """One thread. `key` tells judges apart; `classes` are the names of what it can hear."""

    name: str
    key: str
    classes: tuple[str, ...]
    session: onnxruntime.InferenceSession

    def hear(self, sound: Float) -> Heard:
        """A sound (2, N) at 48 kHz."""
        return self.look(patches(sound))

    def look(self, patch: Float) -> Heard:
        """Log-mel patches (P, PATCH, BANDS) of a sound."""
        scores, embeddings = self.session.run(None, {INPUT: patch})
        return Heard(scores, embeddings)

    def strongest(self, heard: Heard, count: int = TOP) -> tuple[str, ...]:
        """The classes with the highest mean scores, the highest first."""
        order = np.argsort(heard.scores.mean(axis=0), kind="stable")[::-1]
        return tuple(self.classes[k] for k in order[:count])


def load_judge(folder: Path) -> Judge:
    """The judge in a folder. AeoliaError in one line where it is not what the module says."""
    net, table = _only(folder, "*.onnx"), _only(folder, "*.csv")
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if COLUMN not in (rows.fieldnames or ()):
                raise AeoliaError(f"judge {table}: no column {COLUMN!r}; must be a table with one row a class")
            classes = tuple(row[COLUMN] or "" for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AeoliaError(f"judge {table}: cannot be read: {error}") from None
    session = onnx_session(net)
    inputs = {node.name: node.shape for node in session.get_inputs()}
    if list(inputs) != [INPUT] or inputs[INPUT][1:] != [PATCH, BANDS]:
        raise AeoliaError(f"judge {net}: inputs {inputs}: must be {INPUT!r} of shape (n, {PATCH}, {BANDS})")
    try:
        found = session.run(None, {INPUT: np.zeros((2, PATCH, BANDS), np.float32)})
        shapes = [np.shape(output) for output in found]
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no narrower class in common
        raise AeoliaError(f"judge {net}: does not run: {error}") from None
    wanted = f"must be scores (n, {len(classes)}), as many as {table.name} has rows, and embeddings (n, E)"
    if len(shapes) != 2 or any(len(shape) != 2 or shape[0] != 2 for shape in shapes) or shapes[0][1] != len(classes):
        raise AeoliaError(f"judge {net}: outputs of shapes {shapes} for 2 patches: {wanted}")
    return Judge(net.stem, sha256(net), classes, session)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if len(found) != 1:
        what = f"{len(found)} files" if folder.is_dir() else "no folder"
        raise AeoliaError(f"judge {folder}: {what} {pattern}; must be a folder with exactly one *.onnx and one *.csv")
    return found[0]
