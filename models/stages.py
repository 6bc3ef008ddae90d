"""The trainings, one after the other: encoder, decoder, clasp, teacher, student. Each reads what those before left.

A work folder holds `data/` (made by `aeolia data`) and one checkpoint a stage.
B batch, C latent channels, T latent frames, N samples.
"""

import copy
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor, nn

from engine.synthesis import DELAY_SAMPLES, HOP
from engine.text import TextEncoder
from models.analysis import Analysis, analysis_loss
from models.chunks import Chunks, Picker, draw
from models.clasp import Clasp
from models.codec import Decoder, FeatureAutoencoder
from models.corpus import Corpus, features_of, open_corpus
from models.denoiser import Denoiser
from models.diffusion import teacher_loss
from models.distill import distillation_loss
from models.spectral import WINDOWS, SpectralDistance
from models.synthesis import Synthesis
from models.train import Average, train
from models.work import Work


def cut(corpus: Corpus, sound: int, sample: int, hops: int) -> Tensor:
    """(2, hops * HOP) samples from `sample` on; silence where the sound has none."""
    piece = corpus.sounds[sound, :, max(sample, 0) : sample + hops * HOP].astype(np.float32) / 32768
    found = torch.from_numpy(piece)
    return nn.functional.pad(found, (max(-sample, 0), hops * HOP - found.shape[1] - max(-sample, 0)))


def train_encoder(work: Work) -> None:
    """Fits the feature statistics, then the feature autoencoder."""
    recipe, corpus = work.recipe, open_corpus(work.data)
    features = features_of(corpus)
    net = FeatureAutoencoder(recipe.codec)

    def batch(count: int, generator: torch.Generator) -> Tensor:
        rows = draw(len(corpus.entries), count, generator).tolist()
        starts = draw(corpus.frames - recipe.encoder_frames + 1, count, generator).tolist()
        crops = [features[r, :, s : s + recipe.encoder_frames] for r, s in zip(rows, starts, strict=True)]
        return torch.from_numpy(np.stack(crops).astype(np.float32))

    with torch.no_grad():
        seen = batch(16 * recipe.encoder_batch, torch.Generator().manual_seed(recipe.encoder_schedule.seed))
        net.encoder.mean.copy_(seen.mean((0, 2))[:, None])
        net.encoder.deviation.copy_(seen.std((0, 2))[:, None] + 0.1)
    train(
        net,
        lambda generator, step: net.loss(batch(recipe.encoder_batch, generator), generator),
        recipe.encoder_schedule,
        work.path("encoder"),
        {"codec": asdict(recipe.codec)},
    )


def train_decoder(work: Work) -> None:
    """The decoder alone, on latents of the trained encoder, by the energy distance of two draws."""
    recipe, corpus = work.recipe, open_corpus(work.data)
    latents, net = work.latents(corpus), Decoder(recipe.codec)
    synthesis, distance, analysis = Synthesis(), SpectralDistance(), Analysis()
    lead, frames, noise = recipe.decoder_context, recipe.decoder_frames, recipe.codec.latent_noise

    def loss(generator: torch.Generator, step: int) -> Tensor:
        rows = draw(len(latents), recipe.decoder_batch, generator).tolist()
        starts = draw(latents.shape[2] - lead - frames + 1, recipe.decoder_batch, generator).tolist()
        given = torch.stack([latents[r, :, s : s + lead + frames] for r, s in zip(rows, starts, strict=True)])
        given = given + noise * torch.randn(given.shape, generator=generator)
        heard = slice(lead - 1, None)  # one frame more: the first hop has no tail before it
        tone, gain, coherence = (a[:, heard] for a in net(given, *net.state(len(rows)))[:3])
        first = [(s + lead) * HOP - DELAY_SAMPLES for s in starts]
        around = torch.stack([cut(corpus, r, n - 3 * HOP, frames + 5) for r, n in zip(rows, first, strict=True)])
        if step < recipe.decoder_analysis:
            return analysis_loss(tone, gain, analysis(around))
        target = around[..., 3 * HOP : -2 * HOP]
        draws = [
            synthesis(tone, gain, coherence, synthesis.draw(len(rows), frames + 1, generator))[..., HOP:]
            for _ in range(2)
        ]
        sides = [target, *draws]
        if step // 2 % 2:  # middle and side instead of left and right: width matters as much
            sides = [torch.stack([s.mean(1), (s[:, 0] - s[:, 1]) / 2], 1) for s in sides]
        x, y, z = (s.flatten(0, 1) for s in sides)
        return distance.energy(x, y, z, windows=WINDOWS[step % 2 :: 2])

    meta = {"codec": asdict(recipe.codec), "loss": "generalised spectral energy distance"}
    train(net, loss, recipe.decoder_schedule, work.path("decoder"), meta)


def train_clasp(work: Work, words: TextEncoder) -> None:
    """The sounds' side of CLASP, on pieces of latents with the codec's noise and one of their captions each."""
    recipe, corpus = work.recipe, open_corpus(work.data)
    latents, captions = work.latents(corpus), Picker(work.captions(corpus, words), len(corpus.entries))
    net, (shortest, longest) = Clasp(recipe.clasp), recipe.clasp_frames

    def loss(generator: torch.Generator, step: int) -> Tensor:
        frames = shortest + int(draw(longest - shortest + 1, 1, generator))
        rows = draw(len(latents), recipe.clasp_batch, generator).tolist()
        starts = draw(latents.shape[2] - frames + 1, recipe.clasp_batch, generator).tolist()
        heard = torch.stack([latents[r, :, s : s + frames] for r, s in zip(rows, starts, strict=True)])
        heard = heard + recipe.codec.latent_noise * torch.randn(heard.shape, generator=generator)
        return net.loss(heard, captions.captions.sentences[captions.pick(rows, generator)])

    train(net, loss, recipe.clasp_schedule, work.path("clasp"), {"clasp": asdict(recipe.clasp)})


def train_teacher(work: Work, words: TextEncoder) -> None:
    """The diffusion teacher; a tenth of the examples has neither words nor emotions."""
    recipe, chunks, net = work.recipe, Chunks(work, words), Denoiser(work.recipe.denoiser)

    def loss(generator: torch.Generator, step: int) -> Tensor:
        x0, given = chunks.batch(recipe.teacher_batch, generator)
        return teacher_loss(net, x0, given.dropped(torch.rand(len(x0), generator=generator) < 0.1), generator)

    train(net, loss, recipe.teacher_schedule, work.path("teacher"), chunks.shape())


def train_student(work: Work, words: TextEncoder) -> None:
    """Distils the teacher; the target net is a moving average of the student."""
    recipe, chunks, teacher = work.recipe, Chunks(work, words), work.denoiser("teacher")
    net = copy.deepcopy(teacher).requires_grad_(True)
    target, average = copy.deepcopy(teacher), Average(net, 0.95)
    average.tensors = target.state_dict()  # shares memory with the target

    def loss(generator: torch.Generator, step: int) -> Tensor:
        x0, given = chunks.batch(recipe.student_batch, generator)
        return distillation_loss(net, target, teacher, x0, given, recipe.student_grid, generator)

    def follow(step: int) -> None:
        average.update(net, step)

    schedule = recipe.student_schedule
    train(net, loss, schedule, work.path("student"), chunks.shape(), after_step=follow, kept=average.tensors)


def run(work: Work, stage: str, words: TextEncoder) -> None:
    """Runs one stage to its end, going on from its checkpoint where there is one."""
    torch.manual_seed(work.recipe.encoder_schedule.seed)
    match stage:
        case "encoder":
            train_encoder(work)
        case "decoder":
            train_decoder(work)
        case "clasp":
            train_clasp(work, words)
        case "teacher":
            train_teacher(work, words)
        case "student":
            train_student(work, words)
        case _:
            raise ValueError(f"stage {stage!r}: must be one of encoder, decoder, clasp, teacher, student")
