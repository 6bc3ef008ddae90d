"""Recordings as training sounds: which files (recordings.toml), what is wrong with a file, and how a clip is cut.

A take is the files of one glob: one recording session. The split into training and held-out sounds is by takes, so no
recording is on both sides. S seconds of a clip, N samples.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from engine.errors import AeoliaError
from models.data.copyright import free_licence, grant_of
from models.data.index import Entry, Origin
from models.data.kernels import SAMPLE_RATE_HZ, Audio
from models.data.packages import Package, Unpacked, matches
from models.data.procedural import stream
from models.data.staging import SPEED, active_level, captions, draw_stages, stage

TABLE = Path(__file__).with_suffix(".toml")
FORMS = ("bed", "shot", "rhythm")
MIN_RATE_HZ = 16_000
"""A slower file has nothing above 8 kHz: it would teach the sound of its converter."""
MIN_BED_S = 0.6
"""A shorter bed is heard as a repeated hit, not as something that goes on."""
MIN_SHOT_S = 0.04
SILENCE_DB = -62.0
"""A quieter file would bring up its noise."""


@dataclass(frozen=True)
class Sounds:
    """One entry of the table."""

    kind: str
    form: str
    says: tuple[str, ...]
    held_out: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    """(package, glob)"""


@dataclass(frozen=True)
class Table:
    """Packages by name, and what is in them."""

    packages: dict[str, Package]
    sounds: tuple[Sounds, ...]

    def globs(self, package: str) -> tuple[str, ...]:
        """What is wanted of a package."""
        return tuple(glob for sounds in self.sounds for name, glob in sounds.files if name == package)


@dataclass(frozen=True)
class Recording:
    """One usable file."""

    path: Path
    start_s: float
    """Where it is first heard, and `seconds` how long from there."""
    seconds: float
    origin: Origin


@dataclass(frozen=True)
class Take:
    """The usable files of one glob."""

    name: str
    sounds: Sounds
    recordings: tuple[Recording, ...]


def read_table(path: Path = TABLE) -> Table:
    """The table of recordings. Raises AeoliaError naming what is wrong in it."""
    raw = tomllib.loads(path.read_text())
    packages = {name: Package(name=name, **values) for name, values in raw["packages"].items()}
    sounds = tuple(
        Sounds(
            s["kind"],
            s["form"],
            tuple(s["says"]),
            tuple(s["held_out"]),
            tuple((package, glob) for package, globs in s["files"].items() for glob in globs),
        )
        for s in raw["sounds"]
    )
    for s in sounds:
        if s.form not in FORMS:
            raise AeoliaError(f"{path.name}: form {s.form!r} of {s.kind}: must be one of {', '.join(FORMS)}")
        if unknown := {package for package, _ in s.files} - packages.keys():
            raise AeoliaError(
                f"{path.name}: package {min(unknown)!r} of {s.kind}: must be one of {', '.join(packages)}"
            )
    return Table(packages, sounds)


def takes(table: Table, unpacked: dict[str, Unpacked], left_out: list[str]) -> list[Take]:
    """All takes of the packages at hand. A file that can't be used is named in `left_out`, with the reason.

    A file belongs to the first glob that matches it, and of equal files only the first is taken.
    """
    found, seen = [], set[str]()
    for sounds in table.sounds:
        for package, glob in sounds.files:
            if package not in unpacked:
                continue
            place, good = unpacked[package], []
            matching = [pair for pair in zip(place.files, place.sha256, strict=True) if matches(pair[0], (glob,))]
            if not matching:
                left_out.append(f"{package}: no file is {glob}")
            for file, sha256 in matching:
                if sha256 in seen:
                    continue
                seen.add(sha256)
                try:
                    good.append(_recording(place, file, sounds.form))
                except AeoliaError as error:
                    left_out.append(str(error))
            if good:
                found.append(Take(take_name(package, glob), sounds, tuple(good)))
    return found


def _recording(place: Unpacked, file: str, form: str) -> Recording:
    """A file that can be used. Raises AeoliaError naming it and what is wrong with it."""
    package, name = place.package, f"{place.package.name}: {file}"
    grant = grant_of(package.source + file, place.grants)
    if grant is None:
        raise AeoliaError(f"{name}: its licence isn't stated; must be in the package's copyright file")
    licence = free_licence(grant.licence)
    if licence is None:
        raise AeoliaError(f"{name}: licence {grant.licence}; must be a free one other than the GPL")
    try:
        sound, rate = soundfile.read(place.path(file), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise AeoliaError(f"{name}: can't be read: {error}") from None
    seconds, least = len(sound) / rate, MIN_BED_S if form == "bed" else MIN_SHOT_S
    if rate < MIN_RATE_HZ:
        raise AeoliaError(f"{name}: {rate} Hz; must be at least {MIN_RATE_HZ}")
    if seconds < least:
        raise AeoliaError(f"{name}: {seconds:.2f} s; must be at least {least:g}")
    if not np.isfinite(sound).all():
        raise AeoliaError(f"{name}: holds samples that are no numbers")
    level_db = 20.0 * np.log10(active_level(sound.T) + 1e-9)
    if level_db < SILENCE_DB:
        raise AeoliaError(f"{name}: {level_db:.0f} dB; must be at least {SILENCE_DB:g}, or it is silence")
    start_s, seconds = _heard(sound.T, rate, 35.0 if form == "bed" else 55.0)
    if seconds < least:
        raise AeoliaError(f"{name}: heard for {seconds:.2f} s only; must be at least {least:g}")
    return Recording(place.path(file), start_s, seconds, Origin(package.full_name, file, grant.author, licence))


def _heard(sound: Audio, rate: int, floor_db: float) -> tuple[float, float]:
    """Start and length (s) of (C, N) without the silence before and after: what is `floor_db` below its level."""
    block = rate // 50
    power = np.square(sound[:, : sound.shape[1] // block * block].reshape(len(sound), -1, block)).mean(axis=(0, 2))
    loud = np.flatnonzero(power > active_level(sound) ** 2 * 10.0 ** (-floor_db / 10.0))
    return float(loud[0]) * block / rate, float(loud[-1] + 1 - loud[0]) * block / rate


def take_name(package: str, glob: str) -> str:
    """What a take is called, in the names of its clips too."""
    return f"{package}-{zlib.crc32(glob.encode()):08x}"


def split(table: Table, share: float = 0.1) -> set[str]:
    """Names of the takes that are held out: about `share` of each kind that has four or more.

    It follows from the table alone: a package that can't be had today changes no side.
    """
    kinds: dict[str, list[str]] = {}
    for sounds in table.sounds:
        kinds.setdefault(sounds.kind, []).extend(take_name(package, glob) for package, glob in sounds.files)
    apart: set[str] = set()
    for names in kinds.values():
        names.sort(key=lambda name: zlib.crc32(f"held out {name}".encode()))
        apart.update(names[: max(1, round(share * len(names)))] if len(names) >= 4 else ())
    return apart


@dataclass(frozen=True)
class Clip:
    """Clip `number` of `count` from a take: a job of models.data.build."""

    take: Take
    number: int
    count: int
    data_seed: int

    @property
    def name(self) -> str:
        """Of the file it makes."""
        return f"{self.take.name}-{self.number:03d}"

    @property
    def seed(self) -> int:
        """Follows from the seed of the data, the version of the package and the whole entry of the table."""
        versions = sorted(r.origin.package for r in self.take.recordings)
        return zlib.crc32(repr((self.data_seed, self.name, self.count, self.take.sounds, versions)).encode())

    def make(self, seconds: float) -> tuple[Audio, Entry]:
        """Cut or place, stage and describe."""
        sounds, rng = self.take.sounds, stream(self.seed, "clip")
        attributes = draw_stages(stream(self.seed, "stages"), ("deep", "light") if sounds.form == "rhythm" else ())
        speed = next((SPEED[a] for a in attributes if a in SPEED), 1.0)
        n = round(seconds * SAMPLE_RATE_HZ)
        if sounds.form == "bed":
            used = [self.take.recordings[self.number % len(self.take.recordings)]]
            turns = max(1, -(-self.count // len(self.take.recordings)))
            dry = _bed(rng, used[0], n, speed, (self.number // len(self.take.recordings) + rng.random()) / turns)
        else:
            dry, used = _placed(rng, self.take.recordings, n, speed, sounds.form == "rhythm")
        staged = stage(stream(self.seed, "stage"), dry, attributes)
        train, apart = captions(sounds.says, sounds.held_out, attributes, stream(self.seed, "captions"))
        return staged.audio, Entry(
            file=f"sounds/{self.name}.flac",
            seed=self.seed,
            description=-1,
            captions=train,
            held_out_captions=apart,
            emotions=None,
            azimuth_deg=tuple(round(float(a), 1) for a in staged.azimuth_deg),
            attributes=attributes,
            layers=(),
            pair=None,
            source="recordings",
            kind=sounds.kind,
            origins=tuple(dict.fromkeys(r.origin for r in used)),
        )


def clips(take: Take, seconds: float, data_seed: int) -> Iterator[Clip]:
    """As many clips as a take naturally gives: a long bed in pieces, a few of a loop or of single sounds."""
    if take.sounds.form == "bed":
        count = sum(min(max(3, round(r.seconds / seconds)), 12) for r in take.recordings)
    else:
        count = min(3 + len(take.recordings), 10)
    return (Clip(take, number, count, data_seed) for number in range(count))


def _read(recording: Recording, start_s: float, seconds: float, speed: float) -> Audio:
    """(C, N) at 48 kHz, played at `speed`; from `start_s` on, `seconds` of what is heard or what is left of it."""
    with soundfile.SoundFile(recording.path) as file:
        rate = file.samplerate
        file.seek(round((recording.start_s + start_s) * rate))
        length_s = min(seconds, recording.seconds - start_s)
        sound = file.read(round(length_s * rate), "float32", always_2d=True)
    step = round(rate * speed / 50)  # in steps of 50 Hz, which keep the filter short
    return np.asarray(scipy.signal.resample_poly(sound[:, :2].T, SAMPLE_RATE_HZ // 50, step, axis=1), np.float32)


def _bed(rng: np.random.Generator, recording: Recording, n: int, speed: float, where: float) -> Audio:
    """(C, n) of something that goes on: cut at `where` 0..1 of what is possible, or looped where it is too short."""
    need_s = n / SAMPLE_RATE_HZ * speed + 0.1
    if recording.seconds <= need_s:
        return looped(rng, _read(recording, 0.0, recording.seconds, speed), n)
    sound, level = np.zeros((1, n), np.float32), 0.0
    for turn in range(4):  # a bird's pause is no crop
        start_s = (where + 0.25 * turn) % 1.0 * (recording.seconds - need_s)
        other = _read(recording, start_s, need_s, speed)[:, :n]
        if active_level(other) > level:
            sound, level = other, active_level(other)
        if level > 10.0 ** (SILENCE_DB / 20.0):
            break
    return sound


def looped(rng: np.random.Generator, sound: Audio, n: int) -> Audio:
    """(C, n) that repeats (C, N) from a random place on, its end faded into its beginning at equal power."""
    fade = min(sound.shape[1] // 4, SAMPLE_RATE_HZ // 2)
    period = sound.shape[1] - fade
    ramp = np.sin(0.5 * np.pi * np.arange(fade, dtype=np.float32) / fade)
    ring = sound[:, :period].copy()
    ring[:, :fade] = ring[:, :fade] * ramp + sound[:, period:] * ramp[::-1]
    return np.asarray(ring[:, (int(rng.integers(period)) + np.arange(n)) % period])


def _placed(
    rng: np.random.Generator, recordings: tuple[Recording, ...], n: int, speed: float, rhythm: bool
) -> tuple[Audio, list[Recording]]:
    """(2, n) of single sounds with silence between, or of an even rhythm; and the recordings that were used."""
    out, used = np.zeros((2, n), np.float32), []
    pace_s, uneven = rng.uniform(0.38, 0.75), rng.uniform(0.02, 0.12)
    at = int(rng.uniform(0.0, 0.15 if rhythm else 0.5) * SAMPLE_RATE_HZ)
    while at < n - SAMPLE_RATE_HZ // 10:
        recording = recordings[int(rng.integers(len(recordings)))]
        seconds = n / SAMPLE_RATE_HZ * speed
        start_s = rng.uniform(0.0, max(0.0, recording.seconds - seconds)) if recording.seconds > 1.5 * seconds else 0.0
        sound = _faded(_read(recording, start_s, seconds, speed))[:, : n - at]
        out[:, at : at + sound.shape[1]] += sound * np.float32(10.0 ** (rng.uniform(-4.0, 0.0) / 20.0))
        used.append(recording)
        gap_s = pace_s * (1.0 + uneven * rng.standard_normal()) if rhythm else rng.uniform(0.15, 1.6)
        at += int(max(gap_s, 0.05) * SAMPLE_RATE_HZ) + (0 if rhythm else sound.shape[1])
    return out, used


def _faded(sound: Audio) -> Audio:
    """With 3 ms in and 20 ms out, so that no edge clicks."""
    into, out = (min(int(s * SAMPLE_RATE_HZ), sound.shape[1] // 2) for s in (0.003, 0.02))
    sound[:, :into] *= np.linspace(0.0, 1.0, into, dtype=np.float32)
    sound[:, sound.shape[1] - out :] *= np.linspace(1.0, 0.0, out, dtype=np.float32)
    return sound
