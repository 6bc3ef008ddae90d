"""What the encoder hears: log spectra of several resolutions around each latent frame.

Fine log-frequency bands for pitch, mel-like bands of left and right for colour and place, four short looks a frame for
onsets, and the side signal for width. All natural logs of power. F features, T latent frames, N samples.
"""

import numpy as np
from numpy.typing import NDArray

from engine.synthesis import HOP, SAMPLE_RATE_HZ

Float = NDArray[np.float32]

FLOOR = 1e-7
"""Added to power before the logarithm, of signals with full scale 1: about -70 dB in a band."""

PITCH_WINDOW, PITCH_BANDS = 4096, 112
COLOUR_WINDOW, COLOUR_BANDS = 2048, 80
ONSET_WINDOW, ONSET_BANDS, ONSET_LOOKS = 512, 24, 4
SIDE_BANDS = 40
FEATURES = PITCH_BANDS + 2 * COLOUR_BANDS + ONSET_LOOKS * ONSET_BANDS + SIDE_BANDS


def triangles(bands: int, window: int, low_hz: float, high_hz: float, knee_hz: float) -> Float:
    """(bins, bands) triangular filters, even on the scale arcsinh(f / knee), each of unit sum; at least a bin wide."""
    hz = np.fft.rfftfreq(window, 1 / SAMPLE_RATE_HZ)
    edges = np.sinh(np.linspace(np.arcsinh(low_hz / knee_hz), np.arcsinh(high_hz / knee_hz), bands + 2)) * knee_hz
    step = hz[1]
    low = np.minimum(edges[:-2], edges[1:-1] - step)
    high = np.maximum(edges[2:], edges[1:-1] + step)
    up = (hz[:, None] - low) / (edges[1:-1] - low)
    down = (high - hz[:, None]) / (high - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(up, down))
    return np.asarray(weights / weights.sum(0), np.float32)


class Features:
    """Sound (2, T * HOP) to features (FEATURES, T); frame m is centred on sample m * HOP + HOP / 2. Any thread."""

    def __init__(self) -> None:
        self.pitch = triangles(PITCH_BANDS, PITCH_WINDOW, 30, 4000, 200)
        self.colour = triangles(COLOUR_BANDS, COLOUR_WINDOW, 40, 21000, 700)
        self.onset = triangles(ONSET_BANDS, ONSET_WINDOW, 100, 20000, 1000)
        self.side = triangles(SIDE_BANDS, COLOUR_WINDOW, 40, 20000, 700)

    def __call__(self, sound: Float) -> Float:
        """Features (FEATURES, T) of sound (2, N), T = N // HOP."""
        frames = sound.shape[1] // HOP
        middle, side = sound.mean(0), (sound[0] - sound[1]) / 2
        hop = HOP // ONSET_LOOKS
        onset = log_bands(middle, ONSET_WINDOW, hop, frames * ONSET_LOOKS, self.onset)  # (bands, T * looks)
        looks = [
            log_bands(middle, PITCH_WINDOW, HOP, frames, self.pitch),
            *(log_bands(channel, COLOUR_WINDOW, HOP, frames, self.colour) for channel in sound),
            log_bands(side, COLOUR_WINDOW, HOP, frames, self.side),
            onset.reshape(ONSET_BANDS, frames, ONSET_LOOKS).transpose(2, 0, 1).reshape(-1, frames),
        ]
        return np.concatenate(looks)


def log_bands(signal: Float, window: int, hop: int, frames: int, bands: Float) -> Float:
    """(N,) -> (bands, frames): windows centred on (i + 1/2) * hop; power as that of a mean square."""
    pad = (window - hop) // 2
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(np.pad(signal, pad), window)[::hop][:frames]
    spectra = np.fft.rfft(pieces * hann)
    power = (spectra.real**2 + spectra.imag**2) / (hann**2).sum()
    return np.asarray(np.log(power.astype(np.float32) @ bands + np.float32(FLOOR)).T)
