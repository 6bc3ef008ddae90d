"""Few-step consistency sampling of one chunk of latents: a pure function of its arguments.

C latent channels, T frames of a chunk.
"""

import math

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from engine.bundle import Manifest
from engine.text import TextCondition

Float = NDArray[np.float32]


def noise(seed: int, channels: int, frames: int, step: int = 0) -> Float:
    """White noise (C, T) of unit variance, a function of the seed (0..2^64 - 1) and the step alone (Philox)."""
    generator = np.random.Generator(np.random.Philox(key=seed & (2**64 - 1), counter=[0, 0, 0, step]))
    return generator.standard_normal((channels, frames), np.float32)


def sample(
    student: onnxruntime.InferenceSession,
    manifest: Manifest,
    *,
    text: TextCondition,
    emotion: Float,
    context: Float | None,
    seed: int,
    steps: int,
    guidance: float,
) -> Float:
    """Latents (C, T): multi-step consistency sampling (Song et al. 2023, algorithm 1) on x_t = cos t x0 + sin t z.

    emotion (4,) 0..10; context (C, 0..context_frames) the latents before or None: the chunk
    begins with them; steps >= 1; guidance 0..10. Each step has noise of its own: x0 depends on the noise that it was
    made from, and mixed with that one again it would grow louder step by step.
    """
    shape = (manifest.latent_channels, manifest.chunk_frames)
    given, mask = np.zeros((1, *shape), np.float32), np.zeros((1, 1, shape[1]), np.float32)
    if context is not None:
        given[0, :, : context.shape[1]] = context
        mask[..., : context.shape[1]] = 1
    conditions = {
        "context": given,
        "mask": mask,
        "text": text.sentence[None],
        "tokens": text.tokens[None],
        "tokens_mask": text.mask[None],
        "emotion": emotion[None].astype(np.float32) / 10,
        "guidance": np.array([guidance], np.float32),
    }
    x0 = np.zeros((1, *shape), np.float32)
    for step in range(steps):
        t = math.pi / 2 * (1 - step / steps)
        x = np.float32(math.cos(t)) * x0 + np.float32(math.sin(t)) * noise(seed, *shape, step)
        (x0,) = student.run(None, {"x": x, "t": np.array([t], np.float32), **conditions})
        x0 = np.where(mask > 0, given, x0)
    return np.asarray(x0[0], np.float32)
