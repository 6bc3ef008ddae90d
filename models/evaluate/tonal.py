"""Tonal sounds: are they obeyed as noise-like ones are, and does a held tone stay where it is?

N samples, W windows.
"""

from typing import Final

import numpy as np
import scipy.signal.windows
from numpy.typing import NDArray

from engine.timing import SAMPLE_RATE_HZ
from models.data.descriptions import RECIPES
from models.evaluate.adherence import ask, train, whole_captions
from models.evaluate.codec_fad import Codec
from models.evaluate.context import Context
from models.evaluate.prompts import prompts
from models.evaluate.result import Finding, MissingError, Row
from models.evaluate.studio import Piece
from models.evaluate.summary import Sound

TONES: Final = frozenset({"hum", "drone", "sixth"})
TONAL: Final = tuple(k for k, recipe in enumerate(RECIPES) if recipe.layers[0] in TONES)
"""Descriptions whose first layer is a tone."""
NOISY: Final = tuple(k for k in range(len(RECIPES)) if k not in TONAL)
POINTS: Final = 0.05
CENTS: Final = 3.0
WINDOW, STEP = 16_384, 4096
LOW_HZ, HIGH_HZ = 50.0, 5000.0
NEAR_CENTS: Final = 80.0
TONES_HZ: Final = (82.0, 123.5, 221.3, 331.7, 523.9, 1011.0)
"""Held tones for the codec; none lies on an oscillator of the synthesis."""
HARMONICS: Final = 6


def measure(context: Context) -> Finding:
    """The gap in adherence, and the steadiness of tones through the codec and from words."""
    rows = [gap(context), *through_codec(context), from_words(context)]
    remark = (
        "Tones: unsteadiness is the deviation in cents of the strongest partial over windows of a third of a second. "
        "Floor: white noise through the same meter."
    )
    return Finding(tuple(rows), remarks=(remark,))


def gap(context: Context) -> Row:
    """Adherence of noise-like descriptions less that of tonal ones."""
    name, goal = "Tones: adherence of noise-like less that of tonal descriptions", "within 5 points"
    try:
        classifier, source = train(context)
    except MissingError as error:
        return Row(name, None, goal=goal, note=str(error))
    asked = ask(context, classifier, whole_captions(context), "held-out captions")
    value, ceiling = (group.only(NOISY).right - group.only(TONAL).right for group in (asked, source))
    if np.isnan(value):
        return Row(name, None, goal=goal, note="no such captions in the data")
    note = f"tonal {asked.only(TONAL).right:.2f}, noise-like {asked.only(NOISY).right:.2f}"
    return Row(name, value, "share", None, ceiling, goal, abs(value) <= POINTS, len(asked.wanted), note)


def through_codec(context: Context) -> tuple[Row, ...]:
    """Held tones, synthetic and exactly steady, encoded and decoded."""
    name, goal = "Tones: unsteadiness of a held tone through the codec, worst", f"under {CENTS:g} cents"
    try:
        codec = Codec(context)
    except MissingError as error:
        return (Row(name, None, goal=goal, note=str(error)),)
    found = {hz: cents(codec(held_tone(hz, 4.0))[:, SAMPLE_RATE_HZ // 2 :]) for hz in TONES_HZ}
    worst = max(found.values())
    ceiling = max(cents(held_tone(hz, 4.0)) for hz in TONES_HZ)
    note = ", ".join(f"{hz:g} Hz {value:.2g}" for hz, value in found.items())
    return (Row(name, worst, "cents", floor(), ceiling, goal, worst < CENTS, len(found), note),)


def from_words(context: Context) -> Row:
    """Tones that are asked for in words: the median over prompts and seeds."""
    texts, seeds = prompts().held, range(context.count(6, 1))
    sounds = context.studio.each([Piece(text, seed) for text in texts for seed in seeds], "held tones")
    found = [cents(sound) for sound in sounds]
    value = float(np.median(found))
    goal = f"under {CENTS:g} cents"
    return Row(
        "Tones: unsteadiness of a held tone from words, median", value, "cents", floor(), 0.0, goal, value < CENTS,
        len(found),
    )  # fmt: skip


def floor() -> float:
    """What the meter says of white noise."""
    return cents(np.random.default_rng(0).standard_normal((2, 4 * SAMPLE_RATE_HZ)).astype(np.float32))


def held_tone(hz: float, seconds: float) -> Sound:
    """(2, N): a steady harmonic tone at -22 dB or so."""
    t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tone = sum(np.sin(2 * np.pi * hz * k * t + k) / k for k in range(1, HARMONICS + 1))
    return np.repeat(0.08 * np.asarray(tone, np.float32)[None], 2, axis=0)


def cents(sound: Sound) -> float:
    """Standard deviation in cents of the strongest partial of (2, N) over time, weighted by its power.

    Gaussian windows, in which a parabola through the logarithms of three bins finds the frequency of a partial exactly.
    ValueError where it is shorter than a window.
    """
    if sound.shape[1] < WINDOW:
        raise ValueError(f"{sound.shape[1]} samples: must be at least {WINDOW}")
    window = scipy.signal.windows.gaussian(WINDOW, WINDOW / 8)
    # The louder channel alone: a sum of both may cancel.
    channel = sound[int(np.argmax(np.square(sound).mean(axis=1)))]
    frames = np.lib.stride_tricks.sliding_window_view(channel, WINDOW)[::STEP] * window
    power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-20  # (W, bins)
    bin_hz = SAMPLE_RATE_HZ / WINDOW
    low, high = round(LOW_HZ / bin_hz), round(HIGH_HZ / bin_hz)
    middle = low + int(np.argmax(power[:, low:high].mean(axis=0)))
    reach = max(2, round(middle * (2 ** (NEAR_CENTS / 1200) - 1)))
    near = power[:, middle - reach : middle + reach + 1]
    top = middle - reach + near.argmax(axis=1)
    left, peak, right = (np.log(power[np.arange(len(power)), top + k]) for k in (-1, 0, 1))
    curve = left - 2 * peak + right
    offset = np.where(curve < -1e-9, 0.5 * (left - right) / np.where(curve < -1e-9, curve, -1.0), 0.0)
    pitch: NDArray[np.float64] = 1200 * np.log2((top + np.clip(offset, -1, 1)) * bin_hz)
    weight = near.max(axis=1) / near.max(axis=1).sum()
    mean = (weight * pitch).sum()
    return float(np.sqrt((weight * (pitch - mean) ** 2).sum()))
