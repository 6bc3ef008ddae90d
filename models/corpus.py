"""The training sounds as arrays on disk: samples once, latents once the encoder is trained, caption embeddings once.

M sounds, N samples, C latent channels, T latent frames, U captions, E numbers in a text embedding.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engine.bundle import CONDITION_TOKENS
from engine.features import FEATURES, Features
from engine.synthesis import HOP
from engine.text import TextEncoder
from models.codec import Encoder
from models.data.captions import moods_of
from models.data.emotions import dials_of, resting_emotions
from models.data.index import INDEX, Entry, load_index
from models.denoiser import NO_EMOTION


@dataclass(frozen=True)
class Corpus:
    """A data folder made by `aeolia data`, opened for training."""

    folder: Path
    entries: tuple[Entry, ...]
    sounds: NDArray[np.int16]
    """(M, 2, N), a memory map."""

    def crop(self, sound: int, frame: int, frames: int) -> NDArray[np.float32]:
        """(2, frames * HOP) samples from latent frame `frame` on."""
        piece = self.sounds[sound, :, frame * HOP : (frame + frames) * HOP]
        return piece.astype(np.float32) / np.float32(32768)

    @property
    def frames(self) -> int:
        """Whole latent frames in each sound."""
        return int(self.sounds.shape[2] // HOP)

    def dials(self) -> Tensor:
        """(M, 4), dials / 10 as a performer would have to set them beside the words, see models.data.emotions.dials_of;
        NO_EMOTION where they are not known.
        """
        return torch.stack([dials(entry) for entry in self.entries])


def dials(entry: Entry) -> Tensor:
    """(4,) of one sound."""
    if entry.emotions is None:
        return torch.full((4,), NO_EMOTION)
    resting = resting_emotions(entry.attributes + entry.layers)
    return torch.from_numpy(dials_of(np.array(entry.emotions), resting)) / 10


def open_corpus(folder: Path) -> Corpus:
    """Opens `folder`, unpacking its FLAC files to one array the first time."""
    entries = tuple(load_index(folder))
    array = folder / "sounds.npy"
    if not newer(array, folder / INDEX):
        frames = soundfile.info(str(folder / entries[0].file)).frames
        part = array.with_suffix(".part")
        sounds = np.lib.format.open_memmap(part, "w+", np.int16, (len(entries), 2, frames))
        for row, entry in zip(sounds, tqdm(entries, "unpack"), strict=True):
            row[:] = soundfile.read(str(folder / entry.file), dtype="int16", always_2d=True)[0].T
        sounds.flush()
        os.replace(part, array)
    return Corpus(folder, entries, np.load(array, mmap_mode="r"))


def newer(made: Path, index: Path) -> bool:
    """Whether `made` is there, and from this index or an equal one."""
    return made.exists() and made.stat().st_mtime_ns >= index.stat().st_mtime_ns


def features_of(corpus: Corpus) -> NDArray[np.float16]:
    """Features (M, F, T) of every sound, a memory map; worked out the first time."""
    path = corpus.folder / "features.npy"
    if not newer(path, corpus.folder / INDEX):
        features, part = Features(), path.with_suffix(".part")
        shape = (len(corpus.entries), FEATURES, corpus.frames)
        table = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        for row in tqdm(range(len(corpus.entries)), "features"):
            table[row] = features(corpus.crop(row, 0, corpus.frames))
        table.flush()
        os.replace(part, path)
    found: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return found


@torch.no_grad()
def encode_all(corpus: Corpus, encoder: Encoder) -> Tensor:
    """Latents (M, C, T) of every sound."""
    encoder.eval()
    rows = tqdm(features_of(corpus), "encode")
    return torch.stack([encoder(torch.from_numpy(row.astype(np.float32))[None])[0] for row in rows])


@dataclass(frozen=True)
class Captions:
    """What the captions of all sounds say: U different ones, their tokens one after the other, cut to
    CONDITION_TOKENS.
    """

    sentences: Tensor
    """(U, E) float32."""

    tokens: Tensor
    """(tokens of all, E) float16."""

    starts: Tensor
    """(U + 1,): where the tokens of each begin and end."""

    moods: Tensor
    """(U, 4) bool: which of the four emotions are named."""

    of_sound: Tensor
    """(S, 2): a sound's row and one of its captions."""

    def condition(self, chosen: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Sentences (B, E), tokens (B, CONDITION_TOKENS, E) and their mask (B, CONDITION_TOKENS) of some captions."""
        tokens = torch.zeros(len(chosen), CONDITION_TOKENS, self.sentences.shape[1])
        mask = torch.zeros(len(chosen), CONDITION_TOKENS)
        for row, caption in enumerate(chosen):
            first, last = int(self.starts[caption]), int(self.starts[caption + 1])
            tokens[row, : last - first] = self.tokens[first:last]
            mask[row, : last - first] = 1
        return self.sentences[chosen], tokens, mask


def read_captions(corpus: Corpus, encoder: TextEncoder) -> Captions:
    """Reads every caption once."""
    said = [(row, text) for row, entry in enumerate(corpus.entries) for text in entry.captions]
    place = {text: i for i, text in enumerate(sorted({text for _, text in said}))}
    read = [encoder.encode(text) for text in tqdm(place, "captions")]
    kept = [torch.from_numpy(c.tokens[c.mask > 0]).half() for c in read]
    lengths = torch.tensor([0, *(len(tokens) for tokens in kept)])
    return Captions(
        sentences=torch.from_numpy(np.stack([c.sentence for c in read])),
        tokens=torch.cat(kept),
        starts=lengths.cumsum(0),
        moods=torch.tensor([moods_of(text) for text in place]),
        of_sound=torch.tensor([(row, place[text]) for row, text in said]),
    )
