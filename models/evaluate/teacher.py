"""How far is the student at two steps from the teacher at fifty, when both are held against the real sounds?

Both continue their own sound chunk after chunk and are decoded by the bundle's decoder. C channels, T latent frames,
E numbers in a text embedding.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engine.bundle import Manifest
from engine.decoder import HopDecoder
from engine.errors import AeoliaError
from engine.sampler import noise
from engine.sampler import sample as sample_student
from engine.text import TextCondition, TextEncoder
from models import checkpoint
from models.corpus import dials
from models.data.index import Entry
from models.denoiser import Conditions, Denoiser, DenoiserConfig
from models.diffusion import sample
from models.evaluate.context import Context
from models.evaluate.fad import OWN, Patches, embedders
from models.evaluate.frechet import frechet
from models.evaluate.logmel import patches
from models.evaluate.prompts import tupled
from models.evaluate.result import Finding, MissingError, Row, without_judge
from models.evaluate.source import spread
from models.evaluate.studio import STEPS
from models.evaluate.summary import Sound

TEACHER_STEPS: Final = 50
CHUNKS: Final = 4
WORSE: Final = 1.15

Latents = NDArray[np.float32]
Make = Callable[[Latents | None, TextCondition, NDArray[np.float32], int], Latents]
"""Context (C, frames) or None, words (E,), dials (4,) 0..10 and a seed to a chunk of latents (C, T)."""


def measure(context: Context) -> Finding:
    """FAD to source sounds of the same captions: by the judge, and by MFCCs."""
    goal = f"at most {WORSE} of the teacher's (the ceiling)"
    teacher = load_teacher(context.work / "teacher.safetensors", context.bundle.manifest)
    chosen = spread([e for e in context.source.procedural if e.emotions], context.count(200, 12))
    if len(chosen) < 4:
        raise MissingError("needs procedural sounds in the data")
    makers: dict[str, Make] = {
        f"student at {STEPS}": student_of(context, STEPS),
        "student at 1": student_of(context, 1),
        f"teacher at {TEACHER_STEPS}": teacher_of(teacher, context.bundle.manifest),
    }
    words, decoder = TextEncoder(context.bundle), HopDecoder(context.bundle, 0)
    versions = {"source": [patches(context.source.sound(entry)) for entry in chosen]}
    for name, make in makers.items():
        what = f"{CHUNKS} chunks of {name} by {context.studio.folder.name}"  # the bundle's checksum

        def heard(entry: Entry, make: Make = make) -> Patches:
            return patches(performed(make, words, decoder, context.bundle.manifest, entry))

        versions[name] = [
            context.source.each(what, (entry,), heard, quiet=True)[0]
            for entry in tqdm(chosen, name, unit="sound", disable=None)
        ]
    rows = [] if context.judge else [without_judge("Two steps: FAD to source sounds", goal)]
    for ear, embed in embedders(context.judge).items():
        sets = {name: np.concatenate([embed(patch) for patch in group]) for name, group in versions.items()}
        value, floor, ceiling = (frechet(sets["source"], sets[name]) for name in makers)
        asked = goal if ear != OWN else ""
        rows.append(
            Row(f"Two steps: FAD to source sounds, {ear}", value, "", floor, ceiling, asked,
                value <= WORSE * ceiling if asked else None, len(chosen), f"{value / ceiling:.2f} of the teacher's")
        )  # fmt: skip
    remark = (
        f"Two steps: {len(chosen)} captions of the training data with their own dials, {CHUNKS} chunks each, guidance "
        f"{context.bundle.manifest.default_guidance:g}; ceiling: the teacher at {TEACHER_STEPS} steps, floor: the "
        "student at one step."
    )
    return Finding(tuple(rows), remarks=(remark,))


def load_teacher(path: Path, manifest: Manifest) -> Denoiser:
    """The teacher of a work folder. MissingError where there is none or it is not the one the bundle came from."""
    if not path.exists():
        raise MissingError(f"needs the teacher's checkpoint {path.name} in the work folder")
    tensors, meta = checkpoint.load(path)
    made: dict[str, Any] = manifest.training.get("stages", {}).get("teacher", {})
    if any(made.get(key) != meta.get(key) for key in ("denoiser", "step", "seconds")):
        raise MissingError("needs the teacher that the bundle was distilled from; the work folder holds another one")
    try:
        net = Denoiser(DenoiserConfig(**tupled(meta["denoiser"])))
        net.load_state_dict(checkpoint.under("ema", tensors))
    except (KeyError, TypeError, RuntimeError) as error:
        raise AeoliaError(f"checkpoint {path}: no teacher that this version knows: {error}") from None
    return net.eval().requires_grad_(False)


def student_of(context: Context, steps: int) -> Make:
    """The bundle's student, as the engine samples it."""
    manifest, session = context.bundle.manifest, context.bundle.session("student")

    def make(before: Latents | None, text: TextCondition, emotion: Latents, seed: int) -> Latents:
        return sample_student(
            session, manifest, text=text, emotion=emotion, context=before, seed=seed, steps=steps,
            guidance=manifest.default_guidance,
        )  # fmt: skip

    return make


def teacher_of(net: Denoiser, manifest: Manifest) -> Make:
    """The teacher from the same noise, by deterministic steps."""
    shape = (manifest.latent_channels, manifest.chunk_frames)

    def make(before: Latents | None, text: TextCondition, emotion: Latents, seed: int) -> Latents:
        given, mask = torch.zeros(1, *shape), torch.zeros(1, 1, shape[1])
        if before is not None:
            given[0, :, : before.shape[1]] = torch.from_numpy(before)
            mask[..., : before.shape[1]] = 1
        sentence, tokens, heard = (torch.from_numpy(a.copy())[None] for a in (text.sentence, text.tokens, text.mask))
        conditions = Conditions(given, mask, sentence, tokens, heard, torch.from_numpy(emotion)[None] / 10)
        z = torch.from_numpy(noise(seed, *shape))[None]
        found = sample(net, z, conditions, TEACHER_STEPS, manifest.default_guidance)
        return torch.where(mask > 0, given, found)[0].numpy()

    return make


def performed(make: Make, words: TextEncoder, decoder: HopDecoder, manifest: Manifest, entry: Entry) -> Sound:
    """A sound of CHUNKS chunks, each continuing the one before, from an entry's first caption, dials and seed."""
    seed = entry.seed
    text, emotion = words.encode(entry.captions[0]), 10 * dials(entry).numpy()
    latents = make(None, text, emotion, seed)
    for k in range(1, CHUNKS):
        before = latents[:, -manifest.context_frames :]
        chunk = make(before, text, emotion, seed + 100_003 * k)
        latents = np.concatenate([latents, chunk[:, manifest.context_frames :]], axis=1)
    decoder.reset()
    return decoder.decode(latents)
