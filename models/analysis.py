"""Spectral modelling analysis: which tones and how much noise a sound is made of, frame by frame.

The way back from engine.synthesis, after Serra and Smith 1990: peaks that stand out from their neighbourhood are tones,
the rest is noise. It is rough; the decoder begins from it, because neither tones nor noise would get a gradient from a
spectral distance while the other one masks them, and goes on by the energy distance.
B batch, T latent frames, K oscillators, P noise frames in a latent frame, G noise bands, N samples.
"""

import numpy as np
import torch
from torch import Tensor, nn

from engine.synthesis import (
    HOP,
    NOISE_FRAMES,
    NOISE_HOP,
    NOISE_WINDOW,
    SAMPLE_RATE_HZ,
    band_matrix,
    oscillator_hz,
)

WINDOW = 4096
NEIGHBOURS = 25
"""Bins (of 11.7 Hz) around a bin whose median is its noise floor."""

PROMINENCE = 4.0
"""A tone's magnitude over that floor; noise alone gets there once in 100,000 bins."""


class Analysis(nn.Module):
    """Sound to the amplitudes that would make it."""

    window: Tensor
    noise_window: Tensor
    bands: Tensor
    edges: Tensor

    def __init__(self) -> None:
        super().__init__()
        hz = oscillator_hz().astype(np.float64)
        between = torch.from_numpy(np.sqrt(hz[1:] * hz[:-1]))  # a peak belongs to the oscillator nearest in pitch
        self.register_buffer("edges", between * WINDOW / SAMPLE_RATE_HZ, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("noise_window", torch.hann_window(NOISE_WINDOW), persistent=False)
        self.register_buffer("bands", torch.from_numpy(band_matrix()), persistent=False)
        self.oscillators = len(hz)

    @torch.no_grad()
    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Sound (B, 2, (T + 4) * HOP) to tone amplitudes (B, T, 2, K) and noise gains (B, T, P, 2, G).

        The sound reaches two hops over the T frames on either side; time is that of engine.synthesis's output: the
        tone frame of hop m is centred on the hop's end.
        """
        frames = sound.shape[-1] // HOP - 4
        tone_frames = sound[..., HOP:].unfold(-1, WINDOW, HOP)[:, :, :frames] * self.window
        magnitude = torch.fft.rfft(tone_frames).abs() * (2 / self.window.sum())  # amplitude of a sine, (B, 2, T, bins)
        both = magnitude.square().sum(1).sqrt()  # (B, T, bins)
        pad = NEIGHBOURS // 2
        floor = nn.functional.pad(both, (pad, pad), mode="reflect").unfold(-1, NEIGHBOURS, 1).median(-1).values
        rises = torch.zeros_like(both, dtype=torch.bool)
        rises[..., 1:-1] = (both[..., 1:-1] > both[..., :-2]) & (both[..., 1:-1] >= both[..., 2:])
        peak = rises & (both > PROMINENCE * floor) & (both > 1e-5)

        log = (both + 1e-9).log()
        left, middle, right = log[..., :-2], log[..., 1:-1], log[..., 2:]
        offset = nn.functional.pad(0.5 * (left - right) / (left - 2 * middle + right - 1e-9), (1, 1))  # parabola's top
        where = torch.bucketize(torch.arange(both.shape[-1]) + offset.clamp(-0.5, 0.5), self.edges)
        amplitude = torch.where(peak[:, None], magnitude, 0.0)
        tone = torch.zeros(*magnitude.shape[:3], self.oscillators)
        tone.scatter_reduce_(-1, where[:, None].expand_as(amplitude), amplitude, "amax")

        residual = torch.minimum(both, 1.5 * floor).square()
        share = self._in_bands(residual) / (self._in_bands(both.square()) + 1e-12)  # (B, T, G)
        start = 2 * HOP
        pieces = sound[..., start : start + frames * HOP + NOISE_HOP].unfold(-1, NOISE_WINDOW, NOISE_HOP)
        power = torch.fft.rfft(pieces * self.noise_window).abs().square() / self.noise_window.square().sum()
        banded = power @ (self.bands / self.bands.sum(1, keepdim=True).clamp_min(1e-3)).T  # (B, 2, T*P, G)
        banded = banded.unflatten(2, (frames, NOISE_FRAMES)) * share[:, None, :, None]
        return tone.transpose(1, 2), banded.sqrt().permute(0, 2, 3, 1, 4)

    def _in_bands(self, power: Tensor) -> Tensor:
        """(B, T, bins) of WINDOW to (B, T, G): mean power in the noise bands."""
        ratio = WINDOW // NOISE_WINDOW
        coarse = nn.functional.avg_pool1d(power[..., :-1], ratio)
        return nn.functional.pad(coarse, (0, 1), mode="replicate") @ self.bands.T


def analysis_loss(tone: Tensor, noise: Tensor, found: tuple[Tensor, Tensor]) -> Tensor:
    """Squared error of the square roots of tone amplitudes, where tones are few, and L1 of the noise gains in log."""
    tones = (tone.clamp_min(1e-8).sqrt() - found[0].sqrt()).square().sum(-1).mean()
    floor = 1e-5
    return 10 * tones + ((noise + floor).log() - (found[1] + floor).log()).abs().mean()
