"""A picture of a sound: the spectrogram of each channel with its axes, under it what was being played.

Short-time Fourier transform with a Hann window of 4,096 samples, each column of the picture one window; dB below the
loudest point; frequency on a logarithmic axis.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.cli.sounds import part_of

Float = NDArray[np.float32]
Mark = tuple[float, str]
"""A time in seconds and what happens then."""
Lane = tuple[str, NDArray[np.float64], tuple[float, float]]
"""A curve over the whole sound: its name, its values at equal distances, its range."""

WINDOW = 4096
LOW_HZ = 30.0
FLOOR_DB = -80.0
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
PANEL, LANE, LEFT, RIGHT, TOP = (1200, 300), 34, 90, 90, 60
# Anchors of the colour map, dark to light, close to matplotlib's "magma" (CC0)
COLOURS = np.array(
    [
        (0, 0, 4),
        (28, 16, 68),
        (79, 18, 123),
        (129, 37, 129),
        (181, 54, 122),
        (229, 80, 100),
        (251, 135, 97),
        (254, 194, 135),
        (252, 253, 191),
    ],
    np.float64,
)
INK, FAINT = (30, 30, 34), (150, 150, 158)


def power_db(channel: Float, rate_hz: int, columns: int, rows: int) -> NDArray[np.float64]:
    """(N,) samples to (rows, columns) dB, not normalised: rows from high to low frequency on a logarithmic axis.

    A row takes the strongest bin that falls into it; below the resolution of the window, the line between two bins.
    """
    padded = np.pad(channel, WINDOW // 2)
    starts = np.linspace(0, max(len(padded) - WINDOW, 0), columns).astype(int)
    window = np.hanning(WINDOW).astype(np.float32)
    magnitude = np.stack(
        [np.abs(np.fft.rfft(padded[s : s + WINDOW] * window)) for s in starts], axis=1
    )  # (bins, columns)
    db = 20 * np.log10(magnitude / (WINDOW / 4) + 1e-9)
    edges = np.geomspace(LOW_HZ, rate_hz / 2, rows + 1) / rate_hz * WINDOW  # in bins
    out = np.empty((rows, columns))
    for row in range(rows):
        low, high = edges[row], edges[row + 1]
        inside = db[int(np.ceil(low)) : int(np.floor(high)) + 1]
        if len(inside):
            out[rows - 1 - row] = inside.max(axis=0)
        else:
            below, part = int(low), (low + high) / 2 % 1
            out[rows - 1 - row] = db[below] * (1 - part) + db[below + 1] * part
    return out


def draw(sound: Float, rate_hz: int, title: str, marks: Sequence[Mark] = (), lanes: Sequence[Lane] = ()) -> Image.Image:
    """(N, channels) float32 as a picture: a panel for each of the first two channels, `marks` above, `lanes` below."""
    width, height = PANEL
    names = ("mono",) if sound.shape[1] == 1 else ("left", "right") if sound.shape[1] == 2 else ("output 1", "output 2")
    seconds = len(sound) / rate_hz
    mark_rows = stagger(marks, seconds, width)
    top = TOP + 16 * (1 + max(mark_rows, default=-1))
    panels_end = top + len(names) * (height + 14)
    picture = Image.new("RGB", (LEFT + width + RIGHT, panels_end + 40 + len(lanes) * (LANE + 10) + 10), "white")
    pen = ImageDraw.Draw(picture)
    small, large = ImageFont.load_default(13), ImageFont.load_default(18)
    pen.text((LEFT, 10), title, INK, large)
    levels = [power_db(sound[:, k], rate_hz, width, height) for k in range(len(names))]
    loudest = max(float(level.max()) for level in levels)
    for k, (name, level) in enumerate(zip(names, levels, strict=True)):
        y = top + k * (height + 14)
        picture.paste(Image.fromarray(coloured(level - loudest)), (LEFT, y))
        frequency_axis(pen, small, y, rate_hz, name)
    colour_bar(picture, pen, small, top)
    time_axis(pen, small, panels_end, seconds)
    for (at, text), row in zip(marks, mark_rows, strict=True):
        x = LEFT + at / seconds * width
        pen.line((x, TOP + 16 * row, x, panels_end - 14), FAINT)
        pen.text((x + 3, TOP + 16 * row - 4), text, INK, small)
    for k, lane in enumerate(lanes):
        draw_lane(pen, small, panels_end + 40 + k * (LANE + 10), lane)
    return picture


def save(picture: Image.Image, path: Path) -> None:
    """Writes a PNG under a temporary name in the same folder, then renames it."""
    part = part_of(path)
    try:
        picture.save(part, format="PNG")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def coloured(db: NDArray[np.float64]) -> NDArray[np.uint8]:
    """dB below the loudest point, (rows, columns), to colours (rows, columns, 3)."""
    place = np.clip(1 - db / FLOOR_DB, 0, 1) * (len(COLOURS) - 1)
    below = np.minimum(place.astype(int), len(COLOURS) - 2)
    part = (place - below)[..., None]
    return np.asarray(COLOURS[below] * (1 - part) + COLOURS[below + 1] * part, np.uint8)


def stagger(marks: Sequence[Mark], seconds: float, width: int) -> list[int]:
    """The text row of each mark, so that no text runs into the next one in its row (7 pixels a character)."""
    ends: list[float] = []
    rows = []
    for at, text in marks:
        x = at / seconds * width
        row = next((k for k, end in enumerate(ends) if end < x), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = x + 7 * len(text) + 8
        rows.append(row)
    return rows


def frequency_axis(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, y: int, rate_hz: int, name: str
) -> None:
    """Ticks and numbers left of a panel whose top is `y`, and the channel's name."""
    height = PANEL[1]
    for hz in TICKS_HZ:
        if hz < rate_hz / 2:
            at = y + height * (1 - np.log(hz / LOW_HZ) / np.log(rate_hz / 2 / LOW_HZ))
            pen.line((LEFT - 6, at, LEFT - 1, at), INK)
            pen.text((LEFT - 8, at), f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", INK, font, anchor="rm")
    pen.text((LEFT + 8, y + 6), name, (255, 255, 255), font)


def time_axis(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, y: int, seconds: float
) -> None:
    """Ticks and seconds under the panels: at most sixteen, at round numbers."""
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 3600, 86_400) if seconds / s <= 16)
    for k in range(int(seconds / step + 1e-9) + 1):
        x = LEFT + k * step / seconds * PANEL[0]
        pen.line((x, y - 14, x, y - 8), INK)
        pen.text((x, y - 6), f"{k * step:g} s", INK, font, anchor="ma")


def colour_bar(
    picture: Image.Image, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, y: int
) -> None:
    """What the colours mean, right of the first panel."""
    height, x = PANEL[1], LEFT + PANEL[0] + 14
    picture.paste(Image.fromarray(coloured(np.repeat(np.linspace(0, FLOOR_DB, height)[:, None], 14, axis=1))), (x, y))
    for db in range(0, int(FLOOR_DB) - 1, -20):
        pen.text((x + 18, y + db / FLOOR_DB * height), f"{db} dB", INK, font, anchor="lm")


def draw_lane(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, y: int, lane: Lane) -> None:
    """A curve in a frame of its own, its range at the right."""
    name, values, (low, high) = lane
    width = PANEL[0]
    pen.rectangle((LEFT, y, LEFT + width, y + LANE), outline=FAINT)
    pen.text((LEFT - 8, y + LANE / 2), name, INK, font, anchor="rm")
    pen.text((LEFT + width + 8, y + 5), f"{high:g}", FAINT, font, anchor="lm")
    pen.text((LEFT + width + 8, y + LANE - 5), f"{low:g}", FAINT, font, anchor="lm")
    xs = LEFT + np.linspace(0, width, len(values))
    ys = y + LANE * (1 - (values - low) / (high - low))
    pen.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), (181, 54, 122), width=2)
