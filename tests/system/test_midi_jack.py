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

STOPPER = """
import threading, time
from engine.control import Values
from engine.midi import MidiInput, Route

class Counting:
    values = Values.defaults()

    def __init__(self):
        self.flowing = threading.Event()

    def post(self, event):
        self.flowing.set()

slowest_s = 0.0
for _ in range(10):
    instrument = Counting()
    port = MidiInput(instrument, "knobs", [Route(7, "/level")])
    assert instrument.flowing.wait(10)
    began_s = time.monotonic()
    port.stop()
    slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert not [thread for thread in threading.enumerate() if thread.name == "midi"]
print("stopped", slowest_s, flush=True)
"""

SENDER = """
import sys
import rtmidi

port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "knobs")
port.open_virtual_port("knobs")
print("ready", flush=True)
for line in sys.stdin:
    port.send_message([int(byte, 16) for byte in line.split()])
port.delete()
"""

FLOOD = """
import time
import rtmidi

port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "knobs")
port.open_virtual_port("knobs")
print("ready", flush=True)
while True:
    for value in range(16):
        port.send_message([0xB0, 7, value])
    time.sleep(0.002)
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
            sent = ("B0 07 7F", "B0 0A 00", "B1 0A 7F", "B0 07 FF", "90 07 7F", "B2 07 00")  # the fourth is not MIDI
            print(*sent, sep="\n", file=sender.stdin, flush=True)
            found = [json.loads(receiver.stdout.readline()) for _ in range(3)]
            assert found == [
                ["/level", 0.0, "midi knobs:knobs"],
                ["/pan/azimuth", 180.0, "midi knobs:knobs"],
                ["/level", -60.0, "midi knobs:knobs"],
            ]
            answer, _ = receiver.communicate("\n", timeout=BOUND_S)
            assert answer == "stopped 1\n"
        sender.communicate("", timeout=BOUND_S)
    assert (sender.returncode, receiver.returncode) == (0, 0)


def test_a_port_closes_at_once_while_messages_pour_in(jack: dict[str, str]) -> None:
    with python(FLOOD, jack) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "ready\n"
        with python(STOPPER, jack) as stopper:
            answer, _ = stopper.communicate(timeout=BOUND_S)
            word, slowest_s = answer.split()
            assert word == "stopped"
            assert float(slowest_s) < 2
        assert stopper.returncode == 0
