"""Sounds and words in one space (after CLASP, Ainur thesis 2023; CLAP, Elizalde et al. 2022): a sound's latents to the
embedding that its captions have.

The words' side is the sentence encoder as it is; only the sounds' side is trained. So a sound can stand in for words
wherever their embedding goes: it is a prompt, and it can be compared with any text.
B batch, C latent channels, T latent frames, E numbers in an embedding, W width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.codec import KERNEL, ConvNeXt

LIKENESS = 0.05
"""Temperature of the likeness of sentences that softens the targets: "wind" and "a breeze" are no opposites."""


@dataclass(frozen=True)
class ClaspConfig:
    """Sizes of the sounds' side."""

    latent_channels: int = 48
    embedding: int = 384
    width: int = 192
    layers: int = 3
    expansion: int = 3


class SoundEncoder(nn.Module):
    """Latents (B, C, T) of any length to unit embeddings (B, E): what is heard on average and how much it varies."""

    def __init__(self, config: ClaspConfig) -> None:
        super().__init__()
        width = config.width
        self.enter = nn.Conv1d(config.latent_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ConvNeXt(width, config.expansion, KERNEL // 2) for _ in range(config.layers)))
        self.leave = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, config.embedding)
        )

    def forward(self, latents: Tensor) -> Tensor:
        heard = self.blocks(self.enter(latents))
        average = heard.mean(2)
        spread = ((heard - average[..., None]).square().mean(2) + 1e-5).sqrt()
        return nn.functional.normalize(self.leave(torch.cat([average, spread], 1)), dim=1)


class Clasp(nn.Module):
    """The sounds' side and the scale of the comparison, which is learned."""

    def __init__(self, config: ClaspConfig) -> None:
        super().__init__()
        self.sounds = SoundEncoder(config)
        self.scale = nn.Parameter(torch.tensor(3.0))

    def loss(self, latents: Tensor, sentences: Tensor) -> Tensor:
        """Cross-entropy of who belongs to whom, both ways (Radford et al. 2021, "CLIP"), of latents (B, C, T) and
        sentences (B, E), against targets softened by how alike the sentences are, plus one minus the mean cosine.
        """
        sounds = self.sounds(latents)
        targets = (sentences @ sentences.T / LIKENESS).softmax(1)
        logits = sounds @ sentences.T * self.scale.exp().clamp(max=100)
        ways = nn.functional.cross_entropy(logits, targets) + nn.functional.cross_entropy(logits.T, targets)
        loss: Tensor = ways / 2 + 1 - (sounds * sentences).sum(1).mean()
        return loss
