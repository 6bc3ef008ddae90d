"""Two kinds of pictures: a matrix of shares, and curves over an axis. Drawn as engine.cli.spectrogram draws."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.cli.spectrogram import COLOURS, FAINT, GRID, INK

CELL: Final = 26
PANEL: Final = (760, 360)
LEFT, TOP, BOTTOM, RIGHT = 90, 60, 60, 210
LINES: Final = ((160, 20, 90), (30, 90, 170), (20, 130, 70), (200, 120, 0), (90, 60, 160), (110, 110, 110))
PAPER: Final = (244, 244, 240)
MOST_TICKS: Final = 10


def matrix(shares: NDArray[np.float64], labels: Sequence[str], title: str) -> Image.Image:
    """Shares (K, K) in 0..1: a row is what was asked for, a column what was heard; labels are numbered."""
    small, large = ImageFont.load_default(13), ImageFont.load_default(18)
    count = len(labels)
    wide = max((int(small.getlength(label)) for label in labels), default=0)
    left, top = wide + 60, 90
    picture = Image.new("RGB", (left + count * CELL + 40, top + count * CELL + 30), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((20, 12), title, INK, large)
    pen.text((left, 42), "heard as", FAINT, small)
    pen.text((20, top - 22), "asked for", FAINT, small)
    for row, label in enumerate(labels):
        y = top + row * CELL
        pen.text((left - 10, y + CELL / 2), f"{label}  {row + 1}", INK, small, anchor="rm")
        pen.text((left + row * CELL + CELL / 2, top - 6), str(row + 1), INK, small, anchor="ms")
        for column in range(count):
            share = float(shares[row, column])
            x = left + column * CELL
            pen.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=shade(share))
            if share >= 0.005:
                ink = "white" if share > 0.45 else INK
                pen.text((x + CELL / 2 - 1, y + CELL / 2), f"{100 * share:.0f}", ink, small, anchor="mm")
    return picture


def shade(share: float) -> tuple[int, int, int]:
    """0 is nearly white, 1 dark."""
    if share <= 0:
        return PAPER
    place = (1 - min(share, 1.0)) * (len(COLOURS) - 2) + 1
    below = min(int(place), len(COLOURS) - 2)
    colour = COLOURS[below] * (1 - (place - below)) + COLOURS[below + 1] * (place - below)
    red, green, blue = (int(part) for part in colour)
    return red, green, blue


def curves(x: Sequence[float], lines: Mapping[str, Sequence[float]], title: str, axes: tuple[str, str]) -> Image.Image:
    """Curves over common places `x`, at least two, with the names of both axes."""
    width, height = PANEL
    small, large = ImageFont.load_default(14), ImageFont.load_default(18)
    picture = Image.new("RGB", (LEFT + width + RIGHT, TOP + height + BOTTOM), "white")
    pen = ImageDraw.Draw(picture)
    pen.text((LEFT, 12), title, INK, large)
    values = np.array(list(lines.values()), float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin

    def at(across: float, up: float) -> tuple[float, float]:
        return (
            LEFT + (across - x[0]) / ((x[-1] - x[0]) or 1) * width,
            TOP + (high - up) / (high - low) * height,
        )

    for up in ticks(low, high):
        pen.line((*at(x[0], up), *at(x[-1], up)), GRID)
        pen.text((LEFT - 8, at(x[0], up)[1]), f"{up:.3g}", INK, small, anchor="rm")
    for across in ticks(x[0], x[-1]):
        pen.text((at(across, low)[0], TOP + height + 8), f"{across:.3g}", INK, small, anchor="ma")
    pen.rectangle((LEFT, TOP, LEFT + width, TOP + height), outline=FAINT)
    pen.text((LEFT + width / 2, TOP + height + 32), axes[0], INK, small, anchor="ma")
    pen.text((LEFT, TOP - 20), axes[1], INK, small)
    for k, (name, line) in enumerate(lines.items()):
        colour = LINES[k % len(LINES)]
        pen.line([at(a, u) for a, u in zip(x, line, strict=True)], colour, 2)
        pen.text((LEFT + width + 16, TOP + 20 * k), name, colour, small)
    return picture


def ticks(low: float, high: float) -> list[float]:
    """At most MOST_TICKS round numbers in low..high, low < high, at even steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(s * power for s in (1, 2, 5, 10, 20) if (high - low) / (s * power) < MOST_TICKS)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
