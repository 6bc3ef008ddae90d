"""Finished sound files: checked before long work, written as the sound is made, under a temporary name, renamed when
they are whole.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import soundfile

from engine.errors import AeoliaError
from engine.offline import Sound
from engine.record import MOST_BYTES, MOST_CHANNELS, part_of

SUBTYPE = "PCM_24"
"""Also of WAV: a float WAV holds the time at which it was written, and the same sound would not be the same bytes."""
SAMPLE_BYTES = 3


def writable(path: Path) -> Path:
    """The path, if a file can be made there; AeoliaError before any work is done otherwise."""
    if path.is_dir():
        raise AeoliaError(f"output {path}: is a folder, give the name of a file")
    if not path.parent.is_dir():
        raise AeoliaError(f"output {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise AeoliaError(f"output {path}: permission denied, choose a folder that can be written")
    return path


def write(path: Path, blocks: Iterable[Sound], samples: int, channels: int, rate_hz: int, comment: str) -> None:
    """Blocks of (n, channels) float32 in +-1, `samples` in all, as FLAC or WAV of 24 bit; `comment` says how it was
    made. One block at a time is in memory.

    AeoliaError when the format can't hold so much, and when the disk is full; then nothing is left behind.
    """
    suffix = path.suffix.lower()
    needed_bytes = samples * channels * SAMPLE_BYTES
    if channels > MOST_CHANNELS[suffix]:
        raise AeoliaError(f"output {path}: {suffix} holds 1..{MOST_CHANNELS[suffix]} channels, not {channels}")
    if needed_bytes > MOST_BYTES[suffix]:
        most_s = MOST_BYTES[suffix] / (channels * SAMPLE_BYTES * rate_hz)
        raise AeoliaError(
            f"output {path}: {samples / rate_hz:.0f} s of {channels} channels: {suffix} holds {most_s:.0f} s of them"
        )
    part = part_of(path)
    try:
        part.touch()  # says why, where it can't be; libsndfile would not
        with soundfile.SoundFile(part, "w", rate_hz, channels, SUBTYPE) as file:
            file.comment, file.software = comment, "Aeolia"
            for block in blocks:
                file.write(block)
        os.replace(part, path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AeoliaError(f"output {path}: {reason(error, part, needed_bytes)}") from error
    finally:
        part.unlink(missing_ok=True)


def reason(error: OSError | soundfile.LibsndfileError, part: Path, needed_bytes: int) -> str:
    """Why a file could not be written, without its temporary name. libsndfile calls a full disk a system error."""
    with contextlib.suppress(OSError):
        free_bytes = shutil.disk_usage(part.parent).free + (part.stat().st_size if part.exists() else 0)
        if part.exists() and free_bytes < needed_bytes:
            return f"disk full: needs up to {needed_bytes / 1e6:.1f} MB, {free_bytes / 1e6:.1f} MB are free"
    text = error.strerror if isinstance(error, OSError) else error.error_string
    return f"could not be written: {text or type(error).__name__}"
