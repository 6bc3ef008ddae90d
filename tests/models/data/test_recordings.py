"""Recordings become clips: bad files named, takes split, builds resumed, everyone credited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import AeoliaError
from models.data import build as building
from models.data import recordings
from models.data.build import DataConfig, build
from models.data.gathering import Gathered, Request, gather
from models.data.index import HELD_OUT, entry_of, line_of, load_index
from models.data.recordings import Sounds, Table, looped, read_table, split, take_name


@pytest.fixture
def gathered(little: Path, tmp_path: Path) -> Gathered:
    """Of a pool that has one of two packages."""
    pool = (little / "pool").as_uri() + "/"
    return gather(Request(("recordings",), tmp_path / "kept", 2.0, 1, 0, little / "table.toml", pool), progress=False)


def test_bad_files_and_packages_are_named_and_left_out(gathered: Gathered) -> None:
    said = "\n".join(gathered.left_out)
    for line in (
        "absent: can't be fetched",
        "little: gpl.wav: licence GPL-2+; must be a free one",
        "little: slow.wav: 8000 Hz; must be at least 16000",
        "little: tiny.wav: 0.19 s; must be at least 0.6",
        "little: silent.wav: -180 dB; must be at least -62",
        "little: nan.wav: holds samples that are no numbers",
        "little: unreadable.wav: can't be read",
        "little: no file is missing*.wav",
    ):
        assert line in said
    assert len(gathered.left_out) == 8
    assert list(gathered.packages) == ["little 1.0-1"]


def test_equal_files_are_taken_once(gathered: Gathered) -> None:
    used = {o.file for job in gathered.train for o in job.make(2.0)[1].origins}
    assert "zz copy.wav" not in used
    assert used >= {"long.wav", "short loop.wav", "either1.wav", "deep/one.wav"}


def test_clips_are_stereo_audible_and_described(gathered: Gathered) -> None:
    for job in gathered.train:
        audio, entry = job.make(2.0)
        assert audio.shape == (2, 96_000)
        assert np.isfinite(audio).all()
        assert 0.02 < np.abs(audio).max() <= 0.98
        assert not np.array_equal(audio[0], audio[1])
        assert len(entry.azimuth_deg) == 20
        assert entry.emotions is None
        assert (entry.source, entry.description, entry.pair) == ("recordings", -1, None)
        assert entry.captions
        assert entry.held_out_captions
        assert np.array_equal(audio, job.make(2.0)[0])


def test_entries_survive_the_index(gathered: Gathered) -> None:
    for job in gathered.train:
        entry = job.make(2.0)[1]
        assert entry_of(line_of(entry)) == entry
    old = {"file": "a", "seed": 1, "description": -1, "captions": [], "held_out_captions": [], "emotions": [1, 2, 3, 4]}
    old |= {"azimuth_deg": [], "attributes": [], "layers": [], "pair": None}
    assert entry_of(json.dumps(old)).source == "procedural"


def test_a_loop_has_no_seam() -> None:
    t = np.arange(48_000)
    sound = np.sin(2 * np.pi * 100 * t / 48_000, dtype=np.float32)[None]  # whole periods: the loop must be smooth
    long = looped(np.random.default_rng(0), sound, 200_000)
    assert long.shape == (1, 200_000)
    assert np.abs(np.diff(long)).max() < 1.5 * np.abs(np.diff(sound)).max()
    levels = np.square(long.reshape(-1, 4_000)).mean(axis=1)
    assert levels.max() < 2.2 * levels.min()


def table_of(kinds: dict[str, int]) -> Table:
    """Sounds of these kinds, with so many takes each."""
    named = ((kind, tuple(("package", f"{kind}{i}") for i in range(count))) for kind, count in kinds.items())
    return Table({}, tuple(Sounds(kind, "bed", ("x",), ("y",), files) for kind, files in named))


def test_a_tenth_of_the_takes_of_each_larger_kind_is_held_out() -> None:
    assert len(split(table_of({"rain": 40}))) == 4
    assert len(split(table_of({"wind": 7}))) == 1
    assert not split(table_of({"owl": 3}))
    assert split(table_of({"rain": 40, "wind": 7})) == split(table_of({"rain": 40})) | split(table_of({"wind": 7}))


def test_no_file_is_on_both_sides(
    gathered: Gathered, monkeypatch: pytest.MonkeyPatch, little: Path, tmp_path: Path
) -> None:
    assert not gathered.held_out
    monkeypatch.setattr(recordings, "split", lambda table: {take_name("little", "*.wav")})
    pool = (little / "pool").as_uri() + "/"
    parted = gather(Request(("recordings",), tmp_path / "kept", 2.0, 1, 0, little / "table.toml", pool), progress=False)
    sides = [{o for job in jobs for o in job.make(2.0)[1].origins} for jobs in (parted.train, parted.held_out)]
    assert all(sides)
    assert sides[0].isdisjoint(sides[1])


@pytest.fixture
def config(little: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataConfig:
    """A build of procedural sounds and recordings of the little package."""

    def of_little(request: Request, progress: bool) -> Gathered:
        pool = (little / "pool").as_uri() + "/"
        return gather(Request(**{**vars(request), "table": little / "table.toml", "pool": pool}), progress)

    monkeypatch.setattr(building, "gather", of_little)
    return DataConfig(tmp_path / "data", 3, 2.0, workers=1, pairs=1, sources=("procedural", "recordings"))


def test_a_resumed_build_equals_an_unbroken_one(config: DataConfig) -> None:
    folder = build(config, progress=False)
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    victims = sorted((folder / "sounds").glob("little-*.flac"))[:2]
    kept = sorted((folder / "sounds").glob("little-*.flac"))[2]
    stamp = kept.stat().st_mtime_ns
    victims[0].unlink()
    victims[1].write_bytes(b"half")
    (folder / "index.jsonl").unlink()
    build(config, progress=False)
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert kept.stat().st_mtime_ns == stamp


def test_procedural_sounds_stay_what_they_are_beside_others(config: DataConfig, tmp_path: Path) -> None:
    mixed = build(config, progress=False)
    pure = build(DataConfig(tmp_path / "pure", 3, 2.0, workers=1, pairs=1), progress=False)
    assert [e for e in load_index(mixed) if e.source == "procedural"] == load_index(pure)
    for path in (pure / "sounds").iterdir():
        assert (mixed / "sounds" / path.name).read_bytes() == path.read_bytes()


def test_everyone_is_credited(config: DataConfig) -> None:
    folder = build(config, progress=False)
    credits = (folder / "CREDITS.md").read_text()
    origins = {o for e in (*load_index(folder), *load_index(folder, HELD_OUT)) for o in e.origins}
    assert origins
    for origin in origins:
        author = origin.author.replace("|", "\\|")
        assert f"| {origin.file} | {author} | {origin.licence} |" in credits
    assert "gpl.wav" not in credits
    report = json.loads((folder / "report.json").read_text())
    assert report["sounds"]["procedural"] == 3
    assert report["files"] == len(origins)
    assert len(report["left_out"]) == 8


def test_every_sound_of_the_index_can_be_read(config: DataConfig) -> None:
    folder = build(config, progress=False)
    for entry in load_index(folder):
        assert soundfile.info(folder / entry.file).frames == 96_000


def test_nothing_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "gather", lambda request, progress: Gathered(left_out=["absent: can't be fetched"]))
    with pytest.raises(AeoliaError, match="no sound could be made: absent: can't be fetched"):
        build(DataConfig(tmp_path, 3, workers=1, pairs=0, sources=("recordings",)), progress=False)


def test_the_table_is_sound() -> None:
    table = read_table()
    for sounds in table.sounds:
        assert len(sounds.says) >= 3
        assert sounds.held_out
        assert not set(sounds.says) & set(sounds.held_out)
    pairs = [pair for sounds in table.sounds for pair in sounds.files]
    assert len(pairs) == len(set(pairs))
    assert all(len(package.sha256) == 64 and package.version in package.deb for package in table.packages.values())


def test_a_wrong_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(
        '[packages]\n[[sounds]]\nkind = "rain"\nform = "loop"\nsays = []\nheld_out = []\nfiles.a = ["*"]\n'
    )
    with pytest.raises(AeoliaError, match=r"table\.toml: form 'loop' of rain: must be one of bed, shot, rhythm"):
        read_table(tmp_path / "table.toml")
