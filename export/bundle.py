"""Trained stages to a bundle: every net to ONNX, its parity with torch measured and recorded."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.bundle import EXTRA_ROLES, FORMAT, ROLES, Bundle, File, Manifest, load_bundle, sha256, write_manifest
from engine.errors import AeoliaError
from engine.synthesis import HOP, SAMPLE_RATE_HZ
from export.nets import EmotionShift, FeatureEncoder, SoundEmbedding, StreamingDecoder, Student
from export.onnx import block_int8, export, halve, relative_error, run
from models import checkpoint
from models.corpus import open_corpus
from models.data.credits import credit_lines
from models.data.emotions import EMOTIONS
from models.data.index import Entry
from models.emotion import directions, explained, pairs
from models.work import Work

PARITY = 1e-4
"""The relative error that an fp32 export may have against torch."""


@dataclass(frozen=True)
class Smaller:
    """A way to make an exported net smaller, and the relative error against torch up to which it is taken."""

    weights: str
    shrink: Callable[[Path], None]
    error: float


HALF = Smaller("fp16", halve, 5e-3)
"""Half of the size on disk; computes in fp32."""

BLOCK_INT8 = Smaller("int8", block_int8, 2e-2)
"""For the decoder, which is called for one frame at a time: less memory to read is less time."""

OVERLAP_FRAMES = 4


class Exported(Protocol):
    """A net of export.nets."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def example(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Random inputs."""
        ...


CREDITS = "CREDITS.md"
"""Beside the nets: every file that was trained on, with author and licence, as `aeolia data` wrote it."""


@dataclass(frozen=True)
class Options:
    """What the bundle is called and says of itself."""

    name: str
    licence: str = "CC-BY-4.0 (our nets); Apache-2.0 (text.onnx: all-MiniLM-L6-v2)"
    credits: tuple[str, ...] = (
        "Trained by the Aeolia authors on sounds that the program renders itself (models/data).",
        "Sentence encoder: all-MiniLM-L6-v2, sentence-transformers, Apache-2.0.",
    )
    default_steps: int = 2
    default_guidance: float = 5.0


def sourced(options: Options, entries: Iterable[Entry]) -> Options:
    """The options with credits for the recordings that were trained on, and their share-alike licence."""
    lines = credit_lines(entries)
    if not lines:
        return options
    licence = options.licence.replace("CC-BY-4.0", "CC-BY-SA-4.0")
    return replace(options, licence=licence, credits=(*options.credits, *lines, f"Every file: {CREDITS}."))


def write_bundle(work: Work, words: Path, folder: Path, options: Options) -> Bundle:
    """Exports all trained stages of `work` with the text encoder in `words` (text.onnx, tokenizer.json) to `folder`.

    A bundle that was in `folder` stays until the new one is complete and verified; a folder with anything else in it is
    refused. Raises AeoliaError for that, and when a net's ONNX does not say what torch says.
    """
    refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    corpus = open_corpus(work.data)
    latents, dials, couples = work.latents(corpus), corpus.dials(), pairs(corpus.entries)
    found = directions(latents, dials, couples)
    nets: dict[str, Any] = {
        "student": Student(work.denoiser("student")),
        "decoder": StreamingDecoder(work.decoder()),
        "encoder": FeatureEncoder(work.encoder()),
        "sound": SoundEmbedding(work.sound_encoder()),
        "emotion": EmotionShift(found),
    }
    free = {"student": {}, "decoder": {}, "encoder": {"features": {2: "frames"}}}
    free["emotion"] = free["sound"] = {"latents": {2: "frames"}}
    parity: dict[str, Any] = {"emotion_variance_explained": explained(latents, dials, couples, found)}
    options = sourced(options, corpus.entries)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        part, old = Path(temporary) / "new", Path(temporary) / "old"
        part.mkdir()
        for role, net in nets.items():
            smaller = BLOCK_INT8 if role == "decoder" else HALF
            parity[role] = export_checked(net, part / f"{role}.onnx", free[role], smaller)
        for name in ("text.onnx", "tokenizer.json"):
            shutil.copyfile(words / name, part / name)
        if (credits := work.data / CREDITS).exists():
            shutil.copyfile(credits, part / CREDITS)
        names = {role: f"{role}.onnx" for role in ("text", *nets)} | {"tokenizer": "tokenizer.json"}
        files = {role: File(name, sha256(part / name)) for role, name in names.items()}
        write_manifest(part, manifest(work, options, files, parity))
        load_bundle(str(part))
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    return load_bundle(str(folder))


def refuse_foreign(folder: Path) -> None:
    """AeoliaError where `folder` holds anything that is no part of a bundle: replacing it would lose that."""
    ours = {"manifest.json", "tokenizer.json", CREDITS, *(f"{role}.onnx" for role in ROLES + EXTRA_ROLES)}
    foreign = sorted(set(os.listdir(folder)) - ours) if folder.exists() else []
    if foreign:
        raise AeoliaError(f"{folder}: holds {foreign[0]!r}, so it is no bundle; must be a bundle to replace, or new")


def export_checked(
    net: nn.Module, path: Path, dynamic: dict[str, dict[int, str]], smaller: Smaller = HALF
) -> dict[str, float | str]:
    """Exports, compares with torch on random inputs, and makes it smaller where the measured error allows it."""
    shown: Exported = net  # type: ignore[assignment] # a module of export.nets is both
    export(net, shown.example(torch.Generator().manual_seed(0)), shown.outputs, path, dynamic)
    error = worst_error(net, shown, path)
    if not error < PARITY:
        raise AeoliaError(f"{path.name}: ONNX differs from torch by {error:.2g}, allowed is {PARITY:.0e}")
    whole = path.with_suffix(".fp32")
    shutil.copyfile(path, whole)
    smaller.shrink(path)
    smaller_error = worst_error(net, shown, path)
    allowed = smaller_error < smaller.error
    if not allowed:
        shutil.copyfile(whole, path)
    whole.unlink()
    return {"weights": smaller.weights if allowed else "fp32", "fp32_error": error, "smaller_error": smaller_error}


@torch.no_grad()
def worst_error(net: nn.Module, shown: Exported, path: Path, trials: int = 8) -> float:
    """The largest relative error of any output over random inputs."""
    worst, generator = 0.0, torch.Generator().manual_seed(1)
    for _ in range(trials):
        inputs = shown.example(generator)
        reference = net(**inputs)
        reference = reference if isinstance(reference, tuple) else (reference,)
        ours = run(path, {name: tensor.numpy() for name, tensor in inputs.items()})
        errors = [relative_error(a, np.asarray(b)) for a, b in zip(ours, reference, strict=True)]
        worst = float(np.max([worst, *errors]))  # not a number stays: the builtin max would drop it
    return worst


def manifest(work: Work, options: Options, files: dict[str, File], parity: dict[str, Any]) -> Manifest:
    """The manifest of a bundle made from `work`."""
    denoiser = work.recipe.denoiser
    stages = ("encoder", "decoder", "clasp", "teacher", "student")
    trained = {stage: checkpoint.load(work.path(stage))[1] for stage in stages}
    return Manifest(
        format=FORMAT,
        name=options.name,
        sample_rate=SAMPLE_RATE_HZ,
        channels=2,
        latent_channels=denoiser.latent_channels,
        hop_samples=HOP,
        chunk_frames=denoiser.chunk_frames,
        context_frames=denoiser.context_frames,
        overlap_frames=min(OVERLAP_FRAMES, denoiser.chunk_frames - denoiser.context_frames - 1),
        emotions=EMOTIONS,
        sampler="consistency",
        default_steps=options.default_steps,
        default_guidance=options.default_guidance,
        files=files,
        licence=options.licence,
        credits=options.credits,
        training={"recipe": asdict(work.recipe), "stages": trained},
        measured={"parity": parity},
    )
