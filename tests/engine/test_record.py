"""Recordings hold what was heard, and survive a full disk, a kill and names that are taken."""

import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
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
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    for path, says in [
        (tmp_path / "a.mp3", r"must end in \.flac or \.wav"),
        (tmp_path / "there.wav", "there already"),
        (tmp_path / "none" / "a.wav", "No such file"),
        (Path("/proc/a.wav"), "recording to /proc/a.wav"),
        (tmp_path / f"{'a' * 300}.wav", "File name too long, choose a name"),
        (f"{tmp_path}/a\0.wav", "null byte, choose a name"),
        (tmp_path / "dangling.wav", "there already"),
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


def test_the_name_is_absolute_and_may_begin_with_the_users_folder(
    tmp_path: Path, state: CallbackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(state, RATE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for wished, name in [("~/a.wav", "a.wav"), ("b.wav", "b.wav")]:
        assert recorder.start(wished) == tmp_path / name
        assert recorder.stop().path == tmp_path / name
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize("stem", ["a" * 251, "\N{SNOWMAN}" * 83 + "aa"])
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path, state: CallbackState, stem: str) -> None:
    path = tmp_path / f"{stem}.wav"
    assert len(os.fsencode(path.name)) == 255
    recorder = Recorder(state, RATE)
    recorder.start(path)
    path.write_bytes(b"somebody's")
    second = recorder.stop()
    assert path.read_bytes() == b"somebody's"
    assert second.path.name.endswith("-2.wav")
    assert sorted(tmp_path.iterdir()) == sorted([path, second.path])


def no_links(source: Path, name: Path) -> None:
    raise PermissionError(1, "Operation not permitted")  # what FAT answers


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_takes_the_name_meanwhile_is_kept(
    tmp_path: Path, state: CallbackState, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    recorder = Recorder(state, RATE)
    path = recorder.start(tmp_path / "take.wav")
    path.write_bytes(b"somebody's")
    (tmp_path / "take-2.wav").write_bytes(b"another's")
    process(state, noise(4_800))
    result = recorder.stop()
    assert result.path == tmp_path / "take-3.wav"
    assert result.problem == f"recording to {path}: the name was taken meanwhile, so it is {result.path}"
    assert soundfile.info(result.path).frames == 4_800
    contents = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file != result.path}
    assert contents == {"take.wav": b"somebody's", "take-2.wav": b"another's"}


def end_by_itself(recorder: Recorder, state: CallbackState, path: Path) -> None:
    with small_file_limit(path.parent):
        recorder.start(path)
        play_until(state, lambda: not recorder.recording)


def test_a_recording_that_ended_by_itself_is_told_of_once(tmp_path: Path, state: CallbackState) -> None:
    recorder = Recorder(state, RATE)
    assert recorder.collect() is None
    end_by_itself(recorder, state, tmp_path / "a.wav")
    result = recorder.collect()
    assert result is not None
    assert result.path == tmp_path / "a.wav"
    assert result.problem is not None
    assert recorder.collect() is None
    with pytest.raises(AeoliaError, match="nothing is being recorded"):
        recorder.stop()


def test_a_recording_that_ended_by_itself_is_in_nobodys_way(
    tmp_path: Path, state: CallbackState, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(state, RATE)
    end_by_itself(recorder, state, tmp_path / "a.wav")
    with caplog.at_level(logging.WARNING):
        recorder.start(tmp_path / "b.wav")
    assert f"recording to {tmp_path / 'a.wav'} ended early: File too large" in caplog.text
    assert recorder.collect() is None  # one runs
    result = recorder.stop()
    assert (result.path, result.problem) == (tmp_path / "b.wav", None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.wav", "b.wav"]


@pytest.mark.parametrize("by_itself", [False, True])
def test_a_file_that_can_not_be_finished_is_told_with_the_reason(
    tmp_path: Path, state: CallbackState, by_itself: bool
) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    recorder = Recorder(state, RATE)
    with small_file_limit(folder):
        recorder.start(folder / "take.wav")
        folder.rename(tmp_path / "moved")
        process(state, noise(4_800))
        if by_itself:
            play_until(state, lambda: not recorder.recording)
        said = rf"take\.wav could not be finished: No such file or directory, what there is lies in {folder}/\.take-"
        with pytest.raises(AeoliaError, match=said):
            recorder.collect() if by_itself else recorder.stop()
    assert recorder.collect() is None
    (part,) = (tmp_path / "moved").iterdir()
    assert soundfile.info(part).frames >= 4_800
    open_files = {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    assert str(part) not in open_files
    recorder.start(tmp_path / "next.wav")
    assert recorder.stop().problem is None


KILLED = """
import sys, threading
import numpy as np
from engine.callback import CallbackState, process
from engine.record import Recorder
state = CallbackState(48_000, 240, 2, 8_192)
Recorder(state, 48_000).start(sys.argv[1])
process(state, (0.2 * np.random.default_rng(0).standard_normal((2, 100_000))).astype(np.float32))
threading.Event().wait()
"""


@pytest.mark.parametrize(("suffix", "least", "error"), [(".wav", 100_000, 0.0), (".flac", 98_304, 2.0**-23)])
def test_a_killed_take_opens_with_what_was_heard(
    tmp_path: Path, state: CallbackState, suffix: str, least: int, error: float
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / f"take{suffix}")])
    try:
        give_up, frames = time.monotonic() + 60, 0
        while not least <= frames <= 100_000:  # it can be read while it grows
            assert time.monotonic() < give_up
            time.sleep(0.05)
            with suppress(
                soundfile.LibsndfileError
            ):  # before the first sound there is no header, or one without a length
                frames = max((soundfile.info(part).frames for part in tmp_path.iterdir()), default=0)
    finally:
        killed.kill()
        killed.wait()
    (part,) = tmp_path.iterdir()
    assert part.suffix == suffix
    earlier = part.read_bytes()
    sound, rate = soundfile.read(part, dtype="float32")
    assert rate == RATE
    assert least <= len(sound) <= 100_000
    heard = process(state, noise(100_000))
    assert np.abs(sound - heard[: len(sound)]).max() <= error
    recorder = Recorder(state, RATE)  # the same name again takes nothing of it
    recorder.start(tmp_path / f"take{suffix}")
    recorder.stop()
    assert part.read_bytes() == earlier
