"""A distance between sounds for a decoder that draws: the generalised spectral energy distance.

Gritsenko et al. 2020 (arXiv 2008.01160), equation 5: E = 2 E d(x, y) - E d(y, y') with y, y' two independent draws. It
is a proper scoring rule: it is least when the draws are distributed like x, so noise may be noise and need not guess
the grain of x. d is an L1 distance of magnitudes and of their logarithms at several windows.
"""

import torch
from torch import Tensor, nn

WINDOWS = (256, 512, 1024, 2048, 4096)
LOG_FLOOR = 1e-3


class SpectralDistance(nn.Module):
    """Precomputes nothing of the sounds: `spectra` once a sound, `between` for each pair."""

    def __init__(self, windows: tuple[int, ...] = WINDOWS) -> None:
        super().__init__()
        self.windows = windows
        for size in windows:
            self.register_buffer(f"hann_{size}", torch.hann_window(size), persistent=False)
            bins = torch.arange(size // 2 + 1)
            # Half of the weight is even over bins, half even over a logarithmic scale above about 100 Hz: the ear's.
            warped = 1 / (bins + size / 480)
            weight = 0.5 / len(bins) + 0.5 * warped / warped.sum()
            self.register_buffer(f"weight_{size}", weight[:, None], persistent=False)

    def spectra(self, sound: Tensor, windows: tuple[int, ...]) -> list[Tensor]:
        """Magnitudes of (S, N) signals, one tensor (S, bins, frames) a window, scaled so that white noise is flat."""
        found = []
        for size in windows:
            window = getattr(self, f"hann_{size}")
            stft = torch.stft(sound, size, size // 2, window=window, center=False, return_complex=True)
            power = stft.real.square() + stft.imag.square()
            found.append((power + 1e-12).sqrt() / window.square().sum().sqrt())
        return found

    def between(self, a: list[Tensor], b: list[Tensor], level: list[Tensor], windows: tuple[int, ...]) -> Tensor:
        """Mean distance; `level` (S, 1, 1) a window normalises the linear part, so that soft sounds count as much."""
        total = a[0].new_zeros(())
        for size, p, q, scale in zip(windows, a, b, level, strict=True):
            log = ((p + LOG_FLOOR * scale).log() - (q + LOG_FLOOR * scale).log()).abs()
            linear = (p - q).abs() / scale
            total = total + ((log + linear).mean(2, keepdim=True) * getattr(self, f"weight_{size}")).sum((1, 2)).mean()
        return total / len(windows)

    def energy(self, target: Tensor, draw: Tensor, other: Tensor, windows: tuple[int, ...] | None = None) -> Tensor:
        """The energy distance of two draws (S, N) from the target (S, N), at some of the windows or at all."""
        chosen = self.windows if windows is None else windows
        x, y, z = (self.spectra(sound, chosen) for sound in (target, draw, other))
        level = [p.mean((1, 2), keepdim=True) + 1e-4 for p in x]
        return self.between(x, y, level, chosen) + self.between(x, z, level, chosen) - self.between(y, z, level, chosen)
