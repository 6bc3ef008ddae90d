"""A sound server that dies or stalls under `aeolia serve`: it is said at once, time goes on, everything is finished."""

import os
import queue
import re
import shutil
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
from engine.journal import read_journal

RATE, BLOCK = 48_000, 256
BOUND_S = 20.0
STARTED_S = 90.0
"""The first start after an installation compiles the callback."""
TOLD_S = 4.0
"""A device is lost after one second; the rest is for a busy machine."""
ENDED_S = 5.0
MISSING = [program for program in ("jackd", "jack_lsp", "jack_rec") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(200),
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed (Debian: jackd2)"),
]


class Jack:
    """Dummy servers under one name, one after the other; synchronous, so that a busy machine loses no sound."""

    def __init__(self) -> None:
        self.environment = os.environ | {
            "JACK_DEFAULT_SERVER": f"aeolia-loss-{os.getpid()}",
            "JACK_NO_AUDIO_RESERVATION": "1",
            "JACK_NO_START_SERVER": "1",
        }
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        name = self.environment["JACK_DEFAULT_SERVER"]
        priority = ["-R", "-P", "60"] if os.geteuid() == 0 else ["-r"]
        self.server = subprocess.Popen(
            ["jackd", "-n", name, "-S", *priority, "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: "system:playback_1" in self.ports(), "the sound server's ports")

    def send(self, number: int) -> None:
        assert self.server is not None
        self.server.send_signal(number)

    def kill(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait(BOUND_S)

    def end(self) -> None:
        """Ends it in order. That takes its name off JACK's list, which holds eight, those that were killed included."""
        if self.server is None or self.server.poll() is not None:
            self.start()
        assert self.server is not None
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.server.wait(BOUND_S)
        finally:
            self.kill()

    def ports(self, *options: str) -> list[str]:
        listed = subprocess.run(
            ["jack_lsp", *options], env=self.environment, capture_output=True, text=True, check=False, timeout=BOUND_S
        )
        return listed.stdout.split()

    def played_to(self) -> list[str]:
        """The ports that play to the loudspeakers."""
        return [port for port in self.ports("-c", "system:playback") if not port.startswith("system:")]


class Serve:
    """`aeolia serve` with a journal. What it says comes with its time."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.journal = folder / "test.journal"
        self.lines: queue.Queue[tuple[float, str]] = queue.Queue()
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [
                *(str(Path(sys.executable).with_name("aeolia")), "serve", "--device", "system", "--block", str(BLOCK)),
                *("--osc", "127.0.0.1:0", "--journal", str(self.journal)),
            ],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(BOUND_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))

    def connect(self) -> None:
        """Waits until it is ready, for a socket that reaches it."""
        _, line = self.says("ready ", STARTED_S)
        self.socket.connect(("127.0.0.1", int(re.findall(r"osc=\S+:(\d+)", line)[0])))

    def says(self, what: str, within_s: float = BOUND_S) -> tuple[float, str]:
        """The next line with these words in it, and when it came."""
        give_up_s = time.monotonic() + within_s
        while True:
            try:
                at_s, line = self.lines.get(timeout=max(give_up_s - time.monotonic(), 0.0))
            except queue.Empty:
                pytest.fail(f"nothing like {what!r} within {within_s:g} s: {''.join(self.said)}")
            self.said.append(line)
            if what in line:
                return at_s, line

    def ask(self, address: str, *args: float | str) -> tuple[object, ...]:
        """What is answered to a message."""
        self.socket.send(protocol.build(address, args))
        return protocol.parse(self.socket.recv(65_536))[0].args

    def end(self) -> float:
        """SIGTERM; how many seconds it took to end with exit code 0."""
        began_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(BOUND_S)
        took_s = time.monotonic() - began_s
        self._reader.join(BOUND_S)
        self.said += [line for _, line in self.lines.queue]
        assert code == 0, self.said
        assert not any("Traceback" in line for line in self.said), self.said
        return took_s

    def close(self) -> None:
        self.process.kill()
        self.process.wait(BOUND_S)
        self._reader.join(BOUND_S)
        self.socket.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_until(reached: Callable[[], bool], what: str) -> None:
    give_up_s, pause = time.monotonic() + BOUND_S, threading.Event()
    while not reached():
        assert time.monotonic() < give_up_s, f"not within {BOUND_S:g} s: {what}"
        pause.wait(0.05)


@pytest.fixture
def jack() -> Iterator[Jack]:
    one = Jack()
    try:
        one.start()
        yield one
    finally:
        one.end()


@pytest.fixture
def serve(jack: Jack, tmp_path: Path) -> Iterator[Serve]:
    one = Serve(jack.environment, tmp_path)
    try:
        one.connect()
        wait_until(lambda: one.ask("/get", "/meter/rms")[0] > -60, "it is heard")
        yield one
    finally:
        one.close()


def start_recording(serve: Serve, path: Path) -> float:
    assert serve.ask("/record/start", str(path))[0] == "/record/start"
    return time.monotonic()


def test_a_server_that_is_killed_is_told_of_and_time_goes_on(jack: Jack, serve: Serve, tmp_path: Path) -> None:
    began_s = start_recording(serve, tmp_path / "take.flac")
    killed_s = time.monotonic()
    jack.kill()
    told_s, line = serve.says("was lost")
    assert "sound device system (JACK Audio Connection Kit)" in line
    assert told_s - killed_s < TOLD_S
    serve.says("may not sound again before Aeolia is started anew")
    jack.start()  # PortAudio stays with the server that is no more
    lead_ms = serve.ask("/get", "/meter/lead")[0]
    wait_until(lambda: serve.ask("/get", "/meter/lead")[0] != lead_ms, "the render thread goes on")
    serve.socket.send(protocol.build("/emotion/fear", (3.0,)))
    wait_until(lambda: serve.ask("/get", "/emotion/fear") == (3.0,), "events are taken")
    jack.kill()
    ended_s = time.monotonic()
    took_s = serve.end()
    assert took_s < ENDED_S
    events = read_journal(serve.journal).events
    assert "/end" in serve.journal.read_text().splitlines()[-1]
    assert "/emotion/fear" in {event.address for event in events}
    sound, rate = soundfile.read(tmp_path / "take.flac", always_2d=True)
    assert rate == RATE
    assert len(sound) / RATE > ended_s - began_s - TOLD_S  # it stood still until the loss was noticed, and no longer
    assert np.abs(sound).max() > 1e-3
    print(f"told after {told_s - killed_s:.2f} s, ended within {took_s:.2f} s")


def test_a_session_ends_when_told_to_just_after_its_server_was_killed(jack: Jack, serve: Serve, tmp_path: Path) -> None:
    start_recording(serve, tmp_path / "take.wav")
    jack.kill()
    took_s = serve.end()
    assert took_s < ENDED_S
    assert "/end" in serve.journal.read_text().splitlines()[-1]
    _, rate = soundfile.read(tmp_path / "take.wav")
    assert rate == RATE
    print(f"ended within {took_s:.2f} s")


def test_a_server_that_stalls_and_is_then_killed_does_not_take_the_session_with_it(jack: Jack, serve: Serve) -> None:
    jack.send(signal.SIGSTOP)
    serve.says("may not sound again")
    lead_ms = serve.ask("/get", "/meter/lead")[0]
    jack.kill()
    wait_until(lambda: serve.ask("/get", "/meter/lead")[0] != lead_ms, "PortAudio lets go and time goes on")
    assert serve.end() < ENDED_S
    assert "/end" in serve.journal.read_text().splitlines()[-1]


def test_sound_returns_when_a_server_that_stalled_goes_on(jack: Jack, serve: Serve, tmp_path: Path) -> None:
    assert jack.played_to()
    stopped_s = time.monotonic()
    jack.send(signal.SIGSTOP)
    try:
        told_s, _ = serve.says("was lost")
        serve.says("may not sound again")  # from here on PortAudio is known to be stuck
    finally:
        jack.send(signal.SIGCONT)
    assert told_s - stopped_s < TOLD_S
    back_s, _ = serve.says("is open again")
    ports = jack.played_to()
    assert len(ports) == 2
    heard = tmp_path / "heard.wav"
    command = ["jack_rec", "-f", str(heard), "-d", "1", "-b", "32", *ports]
    subprocess.run(command, env=jack.environment, check=True, timeout=BOUND_S, capture_output=True)
    sound, _ = soundfile.read(heard)
    assert np.abs(sound).max() > 1e-3
    took_s = serve.end()
    assert took_s < ENDED_S
    assert "/end" in serve.journal.read_text().splitlines()[-1]
    print(f"told after {told_s - stopped_s:.2f} s, back after {back_s - stopped_s:.2f} s, ended within {took_s:.2f} s")
