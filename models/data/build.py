"""Make a data set in a folder: `sounds/*.flac`, `index.jsonl`, `held-out.jsonl`, `CREDITS.md`; in parallel, resumable.

Everything about a sound follows from the seed, its place in the plan and the versions of the packages it comes from: an
interrupted build continues where it stopped and two builds of one config are equal.
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

from engine.errors import AeoliaError
from models.data.credits import credits_of, report, write_text
from models.data.descriptions import DESCRIPTIONS
from models.data.gathering import Job, Request, gather
from models.data.index import HELD_OUT, INDEX, SOURCES, Entry, entry_of, line_of, lines_of
from models.data.kernels import SAMPLE_RATE_HZ, Audio
from models.data.procedural import Sound, render, stream

FORMAT_VERSION = 1


@dataclass(frozen=True)
class DataConfig:
    """What to make. `count` includes the siblings of the `pairs` emotion pairs."""

    out: Path
    count: int
    seconds: float = 6.0
    seed: int = 0
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    pairs: int | None = None
    """Number of emotion pairs; None is a tenth of `count`, so that a fifth of the sounds belongs to a pair."""
    free_share: float = 0.33
    """Share of free compositions."""
    sources: tuple[str, ...] = ("procedural",)
    """Some of SOURCES; `count`, `pairs` and `free_share` are about the procedural one."""
    pieces: int = 520
    """Sounds of instruments."""
    packages: Path | None = None
    """Where packages are kept; None is `packages` beside `out`."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if not 0 <= self.pair_count <= self.count // 2:
            raise ValueError(f"pairs must be in 0..{self.count // 2} (half of count), got {self.pairs}")
        if not self.sources or set(self.sources) - set(SOURCES):
            raise ValueError(f"sources must be some of {', '.join(SOURCES)}, got {', '.join(self.sources) or 'none'}")

    @property
    def pair_count(self) -> int:
        return self.count // 10 if self.pairs is None else self.pairs

    @classmethod
    def tiny(cls, out: Path) -> DataConfig:
        """A dozen sounds of two seconds: for tests."""
        return cls(out=out, count=12, seconds=2.0, workers=1, pairs=2)


@dataclass(frozen=True)
class Item:
    """What item `k` renders; `emotions` None leaves them to the seed."""

    k: int
    seed: int
    description: int | None
    emotions: tuple[float, ...] | None
    pair: int | None

    @property
    def name(self) -> str:
        """Of the file it makes."""
        return f"{self.k:06d}"

    def make(self, seconds: float) -> tuple[Audio, Entry]:
        """Render and describe."""
        felt = None if self.emotions is None else np.asarray(self.emotions, np.float32)
        sound = render(self.seed, seconds, description=self.description, emotions=felt)
        return sound.audio, _entry(self, sound, f"sounds/{self.name}.flac")


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


def _make(work: tuple[Job, Path, float]) -> Entry:
    """Make, write and describe one sound; each file and its line appear whole or not at all."""
    job, out, seconds = work
    line = out / "sounds" / f"{job.name}.json"
    target = out / "sounds" / f"{job.name}.flac"
    kept = _kept(line, target, round(seconds * SAMPLE_RATE_HZ))
    if kept is not None and kept.seed == job.seed:
        return kept
    audio, entry = job.make(seconds)
    temporary = target.with_suffix(f".{os.getpid()}.part")
    soundfile.write(temporary, audio.T, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    os.replace(temporary, target)
    write_text(line, line_of(entry))
    return entry


def _kept(line: Path, target: Path, frames: int) -> Entry | None:
    """The entry of a sound that an earlier build left whole, if it did."""
    try:
        entry = entry_of(line.read_text())
        return entry if soundfile.info(target).frames == frames else None
    except (OSError, ValueError, TypeError, soundfile.SoundFileError):
        return None


def build(config: DataConfig, progress: bool = True) -> Path:
    """Make what is missing and write the indexes, CREDITS.md and report.json. Returns the folder.

    What can't be had is left out and named in the report. Raises ValueError when the folder already holds a data set of
    another config (count, workers and packages may differ).
    """
    out = config.out
    (out / "sounds").mkdir(parents=True, exist_ok=True)
    header = {"version": FORMAT_VERSION, "sample_rate_hz": SAMPLE_RATE_HZ, "numpy": np.__version__, **_plain(config)}
    if (out / "data.json").exists():
        old = {"sources": ["procedural"], "pieces": header["pieces"], **json.loads((out / "data.json").read_text())}
        for key in ("version", "seconds", "seed", "count", "pairs", "free_share", "sources", "pieces"):
            if old.get(key) != header[key]:
                raise ValueError(
                    f"{out} holds data with {key}={old.get(key)!r}, asked for {header[key]!r}: choose another"
                )
    write_text(out / "data.json", json.dumps(header, indent=2))
    request = Request(
        config.sources, config.packages or out.parent / "packages", config.seconds, config.seed, config.pieces
    )
    gathered = gather(request, progress)
    procedural = plan(config) if "procedural" in config.sources else ()
    jobs: list[Job] = [*procedural, *gathered.train]
    if not jobs:
        raise AeoliaError(f"{out}: no sound could be made: {'; '.join(gathered.left_out)}")
    work = [(job, out, config.seconds) for job in [*jobs, *gathered.held_out]]
    if config.workers == 1:
        entries = [_make(w) for w in tqdm(work, disable=not progress, unit="sound")]
    else:
        with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
            made = pool.map(_make, work, chunksize=4)
            entries = list(tqdm(made, total=len(work), disable=not progress, unit="sound"))
    train, held_out = entries[: len(jobs)], entries[len(jobs) :]
    write_text(out / "CREDITS.md", credits_of(entries))
    write_text(out / "report.json", json.dumps(report(train, held_out, config.seconds, gathered), indent=2))
    write_text(out / HELD_OUT, lines_of(held_out))
    write_text(out / INDEX, lines_of(train))
    return out


def _plain(config: DataConfig) -> dict[str, Any]:
    """The config as JSON values; where it lies and how many workers made it are no part of the data."""
    plain = {**asdict(replace(config, pairs=config.pair_count)), "sources": list(config.sources)}
    del plain["out"], plain["workers"], plain["packages"]
    return plain
