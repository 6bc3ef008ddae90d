"""Diffusion on the circle: x_t = cos(t) x0 + sin(t) z, t in 0..pi/2, v = cos(t) z - sin(t) x0.

Salimans and Ho 2022 (v-objective); the same path as TrigFlow (Lu and Song 2024) with sigma_data = 1.
B batch, C latent channels, T latent frames.
"""

import itertools
import math

import torch
from torch import Tensor

from models.denoiser import Conditions, Denoiser


def at(t: Tensor) -> Tensor:
    """(B,) times, shaped to go with (B, C, T)."""
    return t[:, None, None]


def noised(x0: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """x_t = cos(t) x0 + sin(t) z."""
    return at(t.cos()) * x0 + at(t.sin()) * z


def velocity(x0: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """v = cos(t) z - sin(t) x0, the derivative of x_t."""
    return at(t.cos()) * z - at(t.sin()) * x0


def denoised(x: Tensor, v: Tensor, t: Tensor) -> Tensor:
    """x0 = cos(t) x - sin(t) v."""
    return at(t.cos()) * x - at(t.sin()) * v


def rotated(x: Tensor, v: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """The deterministic step (DDIM, Song et al. 2021) from time t to s: cos(s - t) x + sin(s - t) v."""
    return at((s - t).cos()) * x + at((s - t).sin()) * v


def guided(net: Denoiser, x: Tensor, t: Tensor, given: Conditions, scale: Tensor) -> Tensor:
    """Velocity with guidance: v_none + scale (v_words - v_none); scale (B,), 1 is none."""
    twice = given.and_then(given.dropped())
    both = net(torch.cat([x, x]), torch.cat([t, t]), twice, torch.zeros(2 * len(t), device=t.device))
    words, nothing = both.chunk(2)
    v: Tensor = nothing + at(scale) * (words - nothing)
    return v


def random_times(batch: int, generator: torch.Generator) -> Tensor:
    """Training times (B,): tan t log-normal (Karras et al. 2022, EDM, shifted to the middle of this path)."""
    return torch.atan(torch.exp(torch.randn(batch, generator=generator) * 1.2 + 0.2))


def teacher_loss(net: Denoiser, x0: Tensor, given: Conditions, generator: torch.Generator) -> Tensor:
    """Mean squared error of the velocity over the frames that are not given as context."""
    t = random_times(len(x0), generator)
    z = torch.randn(x0.shape, generator=generator)
    v = net(noised(x0, z, t), t, given, torch.zeros(len(t)))
    free = 1 - given.mask
    error = (v - velocity(x0, z, t)).square() * free
    mean: Tensor = error.sum() / (free.sum() * x0.shape[1])
    return mean


@torch.no_grad()
def sample(net: Denoiser, z: Tensor, given: Conditions, steps: int, scale: float) -> Tensor:
    """Latents (B, C, T) from noise z by `steps` deterministic steps of even angle: the teacher's way."""
    x, scales = z, torch.full((len(z),), scale)
    times = torch.linspace(math.pi / 2, 0.0, steps + 1)
    for now, then in itertools.pairwise(times):
        t = now.expand(len(z))
        x = rotated(x, guided(net, x, t, given, scales), t, then.expand(len(z)))
    return x
