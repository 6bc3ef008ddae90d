"""Ten minutes on one prompt: does level or colour wander off?"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.timing import SAMPLE_RATE_HZ
from models.evaluate.acoustics import centroid_hz, level_db
from models.evaluate.context import Context
from models.evaluate.plots import curves
from models.evaluate.prompts import prompts
from models.evaluate.result import Finding, Plot, Row
from models.evaluate.studio import Piece
from models.evaluate.summary import Sound

LEVEL_DB: Final = 1.0
CENTROID: Final = 0.05

Float = NDArray[np.float64]


def measure(context: Context) -> Finding:
    """The largest drift between the first and the last minute over the prompts, for level and centroid."""
    texts = prompts().long[: context.count(3, 1)]
    minutes, minute_s = context.count(10, 4), context.count(60, 8)
    tracks = {}
    for text in texts:
        (sound,) = context.studio.each([Piece(text, 0, float(minutes * minute_s))], "drift")
        tracks[text] = track(sound, minute_s)
    levels, centroids = (np.array([t[k] for t in tracks.values()]) for k in range(2))  # (prompts, minutes)
    level = np.abs(levels[:, -1] - levels[:, 0])
    colour = np.abs(centroids[:, -1] / centroids[:, 0] - 1)
    usual_level = float(np.abs(np.diff(levels, axis=1)).mean())
    usual_colour = float(np.abs(np.diff(np.log(centroids), axis=1)).mean())
    lasted = f"{minutes} x {minute_s} s"
    rows = (
        Row("Drift of level, first to last minute, worst prompt", float(level.max()), "dB", None, usual_level,
            f"under {LEVEL_DB} dB", bool(level.max() < LEVEL_DB), len(texts), lasted),
        Row("Drift of centroid, first to last minute, worst prompt", float(colour.max()), "share", None, usual_colour,
            f"under {CENTROID:.0%}", bool(colour.max() < CENTROID), len(texts), lasted),
    )  # fmt: skip
    places = [float(k + 1) for k in range(minutes)]
    lines = {text[:24]: (row - row[0]).tolist() for text, row in zip(tracks, levels, strict=True)}
    plot = Plot(
        "drift", f"Level over the first piece of {minute_s} s",
        curves(places, lines, "drift of level", (f"piece of {minute_s} s", "dB")),
    )  # fmt: skip
    return Finding(rows, plots=(plot,), remarks=("Drift: the ceiling is the mean change from one minute to the next.",))


def track(sound: Sound, minute_s: int) -> tuple[Float, Float]:
    """Level in dB and centroid in Hz of every whole minute (of `minute_s` seconds)."""
    size = minute_s * SAMPLE_RATE_HZ
    pieces = [sound[:, k : k + size] for k in range(0, sound.shape[1] - size + 1, size)]
    # Centroids of 8 s at a time: the spectra of a minute would fill memory.
    part = min(8 * SAMPLE_RATE_HZ, size)
    centroids = [np.mean([centroid_hz(p[:, k : k + part]) for k in range(0, size - part + 1, part)]) for p in pieces]
    return np.array([level_db(p) for p in pieces]), np.array(centroids)
