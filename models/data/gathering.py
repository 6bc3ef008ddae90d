"""What a build makes its sounds from, beside its own procedures: packages fetched and unpacked, jobs planned.

What can't be had is left out and named, never an error: a set without one package is still a set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from engine.errors import AeoliaError
from models.data import instruments, recordings
from models.data.index import Entry
from models.data.kernels import Audio
from models.data.orchestra import EFFECTS
from models.data.packages import POOL, Package, Unpacked, fetch, unpack

FONTS = {"fluid-soundfont-gm": "FluidR3_GM.sf2", "fluid-soundfont-gs": "FluidR3_GS.sf2"}
"""General MIDI itself, and the variations of its sound effects."""


class Job(Protocol):
    """One sound to make. Pure in its fields; pickled to the processes that make it."""

    @property
    def name(self) -> str:
        """Of its file, without folder and suffix."""

    @property
    def seed(self) -> int:
        """Another one means another sound."""

    def make(self, seconds: float) -> tuple[Audio, Entry]:
        """The sound (2, N) at 48 kHz, and what is known of it."""


@dataclass
class Gathered:
    """Jobs, and what they rest on."""

    train: list[Job] = field(default_factory=list)
    held_out: list[Job] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)
    """sha256 of the .deb by full name."""
    left_out: list[str] = field(default_factory=list)
    """One line for each thing that can't be used, naming it and the reason."""


@dataclass(frozen=True)
class Request:
    """What to gather; `packages` is the folder that keeps them."""

    sources: tuple[str, ...]
    packages: Path
    seconds: float
    seed: int
    pieces: int
    """How many sounds of instruments, beside the sound effects."""
    table: Path = recordings.TABLE
    pool: str = POOL


def gather(request: Request, progress: bool = True) -> Gathered:
    """Fetches and unpacks what is missing and plans the jobs of the sources beside the procedural one."""
    gathered = Gathered()
    if "recordings" in request.sources:
        _recordings(request, gathered, progress)
    if "instruments" in request.sources:
        _instruments(request, gathered, progress)
    return gathered


def _had(
    request: Request, wanted: Mapping[Package, tuple[str, ...]], gathered: Gathered, progress: bool
) -> Iterator[Unpacked]:
    """Those of the packages that can be fetched and unpacked."""
    for package, globs in tqdm(wanted.items(), "packages", disable=not progress):
        try:
            yield unpack(package, fetch(package, request.packages, request.pool), request.packages, globs)
        except AeoliaError as error:
            gathered.left_out.append(str(error))
        else:
            gathered.packages[package.full_name] = package.sha256


def _recordings(request: Request, gathered: Gathered, progress: bool) -> None:
    table = recordings.read_table(request.table)
    wanted = {package: table.globs(name) for name, package in table.packages.items()}
    unpacked = {place.package.name: place for place in _had(request, wanted, gathered, progress)}
    found = recordings.takes(table, unpacked, gathered.left_out)
    apart = recordings.split(table)
    for take in found:
        side = gathered.held_out if take.name in apart else gathered.train
        side.extend(recordings.clips(take, request.seconds, request.seed))


def _instruments(request: Request, gathered: Gathered, progress: bool) -> None:
    if not instruments.playable():
        gathered.left_out.append("instruments: no player; `pip install --no-deps tinysoundfont` brings it")
        return
    wanted = {package: (FONTS[package.name],) for package in instruments.PACKAGES}
    fonts = {place.package.name: place for place in _had(request, wanted, gathered, progress)}
    for font_name, place in fonts.items():
        main = font_name == "fluid-soundfont-gm"
        font, name = place.path(FONTS[font_name]), place.package.full_name
        for piece in instruments.pieces(font, name, request.pieces if main else 0, request.seed):
            (gathered.held_out if piece.held_out else gathered.train).append(piece)
        chosen = [effect for effect in EFFECTS if (effect.bank == 0) == main]
        gathered.train.extend(instruments.effects(font, name, chosen, request.seed))
