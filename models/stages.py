"""The four trainings, one after the other: codec, clasp, teacher, student. Each reads what the one before left.

A work folder holds `data/` (made by `aeolia data`) and one checkpoint a stage.
B batch, C latent channels, T latent frames, N samples.
"""

import copy
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.errors import AeoliaError
from engine.synthesis import DELAY_SAMPLES, HOP
from engine.text import TextEncoder
from models import checkpoint
from models.analysis import Analysis, analysis_loss
from models.clasp import Clasp, ClaspConfig, SoundEncoder
from models.codec import KERNEL, Codec, CodecConfig, Decoder, Encoder
from models.corpus import Captions, Corpus, encode_all, features_of, newer, open_corpus, read_captions
from models.data.index import INDEX
from models.denoiser import NO_EMOTION, Conditions, Denoiser, DenoiserConfig
from models.diffusion import teacher_loss
from models.distill import distillation_loss
from models.spectral import WINDOWS, SpectralDistance
from models.synthesis import Synthesis
from models.train import Average, Schedule, train


@dataclass(frozen=True)
class Recipe:
    """Sizes, batches and schedules of all stages. What a bundle records as how it was trained."""

    codec: CodecConfig = CodecConfig()
    clasp: ClaspConfig = ClaspConfig()
    denoiser: DenoiserConfig = DenoiserConfig()
    codec_schedule: Schedule = Schedule(steps=8000, rate=1.5e-3)
    clasp_schedule: Schedule = Schedule(steps=4000, rate=1e-3)
    teacher_schedule: Schedule = Schedule(steps=9000, rate=6e-4)
    student_schedule: Schedule = Schedule(steps=4500, rate=3e-4)
    codec_batch: int = 8
    codec_frames: int = 28
    codec_context: int = 26
    codec_analysis: int = 1000
    """Steps of the decoder towards the analysis of the sound, before those by the energy distance."""

    clasp_batch: int = 64
    clasp_frames: tuple[int, int] = (24, 128)
    """The shortest and the longest piece that is listened to."""

    teacher_batch: int = 16
    student_batch: int = 16
    student_grid: int = 32

    @classmethod
    def tiny(cls) -> "Recipe":
        """Seconds instead of hours, for tests: every stage is real, nothing sounds good."""
        few = Schedule(steps=8, warmup=2, save_every=4)
        return cls(
            CodecConfig(8, 32, 1, 32, 2, 2),
            ClaspConfig(8, 384, 16, 1, 2),
            DenoiserConfig(8, 16, 4, widths=(16, 24), blocks=1, condition=32, heads=2),
            few, few, few, few, codec_batch=2, codec_frames=9, codec_context=4, codec_analysis=4,
            clasp_batch=4, clasp_frames=(4, 12),
            teacher_batch=4, student_batch=4, student_grid=8,
        )  # fmt: skip


@dataclass(frozen=True)
class Work:
    """The work folder and what is in it."""

    folder: Path
    recipe: Recipe

    def path(self, stage: str) -> Path:
        """The checkpoint of a stage."""
        return self.folder / f"{stage}.safetensors"

    @property
    def data(self) -> Path:
        """Where `aeolia data` puts the sounds."""
        return self.folder / "data"

    def averaged(self, stage: str, net: nn.Module, prefix: str = "") -> None:
        """Loads the averaged weights of a trained stage (those under `prefix`) into net, and stops their gradients."""
        weights = checkpoint.under("ema", checkpoint.load(self.path(stage))[0])
        if prefix:
            weights = checkpoint.under(prefix, {k.replace(".", "/", 1): v for k, v in weights.items()})
        try:
            net.load_state_dict(weights)
        except RuntimeError:
            what = f"{self.path(stage)}: its sizes are not those of the recipe; must be --tiny where it was trained so"
            raise AeoliaError(what) from None
        net.eval().requires_grad_(False)

    def encoder(self) -> Encoder:
        """The trained encoder."""
        net = Encoder(self.recipe.codec)
        self.averaged("codec", net, "encoder")
        return net

    def decoder(self) -> Decoder:
        """The trained decoder."""
        net = Decoder(self.recipe.codec)
        self.averaged("codec", net, "decoder")
        return net

    def sound_encoder(self) -> SoundEncoder:
        """The sounds' side of the trained CLASP."""
        net = SoundEncoder(self.recipe.clasp)
        self.averaged("clasp", net, "sounds")
        return net

    def denoiser(self, stage: str) -> Denoiser:
        """The teacher or the student."""
        net = Denoiser(self.recipe.denoiser)
        self.averaged(stage, net)
        return net

    def latents(self, corpus: Corpus) -> Tensor:
        """Latents (M, C, T) of the whole corpus, encoded once and kept."""
        path = self.folder / "latents.safetensors"
        if not newer(path, self.data / INDEX):
            save_file({"latents": encode_all(corpus, self.encoder())}, path)
        return load_file(path)["latents"]

    def captions(self, corpus: Corpus, words: TextEncoder) -> Captions:
        """What all captions say, read once and kept."""
        path = self.folder / "captions.safetensors"
        if not newer(path, self.data / INDEX):
            read = read_captions(corpus, words)
            save_file({field.name: getattr(read, field.name) for field in fields(read)}, path)
        return Captions(**load_file(path))


AT_REST = 0.5
"""How often a sound whose emotions nobody knows is shown with dials at rest: that is how its words will be played."""


SENTENCE_ALONE, SOUND_ALONE = 0.2, 0.1
"""How often the tokens are not heard, and how often it is the sound's own embedding that is heard alone: by example."""


def draw(high: int, count: int, generator: torch.Generator) -> Tensor:
    """Whole numbers (count,) in 0..high - 1."""
    return torch.randint(high, (count,), generator=generator)


def cut(corpus: Corpus, sound: int, sample: int, hops: int) -> Tensor:
    """(2, hops * HOP) samples from `sample` on; silence where the sound has none."""
    piece = corpus.sounds[sound, :, max(sample, 0) : sample + hops * HOP].astype(np.float32) / 32768
    found = torch.from_numpy(piece)
    return nn.functional.pad(found, (max(-sample, 0), hops * HOP - found.shape[1] - max(-sample, 0)))


def train_codec(work: Work) -> None:
    """Fits the feature statistics; then encoder and decoder together, by the energy distance of two draws of the
    decoder and by what of the features the latents keep.
    """
    recipe, corpus = work.recipe, open_corpus(work.data)
    features, net = features_of(corpus), Codec(recipe.codec)
    synthesis, distance, analysis = Synthesis(), SpectralDistance(), Analysis()
    lead, frames, noise = recipe.codec_context, recipe.codec_frames, recipe.codec.latent_noise
    heard = slice(lead - 1, lead + frames)  # one frame more: the first hop has no tail before it
    beyond = (KERNEL // 2) * recipe.codec.encoder_layers + 1  # how far the encoder looks ahead

    def crops(count: int, generator: torch.Generator) -> tuple[list[int], list[int], Tensor]:
        size = lead + frames + beyond
        rows = draw(len(corpus.entries), count, generator).tolist()
        starts = draw(corpus.frames - size + 1, count, generator).tolist()
        found = [features[r, :, s : s + size] for r, s in zip(rows, starts, strict=True)]
        return rows, starts, torch.from_numpy(np.stack(found).astype(np.float32))

    def loss(generator: torch.Generator, step: int) -> Tensor:
        rows, starts, seen = crops(recipe.codec_batch, generator)
        latents = net.encoder(seen)
        given = latents + noise * torch.randn(latents.shape, generator=generator)
        kept: Tensor = net.features(given, seen, net.encoder)
        said = net.decoder(given[..., : lead + frames], *net.decoder.state(len(rows)))[:3]
        tone, gain, coherence = (a[:, heard] for a in said)
        first = [(s + lead) * HOP - DELAY_SAMPLES for s in starts]
        around = torch.stack([cut(corpus, r, n - 3 * HOP, frames + 5) for r, n in zip(rows, first, strict=True)])
        if step < recipe.codec_analysis:
            return kept + analysis_loss(tone, gain, analysis(around))
        target = around[..., 3 * HOP : -2 * HOP]
        draws = [
            synthesis(tone, gain, coherence, synthesis.draw(len(rows), frames + 1, generator))[..., HOP:]
            for _ in range(2)
        ]
        sides = [target, *draws]
        if step // 2 % 2:  # middle and side instead of left and right: width matters as much
            sides = [torch.stack([s.mean(1), (s[:, 0] - s[:, 1]) / 2], 1) for s in sides]
        x, y, z = (s.flatten(0, 1) for s in sides)
        return kept + distance.energy(x, y, z, windows=WINDOWS[step % 2 :: 2])

    with torch.no_grad():
        seen = crops(32 * recipe.codec_batch, torch.Generator().manual_seed(recipe.codec_schedule.seed))[2]
        net.encoder.mean.copy_(seen.mean((0, 2))[:, None])
        net.encoder.deviation.copy_(seen.std((0, 2))[:, None] + 0.1)
    meta = {"codec": asdict(recipe.codec), "loss": "generalised spectral energy distance + features"}
    train(net, loss, recipe.codec_schedule, work.path("codec"), meta)


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
        self.latents, self.emotions = work.latents(corpus), corpus.emotions()
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
        sentences, tokens, heard = self.captions.captions.condition(self.captions.pick(rows, generator))
        alone = torch.rand(count, 1, generator=generator)
        heard = heard * (alone >= SENTENCE_ALONE)
        sentences = torch.where(alone < SOUND_ALONE, self.sounds[rows], sentences)
        emotion, rest = self.emotions[rows], torch.rand(count, generator=generator) < AT_REST
        emotion = emotion.where((emotion != NO_EMOTION) | ~rest[:, None], 0.0)
        return x0, Conditions(x0 * mask, mask, sentences, tokens, heard, emotion)

    def shape(self) -> dict[str, object]:
        """What a checkpoint of a denoiser says of itself."""
        return {"denoiser": asdict(self.config)}


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
    torch.manual_seed(work.recipe.codec_schedule.seed)
    match stage:
        case "codec":
            train_codec(work)
        case "clasp":
            train_clasp(work, words)
        case "teacher":
            train_teacher(work, words)
        case "student":
            train_student(work, words)
        case _:
            raise ValueError(f"stage {stage!r}: must be one of codec, clasp, teacher, student")
