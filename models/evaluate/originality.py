"""Is a generated sound a training sound that came back? Its distance to the nearest one, over the same distance of real
sounds that were held out; and the correlation with what is nearest, at any shift in time.

T frames of a log-mel spectrogram.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.descriptions import DESCRIPTIONS
from models.data.index import Entry
from models.data.procedural import render
from models.evaluate.context import Context
from models.evaluate.embeddings import distances, ears
from models.evaluate.logmel import log_mel
from models.evaluate.renders import FIRST_SEED
from models.evaluate.result import Finding, MissingError, Row
from models.evaluate.source import spread
from models.evaluate.studio import SECONDS, Piece
from models.evaluate.summary import Sound

GOAL: Final = 0.8
COPY: Final = 0.9
"""A correlation from here on is a copy, unless real sounds that were held out reach it too."""
NEAREST: Final = 3
LEAST_OVERLAP: Final = 200
"""Frames, 2 s: less may be alike by chance."""
SHIFT: Final = 2
WHOLE_S: Final = 6.0
NUMBERS_FROM: Final = 10_000

Float = NDArray[np.float64]


def measure(context: Context) -> Finding:
    """One group asks for procedural sounds, the other for recordings and instruments, where some are held out."""
    training = spread(context.source.entries, context.count(100_000, 150))
    if len(training) < 2 * NEAREST:
        raise MissingError(f"needs at least {2 * NEAREST} training sounds in the data")
    count = context.count(66, 8)
    groups: dict[str, tuple[list[Sound], list[str]]] = {"procedural": fresh(count)}
    if apart := spread(context.source.held_out, count):
        groups["recordings"] = [context.source.sound(e) for e in apart], [e.captions[0] for e in apart]
    rows: list[Row] = []
    made = {
        name: list(context.studio.each([Piece(text, k) for k, text in enumerate(texts)], f"originality, {name}"))
        for name, (_, texts) in groups.items()
    }
    for ear in ears(context):
        base = ear.base(training)
        for name, (real, _) in groups.items():
            ours, theirs = (distances(ear.sounds(sounds), base) for sounds in (made[name], real))
            value = float(np.median(ours.min(1)) / np.median(theirs.min(1)))
            rows.append(
                Row(f"Originality: nearest training sound over that of held-out ones, {name}, {ear.name}", value, "",
                    0.0, 1.0, f"at least {GOAL}", value >= GOAL, len(ours))
            )  # fmt: skip
            if ear.name == "own features":  # the last ear
                rows.append(copies(context, name, training, (made[name], ours), (real, theirs)))
    everything = len(context.source.entries)
    remark = (
        f"Originality: {len(training)} training sounds of {everything}"
        + ("; with all of them every distance is smaller" if len(training) < everything else "")
        + ". The correlation is that of log-mel spectrograms less each band's mean, over at least "
        f"{LEAST_OVERLAP / 100:g} s at the best shift, with the {NEAREST} nearest by own features; floor: a copy."
    )
    return Finding(tuple(rows), remarks=(remark,))


def fresh(count: int) -> tuple[list[Sound], list[str]]:
    """Procedural sounds of seeds that no data set has, and a caption of each."""
    made = [render(FIRST_SEED + NUMBERS_FROM + k, SECONDS, description=k % len(DESCRIPTIONS)) for k in range(count)]
    return [sound.audio for sound in made], [sound.captions[-1] for sound in made]


def copies(
    context: Context,
    name: str,
    training: Sequence[Entry],
    ours: tuple[list[Sound], Float],
    theirs: tuple[list[Sound], Float],
) -> Row:
    """The highest correlation of a generated sound with a training sound, beside that of the held-out ones."""

    def highest(sounds: list[Sound], far: Float) -> float:
        found = []
        for sound, row in zip(sounds, far, strict=True):
            near = [training[k] for k in np.argsort(row)[:NEAREST]]
            found += [aligned_correlation(sound, context.source.sound(entry, WHOLE_S)) for entry in near]
        return max(found)

    value, ceiling = highest(*ours), highest(*theirs)
    return Row(
        f"Originality: highest correlation with a training sound, {name}", value, "", 1.0, ceiling,
        f"below {COPY}, or no more than held-out sounds", value < COPY or value <= ceiling, len(ours[0]),
    )  # fmt: skip


def aligned_correlation(a: Sound, b: Sound) -> float:
    """The highest correlation, -1..1, of two log-mel spectrograms less each band's mean, over all shifts that leave
    LEAST_OVERLAP frames in common; 0 where there are fewer.
    """
    x, y = (rows - rows.mean(axis=0) for rows in (log_mel(a), log_mel(b)))
    if min(len(x), len(y)) < LEAST_OVERLAP:
        return 0.0
    best = -1.0
    for shift in range(LEAST_OVERLAP - len(y), len(x) - LEAST_OVERLAP + 1, SHIFT):
        left, right = x[max(shift, 0) : shift + len(y)], y[max(-shift, 0) : len(x) - shift]
        power = float(np.sqrt(np.square(left).sum() * np.square(right).sum()))
        best = max(best, float((left * right).sum()) / max(power, 1e-9))
    return best
