"""A training: its recipe, and the work folder with what each stage left there.

C latent channels, T latent frames, M sounds.
"""

from dataclasses import dataclass, fields
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.errors import AeoliaError
from engine.text import TextEncoder
from models import checkpoint
from models.clasp import ClaspConfig, SoundEncoder
from models.codec import CodecConfig, Decoder, Encoder
from models.corpus import Captions, Corpus, encode_all, newer, read_captions
from models.data.index import INDEX
from models.denoiser import Denoiser, DenoiserConfig
from models.train import Schedule


@dataclass(frozen=True)
class Recipe:
    """Sizes, batches and schedules of all stages. What a bundle records as how it was trained."""

    codec: CodecConfig = CodecConfig()
    clasp: ClaspConfig = ClaspConfig()
    denoiser: DenoiserConfig = DenoiserConfig()
    encoder_schedule: Schedule = Schedule(steps=5000, rate=1.5e-3)
    decoder_schedule: Schedule = Schedule(steps=5000, rate=1.5e-3)
    clasp_schedule: Schedule = Schedule(steps=2500, rate=1e-3)
    teacher_schedule: Schedule = Schedule(steps=9000, rate=6e-4)
    student_schedule: Schedule = Schedule(steps=4500, rate=3e-4)
    encoder_batch: int = 16
    encoder_frames: int = 64
    decoder_batch: int = 8
    decoder_frames: int = 28
    decoder_context: int = 26
    decoder_analysis: int = 1000
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
            CodecConfig(8, 32, 1, 32, 2, 2, 2),
            ClaspConfig(8, 384, 16, 1, 2),
            DenoiserConfig(8, 16, 4, widths=(16, 24), blocks=1, condition=32, heads=2),
            few, few, few, few, few, decoder_analysis=4,
            encoder_batch=2, encoder_frames=16, decoder_batch=2, decoder_frames=6, decoder_context=4,
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
        self.averaged("encoder", net, "encoder")
        return net

    def decoder(self) -> Decoder:
        """The trained decoder."""
        net = Decoder(self.recipe.codec)
        self.averaged("decoder", net)
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
