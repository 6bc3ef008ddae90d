"""Control changes between processes, over the MIDI ports of a real sound server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.midi import JACK

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
BOUND_S = 30

RECEIVER = """
import json, sys
from engine.control import Values
from engine.errors import AeoliaError
from engine.midi import MidiInput, Route, list_ports

class Printing:
    values = Values.defaults()

    def post(self, event):
        print(json.dumps([event.address, *event.args, event.source]), flush=True)

routes = [Route(7, "/level", minimum=-60, maximum=0), Route(10, "/pan/azimuth", channel=2)]
try:
    MidiInput(Printing(), "nowhere", routes)
except AeoliaError as error:
    print(error, flush=True)
port = MidiInput(Printing(), "knobs", routes)
print("ready", len(list_ports()), flush=True)
sys.stdin.readline()
port.stop()
print("stopped", port.refused, flush=True)
"""

SENDER = """
import sys
import mido

with mido.open_output("knobs", virtual=True, client_name="knobs") as port:
    print("ready", flush=True)
    for line in sys.stdin:
        channel, control, value = map(int, line.split())
        port.send(mido.Message("control_change", channel=channel - 1, control=control, value=value))
"""


@pytest.fixture
def jack() -> Iterator[dict[str, str]]:
    """The environment in which JACK clients, MIDI among them, find a dummy server of their own."""
    missing = [program for program in ("jackd", "jack_lsp") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (Debian: jackd2)")
    name = f"aeolia-midi-{os.getpid()}"
    environment = os.environ | {
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_AUDIO_RESERVATION": "1",
        "JACK_NO_START_SERVER": "1",
        "MIDO_BACKEND": JACK,
    }
    command = ["jackd", "-n", name, "-S", "-r", "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up, pause = time.monotonic() + BOUND_S, threading.Event()
        while subprocess.run(["jack_lsp"], env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < give_up, "the sound server did not start"
            pause.wait(0.05)
        yield environment
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


@contextmanager
def python(script: str, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """A Python process that talks over pipes; whatever happens, and should it hang, it is gone in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        watchdog = threading.Timer(BOUND_S, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()  # it has ended, or never will


def test_knobs_of_another_process_arrive_where_they_are_routed(jack: dict[str, str]) -> None:
    with python(SENDER, jack) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
        with python(RECEIVER, jack) as receiver:
            assert receiver.stdin is not None
            assert receiver.stdout is not None
            assert receiver.stdout.readline().startswith("MIDI port 'nowhere': unknown; must be one of: 'knobs:knobs'")
            assert receiver.stdout.readline() == "ready 1\n"
            print("1 7 127", "1 10 0", "2 10 127", "3 7 0", sep="\n", file=sender.stdin, flush=True)
            found = [json.loads(receiver.stdout.readline()) for _ in range(3)]
            assert found == [
                ["/level", 0.0, "midi knobs:knobs"],
                ["/pan/azimuth", 180.0, "midi knobs:knobs"],
                ["/level", -60.0, "midi knobs:knobs"],
            ]
            answer, _ = receiver.communicate("\n", timeout=BOUND_S)
            assert answer == "stopped 0\n"
        sender.communicate("", timeout=BOUND_S)
    assert (sender.returncode, receiver.returncode) == (0, 0)
