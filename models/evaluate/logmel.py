"""The log-mel front end that nets of the kind of YAMNet are fed with (Hershey et al. 2017), and MFCCs of its patches.

16 kHz mono; Hann windows of 25 ms every 10 ms; 64 bands, even on the HTK mel scale from 125 to 7500 Hz, of the
magnitude; natural logarithm of band + 0.001; patches of 0.96 s every 0.48 s. N samples, T frames, P patches.
"""

from functools import cache
from typing import Final

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from engine.timing import SAMPLE_RATE_HZ

RATE_HZ: Final = 16_000
WINDOW, STEP, FFT = 400, 160, 512
BANDS, LOW_HZ, HIGH_HZ = 64, 125.0, 7500.0
PATCH, PATCH_STEP = 96, 48
OFFSET = 0.001
MFCCS: Final = 20

Float = NDArray[np.float32]


def mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The HTK mel scale: 1127 ln(1 + f / 700)."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))


@cache
def mel_filters() -> NDArray[np.float64]:
    """Triangles (FFT / 2 + 1, BANDS), straight on the mel scale, of height 1; the bin of 0 Hz belongs to none."""
    bins = mel(np.linspace(0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2)
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = np.clip(np.minimum(rise, fall), 0.0, None)
    triangles[0] = 0.0
    return triangles


def log_mel(sound: Float, rate_hz: int = SAMPLE_RATE_HZ) -> Float:
    """Sound (channels, N) to log-mel frames (T, BANDS), 100 a second; what is shorter than a second is repeated.

    ValueError where there are no samples.
    """
    if not sound.shape[1]:
        raise ValueError("a sound of 0 samples: must be at least 1")
    mono = sound.mean(axis=0)
    if rate_hz != RATE_HZ:
        mono = scipy.signal.resample_poly(mono, RATE_HZ, rate_hz)
    if len(mono) < RATE_HZ:
        mono = np.tile(mono, -(-RATE_HZ // len(mono)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)  # periodic
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::STEP] * window
    return np.log(np.abs(np.fft.rfft(frames, FFT)) @ mel_filters() + OFFSET).astype(np.float32)


def patches(sound: Float, rate_hz: int = SAMPLE_RATE_HZ) -> Float:
    """Sound (channels, N) to log-mel patches (P, PATCH, BANDS), P >= 1. ValueError where there are no samples."""
    frames = log_mel(sound, rate_hz)
    rows = np.lib.stride_tricks.sliding_window_view(frames, PATCH, axis=0)[::PATCH_STEP]  # (P, BANDS, PATCH)
    return np.ascontiguousarray(rows.transpose(0, 2, 1))


def mfcc(patch: Float) -> Float:
    """Patches (P, PATCH, BANDS) to (P, 2 MFCCS): mean and deviation of the first cepstral coefficients of each."""
    cepstra = scipy.fft.dct(patch, axis=2, norm="ortho")[:, :, :MFCCS]
    return np.concatenate([cepstra.mean(1), cepstra.std(1)], axis=1).astype(np.float32)
