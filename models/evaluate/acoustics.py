"""Plain acoustic measures of a sound (2, N) at 48 kHz, each one number: what the words of a contrast are about.

None of them depends on the sound's level, but for `level_db`.
"""

from typing import Final

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from engine.timing import SAMPLE_RATE_HZ
from models.evaluate.summary import Sound

WINDOW: Final = 2048
FLUX_BANDS: Final = 24
ONSET_STEP: Final = 512
ONSET_LAG, ONSET_SMOOTH = 4, 3
"""Frames over which a rise is taken, and over which the level is averaged before."""
ONSET_RISE, ONSET_FLOOR = 0.25, 0.03
"""How far the mean log level of the bands must rise above its surroundings, in nepers, to count as an onset; and what,
as a part of the loudest band, counts as silence. Of a grid of such numbers, these told the rapid from the slow source
sounds best (in 86 % of pairs).
"""
PLACE_HZ: Final = 20.0

Float = NDArray[np.float64]


def level_db(sound: Sound) -> float:
    """RMS level of both channels, dB of full scale."""
    return float(10 * np.log10(np.square(sound, dtype=np.float64).mean() + 1e-12))


def spectrum(sound: Sound, window: int = WINDOW, step: int = WINDOW // 2) -> Float:
    """(2, N) to power spectra (frames, window / 2 + 1), the mean of the channels."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, window, axis=1)[:, ::step] * np.hanning(window)
    return np.asarray((np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0))


def centroid_hz(sound: Sound) -> float:
    """Centre of the mean power spectrum: of magnitudes, a soft hiss would outweigh a deep tone."""
    power = spectrum(sound).mean(axis=0)
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    return float((hz * power).sum() / max(power.sum(), 1e-12))


def share_above_8_khz(sound: Sound) -> float:
    """Part of the power above 8 kHz, 0..1."""
    power = spectrum(sound).mean(axis=0)
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)
    return float(power[hz > 8000].sum() / max(power.sum(), 1e-12))


def bands(sound: Sound, step: int, window: int = WINDOW) -> Float:
    """(2, N) to magnitudes (frames, FLUX_BANDS) of bands of even width on a logarithmic axis, 60 Hz to 18 kHz."""
    power = spectrum(sound, window, step)
    edges = np.unique(np.round(np.geomspace(60, 18_000, FLUX_BANDS + 1) / SAMPLE_RATE_HZ * window).astype(int))
    return np.asarray(np.sqrt(np.add.reduceat(power, edges[:-1], axis=1)))


def flux(sound: Sound) -> float:
    """Change of the band magnitudes from frame to frame (21 ms) over their sum: the mean over frames."""
    magnitude = bands(sound, WINDOW // 2)
    moved = np.abs(np.diff(magnitude, axis=0)).sum(axis=1)
    return float((moved / (magnitude[1:] + magnitude[:-1]).sum(axis=1).clip(1e-12)).mean())


def onsets_per_s(sound: Sound) -> float:
    """Peaks of the rise in level, meaned over bands, a second."""
    magnitude = bands(sound, ONSET_STEP, 1024)
    level = np.log(magnitude + ONSET_FLOOR * magnitude.max() + 1e-12)
    level = np.asarray(scipy.signal.convolve(level, np.ones((ONSET_SMOOTH, 1)) / ONSET_SMOOTH, "valid"))
    rise = np.clip(level[ONSET_LAG:] - level[:-ONSET_LAG], 0.0, None).mean(axis=1)
    peaks, _ = scipy.signal.find_peaks(rise, prominence=ONSET_RISE)
    return float(len(peaks) * SAMPLE_RATE_HZ / sound.shape[1])


def place_variance(sound: Sound) -> float:
    """Variance of the level difference of left and right in dB, a value every 1 / PLACE_HZ s, silence left out."""
    step = round(SAMPLE_RATE_HZ / PLACE_HZ)
    whole = sound.shape[1] // step * step
    power = np.square(sound[:, :whole], dtype=np.float64).reshape(2, -1, step).mean(axis=2)
    heard = power.sum(axis=0) > 1e-3 * power.sum(axis=0).max()
    difference = 10 * np.log10((power[1] + 1e-12) / (power[0] + 1e-12))
    return float(difference[heard].var()) if heard.any() else 0.0


def decorrelation(sound: Sound) -> float:
    """1 - the correlation of left and right: 0 for mono, 1 for channels that have nothing in common."""
    left, right = sound.astype(np.float64)
    return float(1 - (left * right).sum() / max(np.sqrt((left**2).sum() * (right**2).sum()), 1e-12))
