"""Can one hear where a chunk of latents ends and the next begins? Spectral flux there over spectral flux elsewhere.

T latent frames, N samples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Manifest
from engine.control import Values
from engine.timing import HOP
from models.data.descriptions import DESCRIPTIONS
from models.evaluate.acoustics import bands
from models.evaluate.context import Context
from models.evaluate.result import Finding, Row
from models.evaluate.studio import LEAD_IN_FRAMES, Piece
from models.evaluate.summary import Sound

GOAL: Final = 1.05
SECONDS: Final = 16.0


def borders(manifest: Manifest, frames: int, variation: float | None = None) -> list[int]:
    """The first latent frames of all chunks but the first, in a performance of one prompt that is let alone.

    Each chunk begins `overlap_frames` before the end of what there is, given as much context as `variation` leaves
    (engine.player).
    """
    variation = Values.defaults().variation if variation is None else variation
    tied = max(1, round(manifest.context_frames * (1 - 0.75 * variation)))
    found, solid = [], manifest.chunk_frames
    while solid - manifest.overlap_frames < frames:
        found.append(solid - manifest.overlap_frames)
        solid += manifest.chunk_frames - tied - manifest.overlap_frames
    return found


def flux(sound: Sound) -> NDArray[np.float64]:
    """(2, T * HOP) to (T - 2,): change of the log band magnitudes from the window of frame f (two hops) to the next."""
    level = np.log(bands(sound, HOP, 2 * HOP) + 1e-5)
    return np.asarray(np.abs(np.diff(level, axis=0)).mean(axis=1))


def ratio(fluxes: list[NDArray[np.float64]], starts: list[int], overlap: int) -> float:
    """Mean flux around frames where chunks overlap, a window before to a window after, over that elsewhere."""
    here, there = [], []
    for values in fluxes:
        near = np.zeros(len(values), bool)
        for start in starts:
            near[max(start - 2, 0) : start + overlap + 1] = True
        near[:LEAD_IN_FRAMES] = False
        away = ~near
        away[:LEAD_IN_FRAMES] = False
        here.append(values[near])
        there.append(values[away])
    return float(np.concatenate(here).mean() / np.concatenate(there).mean())


def measure(context: Context) -> Finding:
    """The ratio over the descriptions; the same at places without a border, and with chunks that don't go together."""
    manifest = context.bundle.manifest
    texts = DESCRIPTIONS[:: context.count(1, 6)]
    pieces = [Piece(text, seed, SECONDS, whole=True) for seed, text in enumerate(texts)]
    sounds = list(context.studio.each(pieces, "seams"))
    frames = min(sound.shape[1] for sound in sounds) // HOP
    starts = borders(manifest, frames - manifest.overlap_frames - 2)
    step = starts[1] - starts[0]
    between = [start + step // 2 for start in starts[:-1]]
    fluxes = [flux(sound) for sound in sounds]
    value = ratio(fluxes, starts, manifest.overlap_frames)
    # Where there is no border, the same count says 1 but for chance.
    ceiling = ratio(fluxes, between, manifest.overlap_frames)
    cut = [patched(sound, sounds[k - 1], starts) for k, sound in enumerate(sounds)]
    floor = ratio([flux(sound) for sound in cut], starts, manifest.overlap_frames)
    row = Row(
        "Seams: spectral flux at chunk borders over elsewhere", value, "", floor, ceiling, f"at most {GOAL}",
        value <= GOAL, len(sounds), f"{len(starts)} borders a sound",
    )  # fmt: skip
    remark = "Seams: ceiling: the same at places half way between borders; floor: cut at every border to another sound."
    return Finding((row,), remarks=(remark,))


def patched(sound: Sound, other: Sound, starts: list[int]) -> Sound:
    """`sound` and `other` in turn, changing at every border."""
    mixed, samples = sound.copy(), min(sound.shape[1], other.shape[1])
    for first, last in zip(starts[::2], [*starts[1::2], samples // HOP], strict=False):
        mixed[:, first * HOP : min(last * HOP, samples)] = other[:, first * HOP : min(last * HOP, samples)]
    return mixed
