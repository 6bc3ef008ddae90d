"""Recording what is heard: the callback's tap, written to FLAC or WAV by a thread of its own.

A full disk must not cost what is already recorded. So the file always owns some room beyond what is in it; when the
room can't be had any more, recording ends there and the room is what the encoder finishes in.

Nor may a kill or a crash cost it. While a take runs, it lies beside its name as `.aeolia-XXXXXXXXXXXXXXXX.part.flac`
(or `.wav`), a file whose header is kept true: it opens in any player, up to the last 50 ms and, of a FLAC, its last
block of 4096 frames. To have a killed take back, rename that file.
"""

import contextlib
import errno
import logging
import os
import secrets
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
_NAME_BYTES: Final = 255

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordResult:
    """A finished recording."""

    path: Path
    """Where it is, absolute."""
    seconds: float
    lost_frames: int
    """Frames that were heard and are not in the file, because the disk was slower than the sound for too long."""
    problem: str | None
    """What went otherwise than asked for, one line: it ended by itself (a full disk), or it has another name because
    somebody took the one it was to have. None where nothing did.
    """


class Recorder:
    """Records what `state` puts out. `start`, `stop` and `collect` from one thread at a time; the file is written on
    another.
    """

    def __init__(self, state: CallbackState, rate_hz: int) -> None:
        self._state, self._rate_hz = state, rate_hz
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._outcome: RecordResult | AeoliaError | None = None  # written by the recorder's thread, read after its end

    @property
    def recording(self) -> bool:
        """Whether sound is being written; turns False by itself when the disk is full. Any thread."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self, path: str | Path) -> Path:
        """Begins to record into a new .flac (24 bit) or .wav (32-bit float) file, which appears under its name when it
        is finished; returns that name, absolute. `~` is the user's folder.

        An earlier recording that ended by itself and that nobody collected is logged. AeoliaError for another suffix,
        more channels than the format holds, a file that is there, a name or a folder that can't be written, or while
        recording.
        """
        if self.recording:
            raise AeoliaError(f"recording to {path}: another recording runs, stop it first")
        path, sound, room = self._open(path)
        self._log_uncollected()
        self._end.clear()
        lost_before = self._state.snapshot().tap_lost
        self._state.tap_start()
        self._thread = threading.Thread(
            target=self._run, args=(path, room, sound, lost_before), name="recorder", daemon=True
        )
        self._thread.start()
        return path

    def stop(self) -> RecordResult:
        """Finishes the file, on disk when this returns; of a recording that ended by itself, its result. AeoliaError
        when nothing was started, or the file can't be finished.
        """
        if self._thread is None:
            raise AeoliaError("stop recording: nothing is being recorded")
        self._end.set()
        return self._reap(self._thread)

    def collect(self) -> RecordResult | None:
        """What became of a recording that ended by itself, once; None while one runs, and when there is none to tell
        of. Doesn't wait. AeoliaError, once, where the file can't be finished.
        """
        if self._thread is None or self._thread.is_alive():
            return None
        return self._reap(self._thread)

    def _open(self, wished: str | Path) -> tuple[Path, soundfile.SoundFile, "_RoomyFile"]:
        channels = self._state.channels
        suffix = Path(wished).suffix.lower()
        if suffix not in SUBTYPES:
            raise AeoliaError(f"recording to {wished}: the name must end in {' or '.join(SUBTYPES)}")
        if channels > MOST_CHANNELS[suffix]:
            raise AeoliaError(
                f"recording to {wished}: {suffix} holds 1..{MOST_CHANNELS[suffix]} channels, not {channels}"
            )
        try:
            path = Path(os.path.expanduser(wished)).absolute()
            if _there(path):
                raise AeoliaError(f"recording to {path}: it is there already, choose a new name")
            room = _RoomyFile(part_of(path), 16 * _PIECE_FRAMES * channels + (1 << 16), MOST_BYTES[suffix])
        except OSError as refused:
            raise AeoliaError(
                f"recording to {wished}: {refused.strerror}, choose a name and a folder with room that can be written"
            ) from refused
        except ValueError as refused:
            raise AeoliaError(f"recording to {wished!r}: {refused}, choose a name that a file can have") from refused
        try:
            return path, _encoder(room, suffix, self._rate_hz, channels), room
        except soundfile.LibsndfileError as refused:
            room.discard()
            raise AeoliaError(f"recording to {path}: {refused}") from refused

    def _reap(self, thread: threading.Thread) -> RecordResult:
        thread.join()
        self._thread = None
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, RecordResult):
            return outcome
        raise outcome or AeoliaError("recording: its thread never ran")

    def _log_uncollected(self) -> None:
        try:
            result = self.collect()
        except AeoliaError as failed:
            _log.error("%s", failed)
        else:
            if result is not None:
                _log.warning("%s", result.problem)

    def _run(self, path: Path, room: "_RoomyFile", sound: soundfile.SoundFile, lost_before: int) -> None:
        """The recorder's thread."""
        try:
            self._outcome = self._record(path, room, sound, lost_before)
        except Exception as failed:  # noqa: BLE001  told to whoever stops or collects
            self._state.tap_stop()
            reason = (failed.strerror if isinstance(failed, OSError) else None) or str(failed) or type(failed).__name__
            self._outcome = AeoliaError(
                f"recording to {path} could not be finished: {reason}, what there is lies in {room.path}"
            )

    def _record(self, path: Path, room: "_RoomyFile", sound: soundfile.SoundFile, lost_before: int) -> RecordResult:
        """Moves the tap to the file until told to end or out of room, then finishes the file."""
        state = self._state
        frames = 0
        last = False
        while room.problem is None and not last:
            last = self._end.wait(_PERIOD_S)
            if last:
                state.tap_stop()
            frames += _put(sound, state.tap_read(), room)
            _keep_header_true(room, frames, state.channels)
        state.tap_stop()
        try:
            sound.close()
        except soundfile.LibsndfileError as failed:
            room.problem = room.problem or str(failed)
        kept = room.finish(path)
        problems = []
        if room.problem is not None:
            problems.append(f"recording to {path} ended early: {room.problem}")
        if kept != path:
            problems.append(f"recording to {path}: the name was taken meanwhile, so it is {kept}")
        lost = state.snapshot().tap_lost - lost_before
        return RecordResult(kept, frames / self._rate_hz, lost, "; ".join(problems) or None)


def keep(part: Path, path: Path) -> Path:
    """Gives a finished file its name, and never takes the name of another file: where there is one, the next free of
    NAME-2, NAME-3... Returns the name it has. OSError where it can't; it still is `part` then.
    """
    number, name = 1, path
    while True:
        try:
            _rename_to_new(part, name)
            return name
        except FileExistsError:
            number += 1
            tail = f"-{number}{path.suffix}"
            stem = os.fsencode(path.stem)[: _NAME_BYTES - len(os.fsencode(tail))].decode(errors="ignore")
            name = path.with_name(stem + tail)


def _rename_to_new(part: Path, name: Path) -> None:
    """A rename that FileExistsError ends where `name` is there."""
    try:
        os.link(part, name)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network folders know no links: an empty file of ours holds the name
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        try:
            os.replace(part, name)
        except OSError:
            os.unlink(name)
            raise
    else:
        os.unlink(part)


def _there(path: Path) -> bool:
    """Whether anything has this name, also a link to nowhere. OSError where that can't be told (name too long)."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def part_of(path: Path) -> Path:
    """A temporary hidden name in the same folder for a file that is being written: of the same kind, short however long
    the file's own name is, never given twice.
    """
    return path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}.part{path.suffix}")


def _encoder(room: "_RoomyFile", suffix: str, rate_hz: int, channels: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(room, "w", rate_hz, channels, SUBTYPES[suffix], format=suffix[1:].upper())


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


def _keep_header_true(room: "_RoomyFile", frames: int, channels: int) -> None:
    """Writes into the header how much sound there is so far: libsndfile does so only in the end, and nobody reads a
    file that says it has none. WAV: sizes of the RIFF and data chunks. FLAC: the samples in STREAMINFO (RFC 9639, 8.2).
    """
    head = room.read_at(0, 4096)
    if head.startswith(b"RIFF"):
        data = head.index(b"data")
        sound_bytes = 4 * channels * frames
        room.write_at(4, (data + sound_bytes).to_bytes(4, "little"))
        room.write_at(data + 4, sound_bytes.to_bytes(4, "little"))
    elif head.startswith(b"fLaC"):
        block_frames = int.from_bytes(head[10:12])
        whole = max(frames - 1, 0) // block_frames * block_frames  # libFLAC holds a block until the next one begins
        kept_bits = head[21] & 0xF0
        room.write_at(21, bytes([kept_bits | whole >> 32 & 0x0F]) + (whole & 0xFFFF_FFFF).to_bytes(4))


class _RoomyFile:
    """A file that owns at least half of `reserve` bytes beyond its end, as soundfile writes to one (write, read, seek,
    tell).

    `problem` says, once, why no more room could be had; from then on at least half of `reserve` may still be written.
    """

    def __init__(self, path: Path, reserve: int, most_bytes: int) -> None:
        self.path, self._reserve, self._most_bytes = path, reserve, most_bytes
        self.problem: str | None = None
        self._at = self._size = self._owned = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        try:
            self._own(2 * reserve)
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Closes and removes the file."""
        os.close(self._fd)
        self.path.unlink()

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

    def read_at(self, start: int, count: int) -> bytes:
        """Reads elsewhere than soundfile is."""
        at, self._at = self._at, start
        data = self.read(count)
        self._at = at
        return data

    def write_at(self, start: int, data: bytes) -> None:
        """Writes elsewhere than soundfile is."""
        at, self._at = self._at, start
        self.write(data)
        self._at = at

    def finish(self, path: Path) -> Path:
        """Gives back the room, puts the file on the disk and under its name, or the next free one; returns which."""
        try:
            os.ftruncate(self._fd, self._size)
            os.fsync(self._fd)
        finally:
            os.close(self._fd)
        kept = keep(self.path, path)
        if hasattr(os, "O_DIRECTORY"):
            with contextlib.suppress(OSError):  # the file is there; a folder that can't be read can't be synced
                folder = os.open(path.parent, os.O_DIRECTORY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        return kept

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
