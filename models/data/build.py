"""Render a data set to a folder: `sounds/000000.flac`, `index.jsonl`, `data.json`; in parallel, resumable.

Everything about item k follows from (config.seed, k): an interrupted build continues where it stopped and two builds of
one config are equal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.descriptions import DESCRIPTIONS
from models.data.kernels import SAMPLE_RATE_HZ
from models.data.procedural import Sound, render, stream

FORMAT_VERSION = 1


@dataclass(frozen=True)
class DataConfig:
    """What to render. `count` includes the siblings of the `pairs` emotion pairs."""

    out: Path
    count: int
    seconds: float = 6.0
    seed: int = 0
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    pairs: int | None = None
    """Number of emotion pairs; None is a tenth of `count`, so that a fifth of the sounds belongs to a pair."""
    free_share: float = 0.33
    """Share of free compositions."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if not 0 <= self.pair_count <= self.count // 2:
            raise ValueError(f"pairs must be in 0..{self.count // 2} (half of count), got {self.pairs}")

    @property
    def pair_count(self) -> int:
        return self.count // 10 if self.pairs is None else self.pairs

    @classmethod
    def tiny(cls, out: Path) -> DataConfig:
        """A dozen sounds of two seconds: for tests."""
        return cls(out=out, count=12, seconds=2.0, workers=1, pairs=2)


@dataclass(frozen=True)
class Entry:
    """One line of the index."""

    file: str
    seed: int
    description: int
    captions: tuple[str, ...]
    held_out_captions: tuple[str, ...]
    emotions: tuple[float, ...]
    azimuth_deg: tuple[float, ...]
    attributes: tuple[str, ...]
    layers: tuple[str, ...]
    pair: int | None


@dataclass(frozen=True)
class Item:
    """What item `k` renders; `emotions` None leaves them to the seed."""

    k: int
    seed: int
    description: int | None
    emotions: tuple[float, ...] | None
    pair: int | None


def plan(config: DataConfig) -> Iterator[Item]:
    """The items in order: descriptions in turn with free compositions between, then nothing but the pairs' siblings."""
    singles = config.count - config.pair_count
    rng = stream(config.seed, "plan")
    free = rng.random(singles) < config.free_share
    turn = np.cumsum(~free) - 1
    paired = set(rng.permutation(singles)[: config.pair_count].tolist())
    siblings: list[Item] = []
    for k in range(singles):
        seed = config.seed * 1_000_003 + k
        description = None if free[k] else int(turn[k] % len(DESCRIPTIONS))
        pair = len(siblings) if k in paired else None
        if pair is not None:
            felt = tuple(round(float(e), 2) for e in _other_emotions(stream(seed, "sibling")))
            siblings.append(Item(singles + pair, seed, description, felt, pair))
        yield Item(k, seed, description, None, pair)
    yield from siblings


def _other_emotions(rng: np.random.Generator) -> NDArray[np.float64]:
    """A clear other colour: one dial high, the others low or anywhere."""
    felt = rng.uniform(0.0, 3.0, 4)
    felt[rng.integers(4)] = rng.uniform(6.0, 10.0)
    other = rng.integers(4)
    if rng.random() < 0.3:
        felt[other] = rng.uniform(0.0, 10.0)
    return felt


def _entry(item: Item, sound: Sound, file: str) -> Entry:
    return Entry(
        file=file,
        seed=item.seed,
        description=sound.description,
        captions=sound.captions,
        held_out_captions=sound.held_out_captions,
        emotions=tuple(round(float(e), 3) for e in sound.emotions),
        azimuth_deg=tuple(round(float(a), 1) for a in sound.azimuth_deg),
        attributes=sound.attributes,
        layers=sound.layers,
        pair=item.pair,
    )


def _make(job: tuple[Item, Path, float]) -> Entry:
    """Render, write and describe one item; each file and its line appear whole or not at all."""
    item, out, seconds = job
    file = f"sounds/{item.k:06d}.flac"
    line = out / "sounds" / f"{item.k:06d}.json"
    target = out / file
    kept = _kept(line, target, round(seconds * SAMPLE_RATE_HZ))
    if kept is not None and kept.seed == item.seed:
        return kept
    felt = None if item.emotions is None else np.asarray(item.emotions, np.float32)
    sound = render(item.seed, seconds, description=item.description, emotions=felt)
    entry = _entry(item, sound, file)
    temporary = target.with_suffix(f".{os.getpid()}.part")
    soundfile.write(temporary, sound.audio.T, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    os.replace(temporary, target)
    _write_text(line, json.dumps(asdict(entry)))
    return entry


def _kept(line: Path, target: Path, frames: int) -> Entry | None:
    """The entry of a sound that an earlier build left whole, if it did."""
    try:
        entry = _read_entry(json.loads(line.read_text()))
        return entry if soundfile.info(target).frames == frames else None
    except (OSError, ValueError, TypeError, soundfile.SoundFileError):
        return None


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(text)
    os.replace(temporary, path)


def build(config: DataConfig, progress: bool = True) -> Path:
    """Render what is missing and write the index. Returns the folder.

    Raises ValueError when the folder already holds a data set of another config (count and workers may differ).
    """
    out = config.out
    (out / "sounds").mkdir(parents=True, exist_ok=True)
    header = {"version": FORMAT_VERSION, "sample_rate_hz": SAMPLE_RATE_HZ, "numpy": np.__version__, **_plain(config)}
    if (out / "data.json").exists():
        old = json.loads((out / "data.json").read_text())
        for key in ("version", "seconds", "seed", "count", "pairs", "free_share"):
            if old.get(key) != header[key]:
                raise ValueError(
                    f"{out} holds data with {key}={old.get(key)!r}, asked for {header[key]!r}: choose another"
                )
    _write_text(out / "data.json", json.dumps(header, indent=2))
    jobs = [(item, out, config.seconds) for item in plan(config)]
    if config.workers == 1:
        entries = [_make(job) for job in tqdm(jobs, disable=not progress, unit="sound")]
    else:
        with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
            made = pool.map(_make, jobs, chunksize=4)
            entries = list(tqdm(made, total=len(jobs), disable=not progress, unit="sound"))
    _write_text(out / "index.jsonl", "".join(json.dumps(asdict(e)) + "\n" for e in entries))
    return out


def _plain(config: DataConfig) -> dict[str, Any]:
    """The config as JSON values; where it lies and how many workers made it are no part of the data."""
    plain = asdict(replace(config, pairs=config.pair_count))
    del plain["out"], plain["workers"]
    return plain


def _read_entry(raw: dict[str, Any]) -> Entry:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return Entry(**values)


def load_index(folder: Path) -> list[Entry]:
    """The entries of a built folder, in file order. Raises FileNotFoundError when it was never finished."""
    return [_read_entry(json.loads(line)) for line in (folder / "index.jsonl").read_text().splitlines()]
