"""The index of a data folder: what each sound is, where it comes from, and how it is described."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

INDEX = "index.jsonl"
"""The sounds to train on."""
HELD_OUT = "held-out.jsonl"
"""Sounds of recordings and notes that no sound in `INDEX` was made of: never trained on."""

SOURCES = ("procedural", "recordings", "instruments")
"""What sounds are made from."""


@dataclass(frozen=True)
class Origin:
    """One file that a sound was made of."""

    package: str
    """Name and version of the Debian package."""
    file: str
    """Its path in the package."""
    author: str
    licence: str


@dataclass(frozen=True)
class Entry:
    """One line of the index."""

    file: str
    seed: int
    description: int
    """Index into DESCRIPTIONS, or -1."""
    captions: tuple[str, ...]
    held_out_captions: tuple[str, ...]
    emotions: tuple[float, ...] | None
    """Happiness, sadness, fear, anger, each 0..10; None where they are not known."""
    azimuth_deg: tuple[float, ...]
    """Pan at 10 Hz, -90 left .. 90 right."""
    attributes: tuple[str, ...]
    layers: tuple[str, ...]
    pair: int | None
    source: str = "procedural"
    """One of SOURCES."""
    kind: str | None = None
    """What is heard, in a word (rain, bell ...); None for procedural sounds."""
    origins: tuple[Origin, ...] = ()
    """Empty for procedural sounds."""


def entry_of(line: str) -> Entry:
    """The entry of one line of JSON. Raises ValueError or TypeError for anything else."""
    raw: dict[str, Any] = json.loads(line)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    values["origins"] = tuple(Origin(**origin) for origin in raw.get("origins", ()))
    return Entry(**values)


def line_of(entry: Entry) -> str:
    """The entry as one line of JSON."""
    return json.dumps(asdict(entry))


def lines_of(entries: Iterable[Entry]) -> str:
    """The text of an index."""
    return "".join(line_of(entry) + "\n" for entry in entries)


def load_index(folder: Path, name: str = INDEX) -> list[Entry]:
    """The entries of a built folder, in order. Raises FileNotFoundError when it was never finished."""
    return [entry_of(line) for line in (folder / name).read_text().splitlines()]
