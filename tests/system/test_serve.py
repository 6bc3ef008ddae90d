"""`aeolia serve` as a process on the null device: how it starts and ends, whatever is asked of it first."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine import protocol

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]

SILENT = 'version = 1\nname = "Silent"\n[weights]\na = 0\nb = 0\nc = 0\nd = 0\n'
STARTED_S = 90.0
"""The first start after an installation compiles the callback."""
SOON_S = 10.0
"""Much less than the 30 s after which a start without sound is given up."""

Serve = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> "subprocess.Popen[str]":
        aeolia = str(Path(sys.executable).with_name("aeolia"))
        process = subprocess.Popen(
            [aeolia, "serve", "--device", "null", "--osc", "127.0.0.1:0", *options],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    give_up_s, pause = time.monotonic() + seconds, threading.Event()
    while not holds() and time.monotonic() < give_up_s:
        pause.wait(0.02)
    return holds()


def test_a_silent_preset_is_ready_and_its_journal_is_kept(serve: Serve, tmp_path: Path) -> None:
    preset, journal = tmp_path / "silent.toml", tmp_path / "x.journal"
    preset.write_text(SILENT)
    process = serve("--preset", str(preset), "--journal", str(journal))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=SOON_S)
    assert (process.returncode, errors) == (0, "")
    assert '"/end"' in journal.read_text().splitlines()[-1]


def test_sigterm_before_it_is_ready_ends_it_at_once(serve: Serve, tmp_path: Path) -> None:
    journal = tmp_path / "x.journal"
    process = serve("--journal", str(journal))
    assert within(STARTED_S, journal.exists)  # the signals are its own since before that
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=SOON_S)
    assert (process.returncode, errors) == (0, "")
    assert out == "" or out.startswith("ready")
    assert os.path.getsize(journal) > 0


def test_a_sound_file_becomes_a_prompt_over_osc(serve: Serve, tmp_path: Path) -> None:
    process = serve()
    assert process.stdout is not None
    ready = dict(fact.split("=", 1) for fact in process.stdout.readline().split()[1:6])
    file = tmp_path / "noise.flac"
    soundfile.write(file, np.random.default_rng(0).uniform(-0.1, 0.1, (44_100, 1)), 44_100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SOON_S)
        client.connect(("127.0.0.1", int(ready["osc"].rpartition(":")[2])))

        def ask(address: str, *args: str) -> tuple[str, tuple[object, ...]]:
            client.send(protocol.build(address, args))
            (message,) = protocol.parse(client.recv(65_536))
            return message.address, message.args

        assert ask("/prompt/b/audio", str(file)) == ("/done", ("/prompt/b/audio", "noise.flac"))
        assert ask("/get", "/prompt/b/text") == ("/prompt/b/text", ("noise.flac",))
        address, (command, reason) = ask("/prompt/b/audio", str(tmp_path / "none.wav"))
        assert (address, command) == ("/fail", "/prompt/b/audio")
        assert "none.wav: is no file" in str(reason)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SOON_S)
    assert process.returncode == 0
