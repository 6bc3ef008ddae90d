"""Sound files are whole or not there, and what went wrong is said without temporary names."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from engine.cli import sounds
from engine.errors import AeoliaError

SOUND = np.zeros((100_000, 2), np.float32)


def failing(*_: object) -> None:
    raise soundfile.LibsndfileError(2)


def test_a_file_is_whole_and_alone(tmp_path: Path) -> None:
    sounds.write(tmp_path / "x.flac", SOUND, 48_000, "a comment")
    assert [path.name for path in tmp_path.iterdir()] == ["x.flac"]
    assert soundfile.info(tmp_path / "x.flac").frames == len(SOUND)


def test_two_writers_never_share_a_temporary_name(tmp_path: Path) -> None:
    assert sounds.part_of(tmp_path / "x.wav") != sounds.part_of(tmp_path / "x.wav")


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
        sounds.write(tmp_path / "x.flac", SOUND, 48_000, "a comment")
    assert str(caught.value) == f"output {tmp_path}/{expected}"
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(soundfile.SoundFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sounds.write(tmp_path / "x.flac", SOUND, 48_000, "a comment")
    assert not list(tmp_path.iterdir())
