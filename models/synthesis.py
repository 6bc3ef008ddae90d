"""engine.synthesis in torch, for training: the same sum, differentiable in the amplitudes, with a batch in front.

B batch, T latent frames, K oscillators, P noise frames in a latent frame, G noise bands, N = T * HOP samples.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.synthesis import (
    HOP,
    NOISE_FRAMES,
    NOISE_WINDOW,
    SAMPLE_RATE_HZ,
    TONE_WINDOW,
    band_matrix,
    lobe_matrices,
    oscillator_hz,
)


@dataclass(frozen=True)
class Excitation:
    """What a draw of the decoder is made from: phasor (B, T, K) complex, noise spectrum (B, 3, T * P, bins) complex."""

    phasor: Tensor
    noise: Tensor


class Synthesis(nn.Module):
    """Amplitudes and an excitation to sound (B, 2, N); see engine.synthesis for the meaning of each."""

    hz: Tensor
    lobes: Tensor
    """(2, K, bins): the spectra of the tones' real and imaginary parts, lobe plus and minus its mirror image."""

    bands: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hz", torch.from_numpy(oscillator_hz().astype(np.float64)), persistent=False)
        lobe, image = (torch.from_numpy(m) for m in lobe_matrices())
        self.register_buffer("lobes", torch.stack([lobe + image, lobe - image]), persistent=False)
        self.register_buffer("bands", torch.from_numpy(band_matrix()), persistent=False)
        self.register_buffer("window", torch.hann_window(NOISE_WINDOW).sqrt(), persistent=False)

    def draw(self, batch: int, frames: int, generator: torch.Generator | None = None) -> Excitation:
        """A random excitation: phases uniform, noise white; continuous over the T frames."""
        device = self.lobes.device
        turns = torch.rand(batch, 1, len(self.hz), generator=generator, dtype=torch.float64, device=device)
        shape = (batch, 3, frames * NOISE_FRAMES, NOISE_WINDOW // 2 + 1)
        white = torch.randn(shape, generator=generator, dtype=torch.complex64, device=device) * NOISE_WINDOW**0.5
        return self.excite(turns, white)

    def excite(self, turns: Tensor, white: Tensor, first: int = 0) -> Excitation:
        """Start phases (B, 1, K) in turns and white spectra (B, 3, T * P, bins), from absolute frame `first` on."""
        frames = white.shape[2] // NOISE_FRAMES
        centre = torch.arange(first + 1, first + 1 + frames, dtype=torch.float64, device=white.device)[None, :, None]
        turns = turns + self.hz * centre * (HOP / SAMPLE_RATE_HZ)
        angle = (2 * torch.pi * (turns - turns.floor())).float()
        return Excitation(torch.polar(torch.ones_like(angle), angle), white)

    def forward(self, tone: Tensor, noise: Tensor, coherence: Tensor, excitation: Excitation) -> Tensor:
        """tone (B, T, 2, K), noise (B, T, P, 2, G), coherence (B, T, P, G) -> (B, 2, N)."""
        phasor = excitation.phasor[:, :, None]
        spectrum = torch.complex(tone * phasor.real @ self.lobes[0], tone * phasor.imag @ self.lobes[1])
        spectrum = nn.functional.pad(spectrum, (0, TONE_WINDOW // 2 + 1 - spectrum.shape[-1]))
        tones = overlap_add(torch.fft.irfft(spectrum, TONE_WINDOW).transpose(1, 2))

        gain = (noise.flatten(1, 2) @ self.bands).transpose(1, 2)  # (B, 2, T*P, bins)
        shared = (coherence.flatten(1, 2) @ self.bands)[:, None].clamp(1e-4, 1 - 1e-4)
        mixed = gain * (shared.sqrt() * excitation.noise[:, :1] + (1 - shared).sqrt() * excitation.noise[:, 1:])
        windows = torch.fft.irfft(mixed, NOISE_WINDOW) * self.window
        return tones + overlap_add(windows)


def overlap_add(windows: Tensor) -> Tensor:
    """(B, 2, F, W) windows that overlap by half -> (B, 2, F * W / 2); the last half window is cut off."""
    half = windows.shape[-1] // 2
    late = nn.functional.pad(windows[..., :-1, half:], (0, 0, 1, 0))
    return (windows[..., :half] + late).flatten(-2)
