"""The denoiser: a 1-D U-Net over a chunk of latents, conditioned on words, emotions and the tail of what came before.

Words are heard twice: as a sentence that steers every block (FiLM), and token by token through cross-attention
(Rombach et al. 2022, "Latent diffusion"), where the sentence goes first.
B batch, C latent channels, T latent frames, L tokens, E numbers in a text embedding, W width.
"""

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

NO_EMOTION = -1.0
"""What the dials read when emotions are dropped; a dial at rest is 0."""


@dataclass(frozen=True)
class Conditions:
    """What a chunk is conditioned on: `context` (B, C, T), clean where `mask` (B, 1, T) is 1 and 0 elsewhere; `text`
    (B, E) of unit length, or 0 for none; `tokens` (B, L, E), of which those count whose `tokens_mask` (B, L) is 1;
    `emotion` (B, 4) dials / 10, or NO_EMOTION.
    """

    context: Tensor
    mask: Tensor
    text: Tensor
    tokens: Tensor
    tokens_mask: Tensor
    emotion: Tensor

    def dropped(self, which: Tensor | None = None) -> "Conditions":
        """The same, where `which` (B,) is true (everywhere if None), with neither words nor emotions.

        It is the other end of classifier-free guidance (Ho and Salimans 2022).
        """
        gone = torch.ones_like(self.text[:, :1], dtype=torch.bool) if which is None else which[:, None]
        return replace(
            self,
            text=self.text.masked_fill(gone, 0.0),
            tokens_mask=self.tokens_mask.masked_fill(gone, 0.0),
            emotion=self.emotion.masked_fill(gone, NO_EMOTION),
        )

    def and_then(self, other: "Conditions") -> "Conditions":
        """Both, one batch after the other."""
        return Conditions(*(torch.cat([getattr(c, field.name) for c in (self, other)]) for field in fields(self)))


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of the U-Net. `widths` one for each level, each level at half the frames of the one above."""

    latent_channels: int = 48
    chunk_frames: int = 64
    context_frames: int = 16
    text: int = 384
    emotions: int = 4
    widths: tuple[int, ...] = (64, 128, 192)
    blocks: int = 2
    condition: int = 256
    heads: int = 4
    token_width: int = 128
    """What a token is reduced to before the attentions read it."""


class Residual(nn.Module):
    """Two convolutions on (B, inputs, T); the condition scales and shifts between them (FiLM, Perez et al. 2018)."""

    def __init__(self, inputs: int, width: int, condition: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, inputs), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv1d(inputs, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1)
        self.film = nn.Linear(condition, 2 * width)
        self.skip = nn.Conv1d(inputs, width, 1) if inputs != width else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.film(condition)[..., None].chunk(2, 1)
        y = self.conv1(nn.functional.silu(self.norm1(x)))
        y = self.conv2(nn.functional.silu(self.norm2(y) * (1 + scale) + shift))
        summed: Tensor = self.skip(x) + y
        return summed


class Attention(nn.Module):
    """Self-attention over the frames of (B, W, T), with learned positions."""

    def __init__(self, width: int, heads: int, frames: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.position = nn.Parameter(torch.randn(width, frames) * 0.02)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.out = nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.norm(x) + self.position)
        q, k, v = qkv.unflatten(1, (3, self.heads, -1)).transpose(-1, -2).unbind(1)  # (B, heads, T, W / heads)
        y = nn.functional.scaled_dot_product_attention(q, k, v).transpose(-1, -2).flatten(1, 2)
        attended: Tensor = x + self.out(y)
        return attended


class CrossAttention(nn.Module):
    """Attention of the frames of (B, W, T) to tokens (B, L, V), of which those with a bias (B, 1, 1, L) of 0 count."""

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width)
        self.query = nn.Conv1d(width, width, 1)
        self.key, self.value = nn.Linear(tokens, width), nn.Linear(tokens, width)
        self.out = nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        q = self.query(self.norm(x)).unflatten(1, (self.heads, -1)).transpose(-1, -2)  # (B, heads, T, W / heads)
        k, v = (f(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.key, self.value))
        y = nn.functional.scaled_dot_product_attention(q, k, v, bias).transpose(-1, -2).flatten(1, 2)
        attended: Tensor = x + self.out(y)
        return attended


def angles(t: Tensor, size: int) -> Tensor:
    """Fourier features (B, size) of diffusion times t (B,) in 0..pi/2."""
    rates = torch.exp(torch.linspace(math.log(0.5), math.log(64.0), size // 2, device=t.device))
    phase = t[:, None] * rates
    return torch.cat([phase.sin(), phase.cos()], 1)


class Denoiser(nn.Module):
    """Predicts the velocity v of a noisy chunk (see models.diffusion)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        c, widths = config.condition, config.widths
        self.time = nn.Sequential(nn.Linear(64, c), nn.SiLU(), nn.Linear(c, c))
        self.words = nn.Sequential(nn.Linear(config.text, c), nn.SiLU(), nn.Linear(c, c))
        self.read = nn.Sequential(nn.LayerNorm(config.text), nn.Linear(config.text, config.token_width))
        self.feeling = nn.Sequential(nn.Linear(config.emotions, c), nn.SiLU(), nn.Linear(c, c))
        self.guidance = nn.Sequential(nn.Linear(1, c), nn.SiLU(), nn.Linear(c, c))
        for start in self.guidance[2].parameters():  # without guidance the net is what it was
            nn.init.zeros_(start)
        self.enter = nn.Conv1d(2 * config.latent_channels + 1, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = widths[0]
        for width in widths:
            inputs = [before] + [width] * (config.blocks - 1)
            self.down.append(nn.ModuleList(Residual(i, width, c) for i in inputs))
            before = width
        for width in reversed(widths):
            inputs = [before + width] + [width] * (config.blocks - 1)
            self.up.append(nn.ModuleList(Residual(i, width, c) for i in inputs))
            before = width
        bottom = config.chunk_frames >> (len(widths) - 1)
        self.middle = nn.ModuleList([Residual(widths[-1], widths[-1], c) for _ in range(2)])
        self.attention = Attention(widths[-1], config.heads, bottom)
        self.listening = nn.ModuleList(CrossAttention(widths[-1], config.heads, config.token_width) for _ in range(2))
        self.leave = nn.Sequential(
            nn.GroupNorm(8, widths[0]), nn.SiLU(), nn.Conv1d(widths[0], config.latent_channels, 3, padding=1)
        )
        nn.init.zeros_(self.leave[2].get_parameter("weight"))

    def forward(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
        """Velocity (B, C, T) of the noisy x (B, C, T) at time t (B,) in 0..pi/2; guidance (B,): the scale that is
        folded in (a teacher: 0).
        """
        text = given.text * math.sqrt(given.text.shape[1])
        condition = self.time(angles(t, 64)) + self.words(text) + self.feeling(given.emotion)
        condition = nn.functional.silu(condition + self.guidance(guidance[:, None] / 5))
        tokens = self.read(torch.cat([text[:, None], given.tokens], 1))
        unheard = nn.functional.pad(1 - given.tokens_mask, (1, 0))  # the sentence always counts
        bias = (-1e4 * unheard)[:, None, None]
        h = self.enter(torch.cat([x, given.context, given.mask], 1))
        skips = []
        for level, blocks in enumerate(self.down):
            if level:
                h = nn.functional.avg_pool1d(h, 2)
            for block in blocks:  # type: ignore[attr-defined] # a ModuleList knows only that it holds modules
                h = block(h, condition)
            skips.append(h)
        h = self.listening[0](self.middle[0](h, condition), tokens, bias)
        h = self.middle[1](self.attention(h), condition)
        h = self.listening[1](h, tokens, bias)
        for level, blocks in enumerate(self.up):
            if level:
                h = nn.functional.interpolate(h, scale_factor=2.0, mode="nearest")
            h = torch.cat([h, skips.pop()], 1)
            for block in blocks:  # type: ignore[attr-defined] # a ModuleList knows only that it holds modules
                h = block(h, condition)
        velocity: Tensor = self.leave(h)
        return velocity
