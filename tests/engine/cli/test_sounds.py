"""Sound files are whole or not there, and what went wrong is said without temporary names."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from engine.cli import sounds
from engine.errors import AeoliaError
from engine.record import part_of

SOUND = (0.1 * np.random.default_rng(0).standard_normal((100_000, 2))).astype(np.float32)


def write(path: Path, block: int = 1024) -> None:
    sounds.write(path, np.split(SOUND, range(block, len(SOUND), block)), len(SOUND), 2, 48_000, "a comment")


def failing(*_: object) -> None:
    raise soundfile.LibsndfileError(2)


def test_a_file_is_whole_and_alone(tmp_path: Path) -> None:
    write(tmp_path / "x.flac")
    assert [path.name for path in tmp_path.iterdir()] == ["x.flac"]
    assert soundfile.info(tmp_path / "x.flac").frames == len(SOUND)


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_pieces_make_the_same_bytes_as_one_piece(tmp_path: Path, suffix: str) -> None:
    for block in (len(SOUND), 1000, 7777):
        write(tmp_path / f"{block}{suffix}", block)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_a_failure_of_what_makes_the_sound_leaves_nothing(tmp_path: Path) -> None:
    def failing_blocks() -> Iterator[np.ndarray]:
        yield SOUND
        raise AeoliaError("journal: was changed")

    with pytest.raises(AeoliaError, match="was changed"):
        sounds.write(tmp_path / "x.flac", failing_blocks(), 2 * len(SOUND), 2, 48_000, "a comment")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "channels", "seconds", "says"),
    [
        ("x.wav", 2, 15_000, r"x\.wav: 15000 s of 2 channels: \.wav holds 14855 s of them"),
        ("x.flac", 9, 1, r"x\.flac: \.flac holds 1\.\.8 channels, not 9"),
    ],
)
def test_more_than_the_format_holds_is_refused_before_the_work(
    tmp_path: Path, name: str, channels: int, seconds: int, says: str
) -> None:
    with pytest.raises(AeoliaError, match=says):
        sounds.write(tmp_path / name, iter([SOUND]), seconds * 48_000, channels, 48_000, "a comment")
    assert not list(tmp_path.iterdir())


def test_two_writers_never_share_a_temporary_name(tmp_path: Path) -> None:
    assert part_of(tmp_path / "x.wav") != part_of(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("free_bytes", "expected"),
    [
        (100_000, "x.flac: disk full: needs up to 0.6 MB, 0.1 MB are free"),
        (10**12, "x.flac: could not be written: System error."),
    ],
)
def test_a_failure_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, expected: str
) -> None:
    monkeypatch.setattr(soundfile.SoundFile, "write", failing)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes))
    with pytest.raises(AeoliaError) as caught:
        write(tmp_path / "x.flac")
    assert str(caught.value) == f"output {tmp_path}/{expected}"
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(soundfile.SoundFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "x.flac")
    assert not list(tmp_path.iterdir())
