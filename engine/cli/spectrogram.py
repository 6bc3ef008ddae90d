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

from engine.record import part_of

Float = NDArray[np.float32]
Mark = tuple[float, str]
"""A time in seconds and what happens then."""
Lane = tuple[str, NDArray[np.float64], tuple[float, float], tuple[str, str]]
"""A curve over the whole sound: its name, its values at equal distances, its range, and how its ends are called."""
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WINDOW = 4096
LOW_HZ = 30.0
FLOOR_DB = -80.0
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
PANEL, LANE, LEFT, RIGHT, TOP = (1200, 300), 40, 130, 130, 60
GAP, ROW, LETTER = 14, 19, 8
"""Pixels between panels and between lanes, of a row of words, and of a letter."""
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
INK, FAINT, GRID, CURVE = (20, 20, 24), (120, 120, 128), (222, 222, 228), (160, 20, 90)


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
    top = TOP + ROW * (1 + max(mark_rows, default=-1))
    panels_end = top + len(names) * (height + GAP) - GAP
    lanes_top = panels_end + 52
    picture = Image.new("RGB", (LEFT + width + RIGHT, lanes_top + len(lanes) * (LANE + GAP)), "white")
    pen = ImageDraw.Draw(picture)
    small, large = ImageFont.load_default(15), ImageFont.load_default(20)
    pen.text((LEFT, 12), title, INK, large)
    levels = [power_db(sound[:, k], rate_hz, width, height) for k in range(len(names))]
    loudest = max(float(level.max()) for level in levels)
    for k, (name, level) in enumerate(zip(names, levels, strict=True)):
        y = top + k * (height + GAP)
        picture.paste(Image.fromarray(coloured(level - loudest)), (LEFT, y))
        frequency_axis(pen, small, y, rate_hz, name)
    colour_bar(picture, pen, small, top, panels_end - top)
    upright(picture, small, "frequency", 30, (top + panels_end) // 2)
    ticks = time_ticks(seconds)
    time_axis(pen, small, panels_end, ticks)
    for k, lane in enumerate(lanes):
        draw_lane(pen, small, lanes_top + k * (LANE + GAP), lane, [x for x, _ in ticks])
    for (at, text), row in zip(marks, mark_rows, strict=True):
        x, y = LEFT + at / seconds * width, TOP + ROW * row
        pen.line((x, y, x, panels_end), FAINT)
        for k in range(len(lanes)):
            pen.line((x, lanes_top + k * (LANE + GAP), x, lanes_top + k * (LANE + GAP) + LANE), FAINT)
        pen.text((x + 4, y - 3), text, INK, small)
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
    """The text row of each mark, so that no text runs into the next one in its row."""
    ends: list[float] = []
    rows = []
    for at, text in marks:
        x = at / seconds * width
        row = next((k for k, end in enumerate(ends) if end < x), len(ends))
        if row == len(ends):
            ends.append(0.0)
        ends[row] = x + LETTER * (len(text) + 1)
        rows.append(row)
    return rows


def frequency_axis(pen: ImageDraw.ImageDraw, font: Font, y: int, rate_hz: int, name: str) -> None:
    """Ticks and numbers left of a panel whose top is `y`, and the channel's name."""
    height = PANEL[1]
    for hz in TICKS_HZ:
        if hz < rate_hz / 2:
            at = y + height * (1 - np.log(hz / LOW_HZ) / np.log(rate_hz / 2 / LOW_HZ))
            pen.line((LEFT - 6, at, LEFT - 1, at), INK)
            pen.text((LEFT - 9, at), f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", INK, font, anchor="rm")
    pen.text((LEFT + 8, y + 6), name, "white", font, stroke_width=2, stroke_fill="black")


def time_ticks(seconds: float) -> list[tuple[float, str]]:
    """At most sixteen places at round numbers, in pixels, and what stands there."""
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 3600, 86_400) if seconds / s <= 16)
    return [(LEFT + k * step / seconds * PANEL[0], f"{k * step:g} s") for k in range(int(seconds / step + 1e-9) + 1)]


def time_axis(pen: ImageDraw.ImageDraw, font: Font, y: int, ticks: Sequence[tuple[float, str]]) -> None:
    """Ticks and seconds under the panels."""
    for x, text in ticks:
        pen.line((x, y, x, y + 6), INK)
        pen.text((x, y + 10), text, INK, font, anchor="ma")
    pen.text((LEFT + PANEL[0] + 40, y + 10), "time", INK, font, anchor="la")


def colour_bar(picture: Image.Image, pen: ImageDraw.ImageDraw, font: Font, y: int, height: int) -> None:
    """What the colours mean, right of the panels."""
    x = LEFT + PANEL[0] + GAP
    picture.paste(Image.fromarray(coloured(np.repeat(np.linspace(0, FLOOR_DB, height)[:, None], 18, axis=1))), (x, y))
    pen.rectangle((x, y, x + 17, y + height - 1), outline=INK)
    for db in range(0, int(FLOOR_DB) - 1, -10):
        at = y + db / FLOOR_DB * (height - 1)
        pen.line((x + 18, at, x + 23, at), INK)
        pen.text((x + 27, at), f"{db} dB", INK, font, anchor="lm")
    upright(picture, font, "level in dB, 0 dB at the loudest point of all channels", x + 98, y + height // 2)


def upright(picture: Image.Image, font: Font, text: str, x: int, y: int) -> None:
    """A text from below to above, its middle at `x`, `y`."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    line = Image.new("RGB", (right - left, bottom - top), "white")
    ImageDraw.Draw(line).text((-left, -top), text, INK, font)
    turned = line.transpose(Image.Transpose.ROTATE_90)
    picture.paste(turned, (x - turned.width // 2, y - turned.height // 2))


def draw_lane(pen: ImageDraw.ImageDraw, font: Font, y: int, lane: Lane, grid: Sequence[float]) -> None:
    """A curve in a frame of its own over a grid at these pixels, its name at the left, its range at the right."""
    name, values, (low, high), (low_name, high_name) = lane
    width = PANEL[0]
    for x in grid:
        pen.line((x, y, x, y + LANE), GRID)
    pen.rectangle((LEFT, y, LEFT + width, y + LANE), outline=FAINT)
    pen.text((LEFT - 9, y + LANE / 2), name, INK, font, anchor="rm")
    for end, at in ((high_name, y + 5), (low_name, y + LANE - 5)):
        pen.text((LEFT + width + 9, at), end, INK, font, anchor="lm")
    xs = LEFT + np.linspace(0, width, len(values))
    ys = y + LANE * (1 - (values - low) / (high - low))
    pen.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), CURVE, width=3)
