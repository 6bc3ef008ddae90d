"""What teacher and student are shown: random chunks of latents with their conditions.

B batch, C latent channels, T latent frames, M sounds.
"""

from dataclasses import asdict

import torch
from torch import Tensor, nn

from engine.text import TextEncoder
from models.corpus import Captions, open_corpus
from models.denoiser import NO_EMOTION, Conditions
from models.work import Work

AT_REST = 0.5
"""How often dials are shown at rest for a sound whose emotions nobody knows, and a dial whose emotion the words name:
that is how such words will be played."""

SENTENCE_ALONE, SOUND_ALONE = 0.2, 0.1
"""How often the tokens are not heard, and how often it is the sound's own embedding that is heard alone: by example."""

UNCLEAR_SENTENCE, UNCLEAR_TOKENS = 1.6, 0.8
"""The most noise that is added to what words say, over its own size: the same sound is meant by words that lie around
those of the captions (conditioning augmentation, Ho et al. 2021, "Cascaded diffusion models", section 4)."""


def draw(high: int, count: int, generator: torch.Generator) -> Tensor:
    """Whole numbers (count,) in 0..high - 1."""
    return torch.randint(high, (count,), generator=generator)


def noisy(x: Tensor, amount: Tensor, generator: torch.Generator) -> Tensor:
    """x (..., E) with white noise of `amount` times its root mean square over E; zeros stay zeros."""
    size = x.square().mean(-1, keepdim=True).sqrt()
    return x + amount * size * torch.randn(x.shape, generator=generator)


class Picker:
    """Captions by the sound that they belong to."""

    def __init__(self, captions: Captions, sounds: int) -> None:
        self.captions = captions
        self.of_sound: list[list[int]] = [[] for _ in range(sounds)]
        for row, caption in captions.of_sound.tolist():
            self.of_sound[row].append(caption)

    def pick(self, rows: list[int], generator: torch.Generator) -> list[int]:
        """One caption at random of each of some sounds."""
        chances = torch.rand(len(rows), generator=generator).tolist()
        return [self.of_sound[r][int(p * len(self.of_sound[r]))] for r, p in zip(rows, chances, strict=True)]


class Chunks:
    """Random chunks of latents with their conditions."""

    def __init__(self, work: Work, words: TextEncoder) -> None:
        self.config = work.recipe.denoiser
        corpus = open_corpus(work.data)
        self.latents, self.dials = work.latents(corpus), corpus.dials()
        self.captions = Picker(work.captions(corpus, words), len(corpus.entries))
        with torch.no_grad():
            listen = work.sound_encoder()
            self.sounds = torch.cat([listen(piece) for piece in torch.split(self.latents, 64)])

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Conditions]:
        """x0 (B, C, T) and its conditions: half continue a full context, some a short one, the others start anew."""
        frames, most = self.config.chunk_frames, self.config.context_frames
        rows = draw(len(self.latents), count, generator).tolist()
        starts = draw(self.latents.shape[2] - frames + 1, count, generator).tolist()
        x0 = torch.stack([self.latents[r, :, s : s + frames] for r, s in zip(rows, starts, strict=True)])
        kind = torch.rand(count, generator=generator)
        length = torch.where(kind < 0.55, most, torch.where(kind < 0.65, draw(most, count, generator), 0))
        mask = (torch.arange(frames) < length[:, None]).float()[:, None]
        picked = self.captions.pick(rows, generator)
        sentences, tokens, heard = self.captions.captions.condition(picked)
        alone = torch.rand(count, 1, generator=generator)
        heard = heard * (alone >= SENTENCE_ALONE)
        sentences = torch.where(alone < SOUND_ALONE, self.sounds[rows], sentences)
        unclear = torch.rand(count, 1, generator=generator)
        sentences = nn.functional.normalize(noisy(sentences, UNCLEAR_SENTENCE * unclear, generator), dim=1)
        tokens = noisy(tokens, UNCLEAR_TOKENS * unclear[:, None], generator)
        emotion, rest = self.dials[rows], torch.rand(count, 1, generator=generator) < AT_REST
        unknown = (emotion == NO_EMOTION).all(1, keepdim=True)
        emotion = emotion.masked_fill(rest & (unknown | self.captions.captions.moods[picked]), 0.0)
        return x0, Conditions(x0 * mask, mask, sentences, tokens, heard, emotion)

    def shape(self) -> dict[str, object]:
        """What a checkpoint of a denoiser says of itself."""
        return {"denoiser": asdict(self.config)}
