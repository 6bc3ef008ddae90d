"""Recording what is heard: the callback's tap, written to FLAC or WAV by a thread of its own.

A full disk must not cost what is already recorded. So the file always owns some room beyond what is in it; when the
room can't be had any more, recording ends there and the room is what the encoder finishes in.
"""

import errno
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.callback import CallbackState
from engine.errors import AeoliaError

SUBTYPES: Final = {".flac": "PCM_24", ".wav": "FLOAT"}
"""What each kind of file holds its samples as."""
MOST_BYTES: Final = {".flac": 1 << 42, ".wav": (1 << 32) - (1 << 24)}
"""A WAV file counts its bytes in 32 bits."""
MOST_CHANNELS: Final = {".flac": 8, ".wav": 64}

_PERIOD_S: Final = 0.05
_PIECE_FRAMES: Final = 4096


@dataclass(frozen=True, slots=True)
class RecordResult:
    """A finished recording."""

    path: Path
    seconds: float
    lost_frames: int
    """Frames that were heard and are not in the file, because the disk was slower than the sound for too long."""
    problem: str | None
    """Why it ended before it was told to (a full disk), one line; None where it didn't."""


class Recorder:
    """Records what `state` puts out. `start` and `stop` from one thread; the file is written on another."""

    def __init__(self, state: CallbackState, rate_hz: int) -> None:
        self._state, self._rate_hz = state, rate_hz
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._result: RecordResult | None = None
        self._failure = ""

    @property
    def recording(self) -> bool:
        """Whether sound is being written; turns False by itself when the disk is full. Any thread."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, path: str | Path) -> None:
        """Begins to record into a new .flac (24 bit) or .wav (32-bit float) file, which appears under its name when it
        is finished.

        AeoliaError for another suffix, more channels than the format holds, a file that is there, a folder that can't
        be written, or while recording.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if self._thread is not None:
            raise AeoliaError(f"recording to {path}: another recording runs, stop it first")
        if suffix not in SUBTYPES:
            raise AeoliaError(f"recording to {path}: the name must end in {' or '.join(SUBTYPES)}")
        if self._state.channels > MOST_CHANNELS[suffix]:
            raise AeoliaError(
                f"recording to {path}: {suffix} holds 1..{MOST_CHANNELS[suffix]} channels, not {self._state.channels}"
            )
        if path.exists():
            raise AeoliaError(f"recording to {path}: it is there already, choose a new name")
        try:
            room = _RoomyFile(_hidden(path), 16 * _PIECE_FRAMES * self._state.channels + (1 << 16), MOST_BYTES[suffix])
        except OSError as refused:
            raise AeoliaError(
                f"recording to {path}: {refused.strerror}, choose a folder with room that can be written"
            ) from refused
        sound = soundfile.SoundFile(
            room, "w", self._rate_hz, self._state.channels, SUBTYPES[suffix], format=suffix[1:].upper()
        )
        self._end.clear()
        self._result = None
        lost_before = self._state.snapshot().tap_lost
        self._state.tap_start()
        self._thread = threading.Thread(
            target=self._write, args=(path, room, sound, lost_before), name="recorder", daemon=True
        )
        self._thread.start()

    def stop(self) -> RecordResult:
        """Finishes the file, on disk when this returns. AeoliaError when nothing was started, or the file can't be
        finished.
        """
        if self._thread is None:
            raise AeoliaError("stop recording: nothing is being recorded")
        self._end.set()
        self._thread.join()
        self._thread = None
        if self._result is None:
            raise AeoliaError(
                "stop recording: the file could not be finished, its unfinished part is beside it, hidden"
            )
        return self._result

    def _write(self, path: Path, room: "_RoomyFile", sound: soundfile.SoundFile, lost_before: int) -> None:
        """The recorder's thread: moves the tap to the file until told to end or out of room, then finishes the file."""
        state = self._state
        frames = 0
        last = False
        while room.problem is None and not last:
            last = self._end.wait(_PERIOD_S)
            if last:
                state.tap_stop()
            frames += _put(sound, state.tap_read(), room)
        state.tap_stop()
        try:
            sound.close()
        except soundfile.LibsndfileError as failed:
            room.problem = room.problem or str(failed)
        try:
            room.finish(path)
        except OSError as failed:
            self._failure = (
                f"recording to {path} could not be finished: {failed.strerror}, what there is lies hidden beside it"
            )
            return
        lost = state.snapshot().tap_lost - lost_before
        problem = None if room.problem is None else f"recording to {path} ended early: {room.problem}"
        self._result = RecordResult(path, frames / self._rate_hz, lost, problem)


def _put(sound: soundfile.SoundFile, heard: NDArray[np.float32], room: "_RoomyFile") -> int:
    """Writes (n, channels) in pieces as long as there is room; returns the frames written."""
    for start in range(0, len(heard), _PIECE_FRAMES):
        if room.problem is not None:
            return start
        try:
            sound.write(heard[start : start + _PIECE_FRAMES])
        except soundfile.LibsndfileError as failed:
            room.problem = room.problem or str(failed)
            return start
    return len(heard)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


class _RoomyFile:
    """A file that owns at least half of `reserve` bytes beyond its end, as soundfile writes to one (write, read, seek,
    tell).

    `problem` says, once, why no more room could be had; from then on at least half of `reserve` may still be written.
    """

    def __init__(self, path: Path, reserve: int, most_bytes: int) -> None:
        self._path, self._reserve, self._most_bytes = path, reserve, most_bytes
        self.problem: str | None = None
        self._at = self._size = self._owned = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
        try:
            self._own(2 * reserve)
        except OSError:
            os.close(self._fd)
            path.unlink()
            raise

    def write(self, data: bytes) -> int:
        piece = bytes(data)
        try:
            os.lseek(self._fd, self._at, os.SEEK_SET)
            written = os.write(self._fd, piece)
        except OSError as failed:
            self.problem = self.problem or failed.strerror
            return 0
        self._at += written
        self._size = max(self._size, self._at)
        if self.problem is None and self._owned - self._size < self._reserve:
            try:
                self._own(self._size + 2 * self._reserve)
            except OSError as failed:
                self.problem = failed.strerror
        return written

    def read(self, count: int = -1) -> bytes:
        os.lseek(self._fd, self._at, os.SEEK_SET)
        left = self._size - self._at
        data = os.read(self._fd, left if count < 0 else min(count, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def finish(self, path: Path) -> None:
        """Gives back the room, puts the file on the disk and under its name."""
        os.ftruncate(self._fd, self._size)
        os.fsync(self._fd)
        os.close(self._fd)
        os.replace(self._path, path)
        if hasattr(os, "O_DIRECTORY"):
            folder = os.open(path.parent, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _own(self, size: int) -> None:
        """Makes the disk keep `size` bytes for this file; OSError where it can't."""
        if size > self._most_bytes:
            raise OSError(errno.EFBIG, f"the format holds at most {self._most_bytes} bytes")
        if not self._allocate(size):
            os.lseek(self._fd, self._owned, os.SEEK_SET)
            missing = size - self._owned
            if os.write(self._fd, bytes(missing)) < missing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._owned = size

    def _allocate(self, size: int) -> bool:
        """Has the file system set `size` bytes aside; False where it can't do that without writing them."""
        if not hasattr(os, "posix_fallocate"):  # macOS, Windows
            return False
        try:
            os.posix_fallocate(self._fd, self._owned, size - self._owned)
        except OSError as failed:
            if failed.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                return False
            raise
        return True
