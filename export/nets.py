"""What each net looks like to the engine: wrappers with the bundle's input and output names, and example inputs."""

import torch
from torch import Tensor, nn

from models.codec import Decoder, Encoder
from models.denoiser import Denoiser
from models.diffusion import Conditions
from models.distill import consistency


class Student(nn.Module):
    """x, t and conditions to x0 (B, C, T)."""

    inputs = ("x", "t", "context", "mask", "text", "emotion", "guidance")
    outputs = ("x0",)

    def __init__(self, net: Denoiser) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, x: Tensor, t: Tensor, context: Tensor, mask: Tensor, text: Tensor, emotion: Tensor, guidance: Tensor
    ) -> Tensor:
        return consistency(self.net, x, t, Conditions(context, mask, text, emotion), guidance)

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random inputs of a chunk with half a context."""
        c = self.net.config
        shape = (1, c.latent_channels, c.chunk_frames)
        mask = (torch.arange(c.chunk_frames) < c.context_frames).float()[None, None]
        return {
            "x": torch.randn(shape, generator=generator),
            "t": torch.rand(1, generator=generator) * 1.5,
            "context": torch.randn(shape, generator=generator) * mask,
            "mask": mask,
            "text": nn.functional.normalize(torch.randn(1, c.text, generator=generator)),
            "emotion": torch.rand(1, c.emotions, generator=generator),
            "guidance": torch.full((1,), 3.0),
        }


class StreamingDecoder(nn.Module):
    """latents (1, C, T) and the state to the amplitudes of engine.synthesis and the state after."""

    inputs = ("latents", "before", "past")
    outputs = ("tone", "noise", "coherence", "before_next", "past_next")

    def __init__(self, net: Decoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, latents: Tensor, before: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        result: tuple[Tensor, ...] = self.net(latents, before, past)
        return result

    def example(self, generator: torch.Generator, frames: int = 2) -> dict[str, Tensor]:
        """Random latents after a random state."""
        before, past = self.net.state()
        latents = torch.randn(1, self.net.config.latent_channels, frames, generator=generator)
        before, past = (torch.randn(state.shape, generator=generator) for state in (before, past))
        return {"latents": latents, "before": before, "past": past}


class FeatureEncoder(nn.Module):
    """features (1, F, T) of models.features to latents (1, C, T)."""

    inputs = ("features",)
    outputs = ("latents",)

    def __init__(self, net: Encoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, features: Tensor) -> Tensor:
        latents: Tensor = self.net(features)
        return latents

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random features of 20 frames."""
        return {"features": torch.randn(1, self.net.mean.shape[0], 20, generator=generator)}


class EmotionShift(nn.Module):
    """latents (1, C, T) moved by `delta` (1, 4) dials / 10 along learned directions (4, C)."""

    directions: Tensor
    inputs = ("latents", "delta")
    outputs = ("moved",)

    def __init__(self, directions: Tensor) -> None:
        super().__init__()
        self.register_buffer("directions", directions)

    def forward(self, latents: Tensor, delta: Tensor) -> Tensor:
        return latents + (delta @ self.directions)[..., None]

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random inputs of three frames."""
        channels = self.directions.shape[1]
        delta = torch.rand(1, 4, generator=generator) - 0.5
        return {"latents": torch.randn(1, channels, 3, generator=generator), "delta": delta}
