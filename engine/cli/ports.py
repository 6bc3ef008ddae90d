"""The sound devices and MIDI ports there are, without what ALSA and JACK write to stderr while they are looked for."""

import contextlib
import os
import sys
from collections.abc import Iterator

from engine.audio import Device, list_devices
from engine.midi import list_ports


def sound_devices() -> list[Device]:
    """`list_devices`, quietly. Not while another thread has something to say on stderr."""
    with c_stderr_silent():
        return list_devices()


def midi_inputs() -> tuple[str, ...]:
    """`list_ports`, quietly. Not while another thread has something to say on stderr."""
    with c_stderr_silent():
        return list_ports()


@contextlib.contextmanager
def c_stderr_silent() -> Iterator[None]:
    """What C libraries write to file descriptor 2 is dropped; exceptions pass through."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
