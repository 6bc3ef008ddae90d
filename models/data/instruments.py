"""Notes, chords and slow phrases of General MIDI instruments, played through Debian's Fluid sound fonts (MIT).

The player is TinySoundFont, `pip install --no-deps tinysoundfont` (its dependency pyaudio is for live playing only).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from models.data.captions import pick
from models.data.index import Entry, Origin
from models.data.kernels import SAMPLE_RATE_HZ, Audio
from models.data.orchestra import EFFECT_CLIPS, FORM_WORDS, HELD_OUT_WORDS, INSTRUMENTS, Effect, Instrument
from models.data.packages import Package
from models.data.procedural import stream
from models.data.staging import captions, draw_stages, stage

PLAYER = "tinysoundfont"
"""No dependency of the project: installed without its own, where it is wanted."""
PACKAGES = (
    Package(
        name="fluid-soundfont-gm",
        version="3.1-5.3",
        deb="f/fluid-soundfont/fluid-soundfont-gm_3.1-5.3_all.deb",
        sha256="6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
        root="usr/share/sounds/sf2/",
        source="",
    ),
    Package(
        name="fluid-soundfont-gs",
        version="3.1-5.3",
        deb="f/fluid-soundfont/fluid-soundfont-gs_3.1-5.3_all.deb",
        sha256="f9c5b171ce1cd6c05c5dd65e2ada61c0951ef491f1c67d077aaecd6c9d6ef3e4",
        root="usr/share/sounds/sf2/",
        source="",
    ),
)
AUTHOR, LICENCE = "Frank Wen and contributors", "MIT"
LOWEST, HIGHEST = 24, 84
"""MIDI keys of the notes that are played: 33 Hz to 1 kHz."""
LEAD_S = 0.1
"""Played before the first sample and cut off: a synthesiser's own start."""


_NOTES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")
_SHORT = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


@dataclass(frozen=True)
class Note:
    """A key held from `start_s` to `stop_s`."""

    key: int
    start_s: float
    stop_s: float
    velocity: int


def playable() -> bool:
    """Whether TinySoundFont is installed."""
    return importlib.util.find_spec(PLAYER) is not None


@functools.lru_cache(maxsize=2)
def _font(path: Path) -> Any:
    """The sound font, loaded once a process."""
    synth = importlib.import_module(PLAYER).Synth(gain=-6.0, samplerate=SAMPLE_RATE_HZ)
    return synth, synth.sfload(str(path))


def play(font: Path, bank: int, program: int, notes: tuple[Note, ...], seconds: float) -> Audio:
    """(2, N) of the notes, through one preset. Raises ValueError where the font lacks it."""
    synth, sfid = _font(font)
    if synth.sfpreset_name(sfid, bank, program) is None:
        raise ValueError(f"{font.name} has no program {program} in bank {bank}")
    synth.sounds_off()
    synth.generate(SAMPLE_RATE_HZ)  # what still rings is cut off
    synth.program_select(0, sfid, bank, program)
    moments = sorted(
        [(note.stop_s, 0, note) for note in notes] + [(note.start_s, 1, note) for note in notes],
        key=lambda moment: (moment[0], moment[1], moment[2].key),
    )
    out, done, total = [], 0, round((seconds + LEAD_S) * SAMPLE_RATE_HZ)
    for time_s, on, note in [*moments, (seconds + LEAD_S, 0, None)]:
        until = min(round((time_s + LEAD_S) * SAMPLE_RATE_HZ), total)
        if until > done:
            out.append(np.frombuffer(bytes(synth.generate(until - done)), np.float32))
            done = until
        if note is not None and on:
            synth.noteon(0, note.key, note.velocity)
        elif note is not None:
            synth.noteoff(0, note.key)
    sound = np.concatenate(out).reshape(-1, 2).T
    return np.asarray(sound[:, int(LEAD_S * SAMPLE_RATE_HZ) :], np.float32)


def compose(rng: np.random.Generator, form: str, root: int, mode: str, high: int, seconds: float) -> tuple[Note, ...]:
    """The notes of one form on a root key; nothing above `high`."""
    velocity = int(rng.integers(58, 112))
    end = seconds + 0.5
    scale = [root + 12 * octave + step for octave in range(3) for step in _SCALES[mode]]
    triad = [root, root + (4 if mode == "major" else 3), root + 7]
    match form:
        case "note":
            return (Note(root, 0.0, end, velocity),)
        case "drone":
            return tuple(Note(key, 0.0, end, velocity) for key in (root, root + 7, root + 12) if key <= high)
        case "chord":
            middle = rng.uniform(0.25 * seconds, 0.85 * seconds, int(rng.integers(0, 3)))
            changes = [0.0, *np.sort(middle).tolist(), end]
            shifts = [0, *rng.choice([0, 3, 5, -2, -4], len(middle)).tolist()]
            return tuple(
                Note(key + shift if LOWEST <= key + shift <= high else key, start, stop - 0.02, velocity)
                for (start, stop), shift in zip(pairwise(changes), shifts, strict=True)
                for key in (*triad, root + 12)
                if key <= high
            )
        case "roll":
            gap_s = 1.0 / rng.uniform(11.0, 17.0)
            starts = np.arange(0.0, seconds, gap_s)
            swell = velocity * (0.55 + 0.45 * np.sin(np.pi * (starts / seconds + rng.uniform(0.0, 0.5))) ** 2)
            return tuple(
                Note(root, float(t), float(t) + 0.9 * gap_s, max(20, int(v)))
                for t, v in zip(starts, swell, strict=True)
            )
        case "arpeggio":
            keys = [key for key in (*triad, *(k + 12 for k in triad)) if key <= high]
            keys = [*keys, *keys[-2:0:-1]]
            gap_s = rng.uniform(0.16, 0.5)
            return tuple(
                Note(keys[i % len(keys)], i * gap_s, (i + 1.9) * gap_s, velocity) for i in range(int(seconds / gap_s))
            )
        case "notes":
            start_s, gap_s = rng.uniform(0.0, 0.2), rng.uniform(0.5, 1.7)
            return tuple(
                Note(root, start_s + i * gap_s, start_s + (i + 0.95) * gap_s, velocity)
                for i in range(int((seconds - start_s) / gap_s + 0.5))
            )
        case "phrase":
            notes, at, place = [], 0.0, int(rng.integers(0, 3))
            while at < seconds:
                length = float(rng.choice([0.5, 0.75, 1.0, 1.5])) * 0.9
                key = min(scale[place], high)
                notes.append(Note(key, at, at + 0.97 * length, velocity))
                at += length
                place = int(np.clip(place + rng.integers(-2, 4), 0, 9))
            return tuple(notes)
        case _:
            raise ValueError(f"form {form!r}: must be one of {', '.join(FORM_WORDS)}")


@dataclass(frozen=True)
class Piece:
    """Piece `number` of an instrument: a job of models.data.build."""

    font: Path
    package: str
    instrument: Instrument
    number: int
    data_seed: int

    @property
    def name(self) -> str:
        """Of the file it makes."""
        return f"instrument-{self.instrument.bank:03d}-{self.instrument.program:03d}-{self.number:03d}"

    @property
    def seed(self) -> int:
        """Follows from the seed of the data, the version of the font and the instrument."""
        return zlib.crc32(repr((self.data_seed, self.package, self.instrument, self.number)).encode())

    @property
    def root(self) -> int:
        """Lowest key of the piece."""
        low, high = max(self.instrument.low, LOWEST), min(self.instrument.high, HIGHEST)
        return int(stream(self.seed, "root").integers(low, max(low + 1, high - 7)))

    @property
    def held_out(self) -> bool:
        """A tenth of all pairs of an instrument and a root is never trained on."""
        return zlib.crc32(f"held out {self.instrument.bank} {self.instrument.program} {self.root}".encode()) % 10 == 0

    def make(self, seconds: float) -> tuple[Audio, Entry]:
        """Compose, play, stage and describe."""
        rng, instrument = stream(self.seed, "piece"), self.instrument
        form, mode = pick(rng, instrument.forms), pick(rng, ("major", "minor"))
        root = self.root
        notes = compose(rng, form, root, mode, max(instrument.high, root), seconds)
        dry = play(self.font, instrument.bank, instrument.program, notes, seconds)
        attributes = draw_stages(stream(self.seed, "stages"), ("deep", "light"))  # a pitch that is told stays
        said = {
            "key": _NOTES[root % 12],
            "pitch": f"{_SHORT[root % 12]}{root // 12 - 1}",
            "mode": mode,
            "register": "low " if root < 45 else "high " if root > 69 else "",
        }
        names = [{"name": name, **said} for name in instrument.names]
        nouns = [words.format(**n) for words in FORM_WORDS[form] for n in names]
        apart = [w.format(held_out=h, **n) for w in HELD_OUT_WORDS[form] for n in names for h in instrument.held_out]
        about = (instrument.family, form, mode)
        return _finish(self, dry, attributes, _worded(nouns), _worded(apart), instrument.names[0], about)


@dataclass(frozen=True)
class EffectClip:
    """Clip `number` of a sound effect: a job of models.data.build."""

    font: Path
    package: str
    effect: Effect
    number: int
    data_seed: int

    @property
    def name(self) -> str:
        """Of the file it makes."""
        return f"effect-{self.effect.bank:03d}-{self.effect.program:03d}-{self.number:03d}"

    @property
    def seed(self) -> int:
        """Follows from the seed of the data, the version of the font and the effect."""
        return zlib.crc32(repr((self.data_seed, self.package, self.effect, self.number)).encode())

    def make(self, seconds: float) -> tuple[Audio, Entry]:
        """Play, stage and describe."""
        rng = stream(self.seed, "effect")
        skipped_s = rng.uniform(0.0, 0.5) * self.number
        notes = (Note(int(rng.integers(56, 66)), 0.0, skipped_s + seconds + 0.5, 100),)
        played = play(self.font, self.effect.bank, self.effect.program, notes, skipped_s + seconds)
        dry = played[:, -round(seconds * SAMPLE_RATE_HZ) :]
        attributes = draw_stages(stream(self.seed, "stages"), ("deep", "light"))
        return _finish(self, dry, attributes, self.effect.says, self.effect.held_out, self.effect.kind, ())


def _worded(phrases: Iterable[str]) -> tuple[str, ...]:
    """Distinct phrases, "an oboe" for "a oboe"."""
    return tuple(dict.fromkeys(re.sub(r"\ba (?=[aeiou])", "an ", phrase) for phrase in phrases))


def _finish(
    job: Piece | EffectClip,
    dry: Audio,
    attributes: tuple[str, ...],
    nouns: tuple[str, ...],
    held_out: tuple[str, ...],
    kind: str,
    layers: tuple[str, ...],
) -> tuple[Audio, Entry]:
    staged = stage(stream(job.seed, "stage"), dry, attributes)
    train, apart = captions(nouns, held_out, attributes, stream(job.seed, "captions"))
    return staged.audio, Entry(
        file=f"sounds/{job.name}.flac",
        seed=job.seed,
        description=-1,
        captions=train,
        held_out_captions=apart,
        emotions=None,
        azimuth_deg=tuple(round(float(a), 1) for a in staged.azimuth_deg),
        attributes=attributes,
        layers=layers,
        pair=None,
        source="instruments",
        kind=kind,
        origins=(Origin(job.package, job.font.name, AUTHOR, LICENCE),),
    )


def pieces(font: Path, package: str, count: int, data_seed: int) -> Iterator[Piece]:
    """`count` pieces, the instruments in turn."""
    for number in range(count):
        instrument = INSTRUMENTS[number % len(INSTRUMENTS)]
        yield Piece(font, package, instrument, number // len(INSTRUMENTS), data_seed)


def effects(font: Path, package: str, chosen: Iterable[Effect], data_seed: int) -> Iterator[EffectClip]:
    """All clips of the chosen sound effects."""
    for effect in chosen:
        for number in range(EFFECT_CLIPS):
            yield EffectClip(font, package, effect, number, data_seed)
