"""Recordings hold what was heard, and survive a full disk."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.callback import CallbackState, process
from engine.errors import AeoliaError
from engine.record import Recorder

RATE = 48_000
Sound = NDArray[np.float32]


def noise(frames: int, seed: int = 0) -> Sound:
    return (0.2 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


def play_until(state: CallbackState, done: Callable[[], bool], within_s: float = 30.0) -> Sound:
    """Plays noise, at most as fast as the tap is emptied, until `done`; returns what was put out."""
    heard, seed, give_up = [], 0, time.monotonic() + within_s
    pause = threading.Event()
    while not done():
        assert time.monotonic() < give_up
        heard.append(process(state, noise(4_800, seed)))
        seed += 1
        pause.wait(0.005)
    return np.concatenate(heard)


@pytest.fixture
def state() -> CallbackState:
    return CallbackState(RATE, 240, 2, 8_192)


@pytest.mark.parametrize(("name", "error"), [("take.wav", 0.0), ("take.flac", 2.0**-23), ("TAKE.WAV", 0.0)])
def test_file_holds_exactly_what_was_put_out(tmp_path: Path, state: CallbackState, name: str, error: float) -> None:
    recorder = Recorder(state, RATE)
    recorder.start(tmp_path / name)
    heard = process(state, noise(100_000))
    assert not (tmp_path / name).exists()  # not before it is whole
    result = recorder.stop()
    assert (result.path, result.lost_frames, result.problem) == (tmp_path / name, 0, None)
    assert result.seconds == 100_000 / RATE
    sound, rate = soundfile.read(tmp_path / name, dtype="float32")
    assert rate == RATE
    assert sound.shape == heard.shape
    assert np.abs(sound - heard).max() <= error
    assert [file.name for file in tmp_path.iterdir()] == [name]  # nothing is left beside it


def test_one_recorder_makes_many_takes(tmp_path: Path, state: CallbackState) -> None:
    recorder = Recorder(state, RATE)
    for k in range(3):
        recorder.start(tmp_path / f"{k}.flac")
        assert recorder.recording
        process(state, noise(4_800 * (k + 1)))
        recorder.stop()
        assert not recorder.recording
        process(state, noise(4_800))
        assert soundfile.info(tmp_path / f"{k}.flac").frames == 4_800 * (k + 1)


def test_empty_recording_is_a_file_that_opens(tmp_path: Path, state: CallbackState) -> None:
    recorder = Recorder(state, RATE)
    recorder.start(tmp_path / "a.wav")
    recorder.stop()
    assert soundfile.info(tmp_path / "a.wav").frames == 0


def test_bad_paths_are_refused_with_what_is_allowed(tmp_path: Path, state: CallbackState) -> None:
    recorder = Recorder(state, RATE)
    (tmp_path / "there.wav").write_bytes(b"an earlier take")
    for path, says in [
        (tmp_path / "a.mp3", r"must end in \.flac or \.wav"),
        (tmp_path / "there.wav", "there already"),
        (tmp_path / "none" / "a.wav", "No such file"),
        (Path("/proc/a.wav"), "recording to /proc/a.wav"),
    ]:
        with pytest.raises(AeoliaError, match=says):
            recorder.start(path)
    assert (tmp_path / "there.wav").read_bytes() == b"an earlier take"
    with pytest.raises(AeoliaError, match="nothing is being recorded"):
        recorder.stop()
    many = Recorder(CallbackState(RATE, 256, 9), RATE)
    with pytest.raises(AeoliaError, match=r"1\.\.8 channels, not 9"):
        many.start(tmp_path / "a.flac")
    recorder.start(tmp_path / "a.wav")
    with pytest.raises(AeoliaError, match="another recording"):
        recorder.start(tmp_path / "b.wav")
    recorder.stop()


@contextmanager
def small_file_limit(folder: Path) -> Iterator[Path]:
    """No file of this process may grow beyond 2.5 MB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["take.wav", "take.flac"])
@pytest.mark.parametrize(("shortage", "says"), [(small_file_limit, "File too large"), (small_disk, "No space left")])
def test_full_disk_ends_the_recording_and_keeps_it(
    tmp_path: Path,
    state: CallbackState,
    name: str,
    shortage: Callable[[Path], AbstractContextManager[Path]],
    says: str,
) -> None:
    with shortage(tmp_path) as folder:
        recorder = Recorder(state, RATE)
        recorder.start(folder / name)
        heard = play_until(state, lambda: not recorder.recording)
        after = process(state, noise(4_800))  # the sound goes on
        result = recorder.stop()
        assert result.problem is not None
        assert says in result.problem
        sound, _ = soundfile.read(result.path, dtype="float32")
        listing = [file.name for file in folder.iterdir()]
    assert np.abs(after).max() > 0.1
    assert listing == [name]
    assert len(sound) == round(result.seconds * RATE)
    assert len(sound) > 2 * RATE  # most of the room was used
    assert np.abs(sound - heard[: len(sound)]).max() <= 2.0**-23
    assert result.lost_frames == 0


def test_disk_that_is_full_from_the_start_refuses_to_record(tmp_path: Path, state: CallbackState) -> None:
    with small_disk(tmp_path) as folder:
        (folder / "filler").write_bytes(bytes(2_900_000))
        with pytest.raises(AeoliaError, match=r"a\.wav: No space left"):
            Recorder(state, RATE).start(folder / "a.wav")
        assert [file.name for file in folder.iterdir()] == ["filler"]


def test_recorder_that_can_not_keep_up_counts_what_is_missing(tmp_path: Path) -> None:
    state = CallbackState(8_000, 256)
    recorder = Recorder(state, 8_000)
    recorder.start(tmp_path / "a.wav")
    out = np.empty((2_000_000, 2), np.float32)
    state.render(out)  # 250 s in a moment: one block far beyond the tap's ring
    result = recorder.stop()
    assert result.lost_frames == 2_000_000 - state.tap_frames
    assert soundfile.info(tmp_path / "a.wav").frames == state.tap_frames
