"""Sounds of a bundle as its listener hears them, made through the engine's offline path, each once and kept on disk.

N samples.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from tqdm import tqdm

from engine.bundle import Bundle
from engine.control import Values
from engine.generator import Make, sampler_of
from engine.offline import perform_blocks
from engine.params import EMOTIONS
from engine.record import part_of
from engine.stream import nets_of
from models.evaluate.summary import Sound

SECONDS: Final = 4.0
STEPS: Final = 2
LEAD_IN_FRAMES: Final = 12
"""Latent frames left out at the start, a quarter of a second: the sound is still fading in."""
VERSION: Final = 1
"""Another one makes every sound anew."""
REST: Final = (0.0,) * len(EMOTIONS)


@dataclass(frozen=True)
class Piece:
    """What is to be made. `emotions` are the four dials, 0..10; `whole` keeps the lead-in."""

    words: str
    seed: int = 0
    seconds: float = SECONDS
    emotions: tuple[float, ...] = REST
    steps: int = STEPS
    whole: bool = False


class Studio:
    """The sounds of one bundle, kept in `folder` under the checksums of its nets. One thread."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self.bundle = bundle
        self.folder = folder / checksum(bundle)[:16]
        self._make: Make | None = None

    def each(self, pieces: Iterable[Piece], what: str) -> Iterator[Sound]:
        """The pieces (2, N), in their order; those that are not kept yet are made."""
        for piece in tqdm(list(pieces), what, unit="sound", disable=None):
            yield self.sound(piece)

    def sound(self, piece: Piece) -> Sound:
        """One piece (2, N), as 16 bit hold it."""
        manifest = self.bundle.manifest
        path = self.folder / f"{digest(VERSION, asdict(piece))[:24]}.flac"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(path)
            try:
                soundfile.write(part, self._made(piece).T, manifest.sample_rate, format="FLAC", subtype="PCM_16")
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        kept = soundfile.read(path, dtype="float32", always_2d=True)[0]
        return np.ascontiguousarray(kept.T)

    def _made(self, piece: Piece) -> Sound:
        if self._make is None:
            self._make = sampler_of(self.bundle)
        manifest = self.bundle.manifest
        lead_in = 0 if piece.whole else LEAD_IN_FRAMES * manifest.hop_samples
        samples = round(piece.seconds * manifest.sample_rate) + lead_in
        blocks = perform_blocks(
            nets_of(self.bundle, piece.seed), self._make, values_of(self.bundle, piece), (), samples, seed=piece.seed
        )
        return np.concatenate(list(blocks))[lead_in:].T


def values_of(bundle: Bundle, piece: Piece) -> Values:
    """What every parameter is set to for a piece; AeoliaError where it is out of range."""
    values = Values.defaults().set("/prompt/a/text", piece.words).set("/generator/seed", piece.seed)
    values = values.set("/generator/steps", piece.steps)
    values = values.set("/generator/guidance", bundle.manifest.default_guidance)
    for name, dial in zip(EMOTIONS, piece.emotions, strict=True):
        values = values.set(f"/emotion/{name}", dial)
    return values


def checksum(bundle: Bundle) -> str:
    """One checksum of all files of a bundle and of what its manifest says about how it is played."""
    manifest = bundle.manifest
    files = {role: file.sha256 for role, file in manifest.files.items()}
    frames = (manifest.chunk_frames, manifest.context_frames, manifest.overlap_frames, manifest.default_guidance)
    return digest(files, frames)


def digest(*values: object) -> str:
    """The SHA-256 of JSON-able values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
