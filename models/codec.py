"""The codec: sound to latents and back.

Encoder: spectral features to C latents a frame (46.875 Hz), of unit variance each. It is trained as an autoencoder of
its own features with noise on the latents, so that near latents mean near sounds. Decoder: causal ConvNeXt (Liu et al.
2022; as a vocoder: Siuzdak 2023, "Vocos") that turns latents into the amplitudes of `engine.synthesis`.
B batch, C latent channels, F features, W width, T latent frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.features import FEATURES, PITCH_BANDS
from engine.synthesis import NOISE_BANDS, NOISE_FRAMES, oscillator_hz

KERNEL = 7
PITCH_WEIGHT, PITCH_FRAMES = 3.0, 5
"""What the pitch bands count in the encoder's loss, and over how many frames their power is averaged there: lines that
stay are worth latents, the chance in the bands of a noise is not."""


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the codec. `latent_noise` is the deviation of the noise that encoder and decoder must live with."""

    latent_channels: int = 48
    encoder_width: int = 256
    encoder_layers: int = 3
    decoder_width: int = 256
    decoder_layers: int = 4
    decoder_expansion: int = 4
    expansion: int = 3
    latent_noise: float = 0.1


class ConvNeXt(nn.Module):
    """One block on (B, W, T). `lookahead` frames of its KERNEL lie in the future: 0 is causal."""

    def __init__(self, width: int, expansion: int, lookahead: int) -> None:
        super().__init__()
        self.pad = (KERNEL - 1 - lookahead, lookahead)
        self.depthwise = nn.Conv1d(width, width, KERNEL, groups=width)
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, expansion * width)
        self.fall = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor, past: Tensor | None = None) -> Tensor:
        """`past` (B, W, KERNEL - 1) goes before x in place of zeros (causal blocks only)."""
        padded = nn.functional.pad(x, self.pad) if past is None else torch.cat([past, x], -1)
        y = self.norm(self.depthwise(padded).transpose(1, 2))
        y = self.fall(nn.functional.gelu(self.rise(y), approximate="tanh")) * self.scale
        summed: Tensor = x + y.transpose(1, 2)
        return summed


class FeatureStack(nn.Module):
    """(B, inputs, T) -> (B, outputs, T): ConvNeXt blocks that look both ways."""

    def __init__(self, inputs: int, outputs: int, config: CodecConfig) -> None:
        super().__init__()
        width = config.encoder_width
        self.enter = nn.Conv1d(inputs, width, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ConvNeXt(width, config.expansion, KERNEL // 2) for _ in range(config.encoder_layers))
        )
        self.leave = nn.Conv1d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.leave(self.blocks(self.enter(x)))
        return y


class Encoder(nn.Module):
    """Features (B, F, T) to latents (B, C, T), each channel of mean 0 and variance 1 over the training sounds."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES, 1))
        self.register_buffer("deviation", torch.ones(FEATURES, 1))
        self.stack = FeatureStack(FEATURES, config.latent_channels, config)
        self.norm = nn.BatchNorm1d(config.latent_channels, affine=False, momentum=0.02)

    def standardise(self, features: Tensor) -> Tensor:
        """Features of mean 0 and deviation 1 over the training sounds (a little less: the deviation is floored)."""
        return (features - self.mean) / self.deviation

    def forward(self, features: Tensor) -> Tensor:
        latents: Tensor = self.norm(self.stack(self.standardise(features)))
        return latents


class FeatureAutoencoder(nn.Module):
    """The encoder with the features' way back, which only training needs."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.noise = config.latent_noise
        self.encoder = Encoder(config)
        self.back = FeatureStack(config.latent_channels, FEATURES, config)

    def loss(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Weighted mean of L1 + L2/2 of the standardised features, the pitch bands' steadied, after latent noise."""
        latents = self.encoder(features)
        noise = torch.randn(latents.shape, generator=generator)
        pitch, others = features[:, :PITCH_BANDS], features[:, PITCH_BANDS:]
        wanted = self.encoder.standardise(torch.cat([steadied(pitch), others], 1))
        error = self.back(latents + self.noise * noise) - wanted
        each = (error.abs() + error.square() / 2).mean((0, 2))
        weight = torch.where(torch.arange(FEATURES) < PITCH_BANDS, PITCH_WEIGHT, 1.0)
        weighted: Tensor = (weight * each).sum() / weight.sum()
        return weighted


def steadied(log_power: Tensor) -> Tensor:
    """Log power (B, bands, T), averaged as power over PITCH_FRAMES frames around each."""
    power = nn.functional.avg_pool1d(log_power.exp(), PITCH_FRAMES, 1, PITCH_FRAMES // 2, count_include_pad=False)
    return power.log()


class Decoder(nn.Module):
    """Latents (B, C, T) to the amplitudes of `engine.synthesis`; causal: it can run frame by frame with a state."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        width, self.oscillators = config.decoder_width, len(oscillator_hz())
        self.enter = nn.Conv1d(config.latent_channels, width, 3)
        self.blocks = nn.ModuleList(ConvNeXt(width, config.decoder_expansion, 0) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(width)
        self.tone = nn.Linear(width, 2 * self.oscillators)
        self.noise = nn.Linear(width, NOISE_FRAMES * 3 * NOISE_BANDS)
        nn.init.constant_(self.tone.bias, -7.0)
        nn.init.constant_(self.noise.bias, -4.0)
        with torch.no_grad():
            self.tone.weight *= 0.3
            self.noise.weight *= 0.3

    def state(self, batch: int = 1) -> tuple[Tensor, Tensor]:
        """The state before the first frame: latents (B, C, 2) and block inputs (B, L, W, KERNEL - 1)."""
        c = self.config
        return (
            torch.zeros(batch, c.latent_channels, 2),
            torch.zeros(batch, c.decoder_layers, c.decoder_width, KERNEL - 1),
        )

    def forward(self, latents: Tensor, before: Tensor, past: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Returns tone (B, T, 2, K), noise (B, T, P, 2, G), coherence (B, T, P, G) and the state after the T frames."""
        entered = torch.cat([before, latents], -1)
        x = self.enter(entered)
        kept = []
        for i, block in enumerate(self.blocks):
            kept.append(torch.cat([past[:, i], x], -1)[..., -(KERNEL - 1) :])
            x = block(x, past[:, i])
        x = self.norm(x.transpose(1, 2))
        tone = self.tone(x).clamp(-14.0, 2.0).exp().unflatten(-1, (2, self.oscillators))
        noise = self.noise(x).unflatten(-1, (NOISE_FRAMES, 3, NOISE_BANDS))
        gain = noise[..., :2, :].clamp(-14.0, 2.0).exp()
        coherence = torch.sigmoid(noise[..., 2, :])
        return tone, gain, coherence, entered[..., -2:], torch.stack(kept, 1)
