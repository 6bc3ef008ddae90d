"""What the encoder hears: log spectra of several resolutions around each latent frame.

Fine log-frequency bands for pitch, mel-like bands of left and right for colour and place, four short looks a frame for
onsets, and the side signal for width. All natural logs of power. B batch, F features, T latent frames, N samples.
"""

import numpy as np
import torch
from torch import Tensor, nn

from engine.synthesis import HOP, SAMPLE_RATE_HZ

FLOOR = 1e-7
"""Added to power before the logarithm, of signals with full scale 1: about -70 dB in a band."""

PITCH_WINDOW, PITCH_BANDS = 4096, 112
COLOUR_WINDOW, COLOUR_BANDS = 2048, 80
ONSET_WINDOW, ONSET_BANDS, ONSET_LOOKS = 512, 24, 4
SIDE_BANDS = 40
FEATURES = PITCH_BANDS + 2 * COLOUR_BANDS + ONSET_LOOKS * ONSET_BANDS + SIDE_BANDS


def triangles(bands: int, window: int, low_hz: float, high_hz: float, knee_hz: float) -> Tensor:
    """(bins, bands) triangular filters, even on the scale arcsinh(f / knee), each of unit sum; at least a bin wide."""
    hz = np.fft.rfftfreq(window, 1 / SAMPLE_RATE_HZ)
    edges = np.sinh(np.linspace(np.arcsinh(low_hz / knee_hz), np.arcsinh(high_hz / knee_hz), bands + 2)) * knee_hz
    step = hz[1]
    low = np.minimum(edges[:-2], edges[1:-1] - step)
    high = np.maximum(edges[2:], edges[1:-1] + step)
    up = (hz[:, None] - low) / (edges[1:-1] - low)
    down = (high - hz[:, None]) / (high - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(up, down))
    return torch.from_numpy((weights / weights.sum(0)).astype(np.float32))


class Features(nn.Module):
    """Sound (B, 2, T * HOP) to features (B, FEATURES, T); frame m is centred on sample m * HOP + HOP / 2."""

    pitch: Tensor
    colour: Tensor
    onset: Tensor
    side: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pitch", triangles(PITCH_BANDS, PITCH_WINDOW, 30, 4000, 200), persistent=False)
        self.register_buffer("colour", triangles(COLOUR_BANDS, COLOUR_WINDOW, 40, 21000, 700), persistent=False)
        self.register_buffer("onset", triangles(ONSET_BANDS, ONSET_WINDOW, 100, 20000, 1000), persistent=False)
        self.register_buffer("side", triangles(SIDE_BANDS, COLOUR_WINDOW, 40, 20000, 700), persistent=False)

    def forward(self, sound: Tensor) -> Tensor:
        frames = sound.shape[-1] // HOP
        middle, side = sound.mean(1), (sound[:, 0] - sound[:, 1]) / 2
        looks = [
            self._log_bands(middle, PITCH_WINDOW, HOP, frames, self.pitch),
            *(self._log_bands(sound[:, c], COLOUR_WINDOW, HOP, frames, self.colour) for c in (0, 1)),
            self._log_bands(side, COLOUR_WINDOW, HOP, frames, self.side),
        ]
        hop = HOP // ONSET_LOOKS
        onset = self._log_bands(middle, ONSET_WINDOW, hop, frames * ONSET_LOOKS, self.onset)  # (B, bands, T*looks)
        looks.append(onset.reshape(*onset.shape[:2], frames, ONSET_LOOKS).permute(0, 3, 1, 2).flatten(1, 2))
        return torch.cat(looks, 1)

    @staticmethod
    def _log_bands(signal: Tensor, window: int, hop: int, frames: int, bands: Tensor) -> Tensor:
        """(B, N) -> (B, bands, frames): windows centred on (i + 1/2) * hop; power as that of a mean square."""
        pad = (window - hop) // 2
        padded = nn.functional.pad(signal, (pad, pad))
        hann = torch.hann_window(window, device=signal.device)
        pieces = padded.unfold(-1, window, hop)[:, :frames] * hann
        power = torch.fft.rfft(pieces).abs().square() / hann.square().sum()
        logs: Tensor = (power @ bands + FLOOR).log().transpose(1, 2)
        return logs
