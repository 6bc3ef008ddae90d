"""What each net looks like to the engine: wrappers with the bundle's input and output names, and example inputs."""

import torch
from torch import Tensor, nn

from engine.bundle import CONDITION_TOKENS
from engine.synthesis import NOISE_BANDS, NOISE_FRAMES
from models.clasp import SoundEncoder
from models.codec import KERNEL, ConvNeXt, Decoder, Encoder
from models.denoiser import Conditions, Denoiser
from models.distill import consistency


class Student(nn.Module):
    """x, t and conditions to x0 (B, C, T)."""

    inputs = ("x", "t", "context", "mask", "text", "tokens", "tokens_mask", "emotion", "guidance")
    outputs = ("x0",)

    def __init__(self, net: Denoiser) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        context: Tensor,
        mask: Tensor,
        text: Tensor,
        tokens: Tensor,
        tokens_mask: Tensor,
        emotion: Tensor,
        guidance: Tensor,
    ) -> Tensor:
        return consistency(self.net, x, t, Conditions(context, mask, text, tokens, tokens_mask, emotion), guidance)

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
            "tokens": torch.randn(1, CONDITION_TOKENS, c.text, generator=generator),
            "tokens_mask": (torch.arange(CONDITION_TOKENS) < 7).float()[None],
            "emotion": torch.rand(1, c.emotions, generator=generator),
            "guidance": torch.full((1,), 3.0),
        }


class StreamingDecoder(nn.Module):
    """One frame: latents (1, C) and the state to the amplitudes of engine.synthesis and the state after.

    tone (1, 2 * K), noise (1, P * 2 * G), coherence (1, P * G). State: the two latent frames before, (1, 2 * C), and
    what the kernels of the L blocks have seen, (KERNEL - 1, L * W). The sum is that of models.codec.Decoder, for one
    frame at a time and with as few nodes as can be: at this size, most cost more than the arithmetic they do.
    """

    inputs = ("latents", "before", "past")
    outputs = ("tone", "noise", "coherence", "before_next", "past_next")
    past_taps: Tensor
    last_tap: Tensor
    tap_bias: Tensor

    @torch.no_grad()
    def __init__(self, net: Decoder) -> None:
        super().__init__()
        self.config, blocks = net.config, [block for block in net.blocks if isinstance(block, ConvNeXt)]
        taps = torch.cat([block.depthwise.weight[:, 0].T for block in blocks], 1)  # (KERNEL, L * W)
        self.register_buffer("past_taps", taps[:-1])
        self.register_buffer("last_tap", taps[-1:])
        self.register_buffer("tap_bias", torch.cat([bias_of(block.depthwise) for block in blocks])[None])
        self.enter = Product(net.enter.weight.permute(2, 1, 0).flatten(0, 1), bias_of(net.enter))
        self.norms = nn.ModuleList(block.norm for block in blocks)
        self.rises = nn.ModuleList(Product(block.rise.weight.T, bias_of(block.rise)) for block in blocks)
        self.falls = nn.ModuleList(
            Product(block.fall.weight.T * block.scale, bias_of(block.fall) * block.scale) for block in blocks
        )
        self.norm = net.norm
        weight = net.noise.weight.reshape(NOISE_FRAMES, 3, NOISE_BANDS, -1)
        bias = bias_of(net.noise).reshape(NOISE_FRAMES, 3, NOISE_BANDS)
        self.leave = Product(  # tones, noise gains, coherence: one product
            torch.cat([net.tone.weight, weight[:, :2].flatten(0, 2), weight[:, 2].flatten(0, 1)]).T,
            torch.cat([bias_of(net.tone), bias[:, :2].flatten(), bias[:, 2].flatten()]),
        )
        self.sizes = [2 * net.oscillators, NOISE_FRAMES * 2 * NOISE_BANDS, NOISE_FRAMES * NOISE_BANDS]

    def forward(self, latents: Tensor, before: Tensor, past: Tensor) -> tuple[Tensor, ...]:
        entered = torch.cat([before, latents], 1)
        x = self.enter(entered)
        width = x.shape[1]
        reach = torch.split((past * self.past_taps).sum(0, keepdim=True) + self.tap_bias, width, 1)
        last_tap = torch.split(self.last_tap, width, 1)
        seen = []
        for i, (norm, rise, fall) in enumerate(zip(self.norms, self.rises, self.falls, strict=True)):
            seen.append(x)
            y = norm(reach[i] + x * last_tap[i])
            x = x + fall(nn.functional.gelu(rise(y), approximate="tanh"))
        said = self.leave(self.norm(x))
        loud, coherence = torch.split(said, [sum(self.sizes[:2]), self.sizes[2]], 1)
        tone, noise = torch.split(loud.clamp(-14.0, 2.0).exp(), self.sizes[:2], 1)
        past_next = torch.cat([past[1:], torch.cat(seen, 1)])
        return tone, noise, torch.sigmoid(coherence), entered[:, latents.shape[1] :], past_next

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random latents after a random state."""
        c = self.config
        return {
            "latents": torch.randn(1, c.latent_channels, generator=generator),
            "before": torch.randn(1, 2 * c.latent_channels, generator=generator),
            "past": torch.randn(KERNEL - 1, c.decoder_layers * c.decoder_width, generator=generator),
        }


class Product(nn.Module):
    """(1, inputs) times a matrix (inputs, outputs) plus a bias: written so that it becomes a MatMul and an Add."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().contiguous())
        self.register_buffer("bias", bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + self.bias


def bias_of(layer: nn.Conv1d | nn.Linear) -> Tensor:
    """The bias of a layer, which all layers here have."""
    if layer.bias is None:
        raise ValueError(f"{layer}: must have a bias")
    return layer.bias


class FeatureEncoder(nn.Module):
    """features (1, F, T) of engine.features to latents (1, C, T)."""

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


class SoundEmbedding(nn.Module):
    """latents (1, C, T) to the embedding (1, E) that words for them would have."""

    inputs = ("latents",)
    outputs = ("embedding",)

    def __init__(self, net: SoundEncoder) -> None:
        super().__init__()
        self.net = net

    def forward(self, latents: Tensor) -> Tensor:
        embedding: Tensor = self.net(latents)
        return embedding

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random latents of 20 frames."""
        return {"latents": torch.randn(1, self.net.enter.in_channels, 20, generator=generator)}


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
