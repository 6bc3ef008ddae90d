"""The compiled callback on a real sound server: not a frame is lost while Python is as busy as it gets."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.system

RATE, BLOCK, PERIOD = 48_000, 128, 48_000
SECONDS = 8

PLAYER = """
import json, sys, threading
import numpy as np
from engine.audio import open_output
from engine.callback import CallbackState

rate, block, period = 48_000, 128, 48_000
sys.setswitchinterval(0.0002)
n = np.arange(period)
triangle = 0.8 * (np.abs((n / period * 4 + 3) % 4 - 2) - 1)
sound = np.stack([triangle, np.roll(triangle, -period // 4)]).astype(np.float32)
state = CallbackState(rate, block, 2, 8192)
ended = threading.Event()

def feed(at=0, lead=2048):
    pause = threading.Event()
    while not ended.is_set():
        if state.fill() < lead:
            state.write(sound[:, at : at + 480])
            at = (at + 480) % period
        else:
            pause.wait(0.002)

def compute():
    while not ended.is_set():
        sum(range(10_000))

def allocate():
    while not ended.is_set():
        [np.random.default_rng(k).standard_normal(4096).sum() for k in range(10)]

threads = [threading.Thread(target=job) for job in (feed, compute, allocate)]
output = open_output("system", rate, block, 2, state)
for thread in threads:
    thread.start()
output.start()
print("ready", output.name, output.latency_s, flush=True)
sys.stdin.read()
meters = state.snapshot()
ended.set()
for thread in threads:
    thread.join()
output.stop()
print(json.dumps({"position": meters.position, "empty_reads": meters.empty_reads, "bad_frames": meters.bad_frames}))
"""


def wait_until(reached: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    give_up, pause = time.monotonic() + within_s, threading.Event()
    while not reached():
        assert time.monotonic() < give_up, f"not within {within_s} s: {what}"
        pause.wait(0.05)


@pytest.fixture
def jack() -> Iterator[dict[str, str]]:
    """The environment in which JACK clients find a dummy server of their own.

    Synchronous (-S): where the machine itself stalls, the server waits for its clients instead of running the next
    cycle without one of them, so a frame that is missing from a capture was not played.
    """
    missing = [program for program in ("jackd", "jack_rec", "jack_lsp") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian: jackd2)")
    name = f"aeolia-test-{os.getpid()}"
    environment = os.environ | {
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_AUDIO_RESERVATION": "1",
        "JACK_NO_START_SERVER": "1",
    }
    priority = ["-R", "-P", "60"] if os.geteuid() == 0 else ["-r"]
    server = subprocess.Popen(
        ["jackd", "-n", name, "-S", *priority, "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: "system:playback_1" in ports(environment), "the sound server's ports")
        yield environment
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def ports(environment: dict[str, str]) -> list[str]:
    listed = subprocess.run(["jack_lsp"], env=environment, capture_output=True, text=True, check=False)
    return listed.stdout.split("\n")


def position_in_period(stereo: np.ndarray) -> np.ndarray:
    """Which frame of the two triangles, a quarter period apart, each captured frame (N, 2) is."""
    quarter = PERIOD // 4
    offset = stereo[:, 0] / 0.8 * quarter
    return np.rint(np.where(stereo[:, 1] > 0, offset, 2 * quarter - offset)).astype(np.int64) % PERIOD


def test_every_frame_reaches_an_independent_client_while_python_is_busy(jack: dict[str, str], tmp_path: Path) -> None:
    captured = tmp_path / "captured.wav"
    root = Path(__file__).parents[2]
    player = subprocess.Popen(
        [sys.executable, "-c", PLAYER], env=jack, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert player.stdin is not None
    assert player.stdout is not None
    try:
        assert player.stdout.readline().startswith("ready system (JACK Audio Connection Kit)")
        outs = sorted(port for port in ports(jack) if port.startswith("PortAudio:out_"))[:2]
        assert len(outs) == 2
        command = ["jack_rec", "-f", str(captured), "-d", str(SECONDS), "-b", "32", *outs]
        subprocess.run(command, env=jack, check=True, timeout=SECONDS + 30, capture_output=True)
        answer, _ = player.communicate("", timeout=30)
    finally:
        if player.poll() is None:
            player.terminate()
            player.wait(20)
    assert player.returncode == 0
    meters = json.loads(answer)
    assert meters["empty_reads"] == 0
    assert meters["bad_frames"] == 0
    sound, rate = soundfile.read(captured, dtype="float64", always_2d=True)
    assert rate == RATE
    assert len(sound) > 0.9 * SECONDS * RATE
    np.testing.assert_allclose(np.abs(sound).sum(axis=1), 0.8, atol=1e-5)  # each frame is one of the two triangles'
    steps = np.diff(position_in_period(sound)) % PERIOD
    dropped = np.flatnonzero(steps != 1)
    assert len(dropped) == 0, f"frames {dropped[:10]} of {len(sound)} are followed {steps[dropped[:10]]} frames on"
