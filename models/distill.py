"""Consistency distillation: a student that goes from any noise level to the sound at once, guidance folded in.

Song et al. 2023 ("Consistency models", algorithm 2) with the guided teacher step of Luo et al. 2023 ("Latent
consistency models", equation 12) on the path of models.diffusion; f(x, t) = cos(t) x - sin(t) F(x, t), so f(x, 0) = x
holds by construction. B batch, C latent channels, T latent frames.
"""

import math

import torch
from torch import Tensor

from models.denoiser import Conditions, Denoiser
from models.diffusion import denoised, guided, noised, rotated

GUIDANCE = (1.0, 6.0)
"""The range of guidance scales that the student learns."""


def consistency(net: Denoiser, x: Tensor, t: Tensor, given: Conditions, scale: Tensor) -> Tensor:
    """f(x, t): the sound (B, C, T) that the student sees in x at time t with guidance `scale` (B,)."""
    v = net(x, t, given, scale)
    return denoised(x, v, t)


def distillation_loss(
    student: Denoiser,
    target: Denoiser,
    teacher: Denoiser,
    x0: Tensor,
    given: Conditions,
    grid: int,
    generator: torch.Generator,
) -> Tensor:
    """Pseudo-Huber distance (Song and Dhariwal 2023, equation 7) of f(x_t, t) to f_target(x_s, s).

    s lies one of `grid` even steps below t, and x_s is reached from x_t by one guided teacher step.
    """
    batch = len(x0)
    step = torch.randint(1, grid + 1, (batch,), generator=generator)
    t, s = step * (math.pi / 2 / grid), (step - 1) * (math.pi / 2 / grid)
    scale = GUIDANCE[0] + (GUIDANCE[1] - GUIDANCE[0]) * torch.rand(batch, generator=generator)
    x = noised(x0, torch.randn(x0.shape, generator=generator), t)
    with torch.no_grad():
        below = rotated(x, guided(teacher, x, t, given, scale), t, s)
        goal = consistency(target, below, s, given, scale)
    error = (consistency(student, x, t, given, scale) - goal).square() * (1 - given.mask)
    size = 0.03 * math.sqrt(x0.shape[1] * x0.shape[2])
    return (torch.sqrt(error.sum((1, 2)) + size**2) - size).mean() / size


@torch.no_grad()
def sample(net: Denoiser, noises: Tensor, given: Conditions, scale: float) -> Tensor:
    """Multi-step consistency sampling (Song et al. 2023, algorithm 1): noises (steps, B, C, T) -> (B, C, T).

    Step i renoises to pi/2 (1 - i / steps) with noises[i], which must be independent of those before.
    """
    steps, batch = noises.shape[:2]
    scales, x0 = torch.full((batch,), scale), torch.zeros_like(noises[0])
    for i, z in enumerate(noises):
        t = torch.full((batch,), math.pi / 2 * (1 - i / steps))
        x0 = consistency(net, noised(x0, z, t), t, given, scales)
        x0 = torch.where(given.mask > 0, given.context, x0)
    return x0
