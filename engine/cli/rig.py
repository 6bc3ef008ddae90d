"""An instrument to be measured: running, steered over OSC, and listened to with the time of every sample.

On a private JACK server where there is jackd, as a process of its own and heard by another program. Without one, on
the null device in this process, heard through the callback's tap.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine import protocol
from engine.audio import NULL
from engine.bundle import load_bundle
from engine.cli.jack import START_S, Capture, Heard, private_server
from engine.control import Values
from engine.errors import AeoliaError
from engine.osc import OscServer
from engine.params import Arg, Args
from engine.session import Session

RATE_HZ: Final = 48_000
AEOLIA: Final = "import sys; from engine.cli.main import main; sys.exit(main())"


class Ear(Protocol):
    """What listens."""

    def hear(self, seconds: float) -> None:
        """Returns when so much more was heard."""

    def take(self) -> Heard:
        """Everything that was heard since the last call."""


class Steering:
    """OSC to an instrument on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(5.0)
        self._socket.connect(("127.0.0.1", port))

    def send(self, address: str, *args: Arg) -> int:
        """Sends a message; returns when, in time.monotonic_ns."""
        self._socket.send(protocol.build(address, args))
        return time.monotonic_ns()

    def ask(self, address: str) -> Args:
        """The value or reading at an address."""
        self.send("/get", address)
        (message, *_) = protocol.parse(self._socket.recv(65_536))
        if message.address != address:
            raise AeoliaError(f"aeolia serve: {' '.join(map(str, message.args))}")
        return message.args  # type: ignore[return-value]  # the engine answers with what its table holds

    def close(self) -> None:
        """Frees the socket."""
        self._socket.close()


@dataclass(frozen=True)
class Rig:
    """A sounding instrument. `start_s`: from the start of its process to the first sound; `pid`: that process."""

    steering: Steering
    ear: Ear
    start_s: float
    pid: int

    def memory_mb(self) -> float:
        """Resident memory of the process."""
        found = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, check=True)
        return int(found.stdout) / 1024


@contextlib.contextmanager
def rig(bundle: str | None, block: int) -> Iterator[Rig]:
    """The best there is on this machine."""
    if shutil.which("jackd"):
        with private_server(RATE_HZ, block), on_jack(bundle, block) as found:
            yield found
    else:
        print("aeolia: no jackd; measuring on the null device instead, inside this process", file=sys.stderr)
        with on_null(bundle, block) as found:
            yield found


@contextlib.contextmanager
def on_jack(bundle: str | None, block: int) -> Iterator[Rig]:
    """`aeolia serve` on the JACK server of the environment, and a capturing client."""
    with Capture("aeolia-ear") as ear:
        connecting = threading.Thread(target=connect, args=(ear,), name="connect")
        connecting.start()
        try:
            with serving(bundle, "system", block) as (steering, pid, started_ns, _):
                connecting.join()
                ear.hear(1.0)
                heard = ear.take()
                loud = np.flatnonzero(np.abs(heard.sound).max(axis=1) > 1e-3)
                if not len(loud):
                    raise AeoliaError("aeolia serve: nothing was heard in the first second after it was ready")
                yield Rig(steering, ear, (heard.time_at(int(loud[0])) - started_ns) * 1e-9, pid)
        finally:
            connecting.join()


def connect(ear: Capture) -> None:
    """Listens to the first program that shows up; when none does, there is nothing to hear, which is noticed then."""
    with contextlib.suppress(AeoliaError):
        ear.listen_to_program()


@contextlib.contextmanager
def on_null(bundle: str | None, block: int) -> Iterator[Rig]:
    """A session in this process. How long a start takes is still told by a process of its own."""
    with serving(bundle, NULL, block) as (_, _, started_ns, ready_ns):
        start_s = (ready_ns - started_ns) * 1e-9
    session = Session(load_bundle(bundle), Values.defaults(), device=NULL, block=block)
    with contextlib.ExitStack() as closing:
        closing.callback(session.stop, 0.0)
        server = OscServer(session, port=0)
        closing.callback(server.stop)
        session.start()
        server.start()
        session.wait_sounding(START_S)
        steering = Steering(server.address[1])
        closing.callback(steering.close)
        yield Rig(steering, TapEar(session), start_s, os.getpid())


class TapEar:
    """Hears what the callback of a session puts out."""

    def __init__(self, session: Session) -> None:
        self._state, self._rate_hz = session.state, session.rate_hz
        self._waiting = threading.Event()
        self._kept: list[NDArray[np.float32]] = []
        self._state.tap_start()

    def hear(self, seconds: float) -> None:
        """Returns when so much more was put out."""
        enough = self._state.snapshot().position + round(seconds * self._rate_hz)
        while self._state.snapshot().position < enough:
            self._waiting.wait(0.1)
            self._kept.append(self._state.tap_read())

    def take(self) -> Heard:
        """Everything that was put out since the last call."""
        before = self._state.snapshot()
        while True:  # until no block came in between
            self._kept.append(self._state.tap_read())
            after = self._state.snapshot()
            if after.position == before.position:
                break
            before = after
        sound = np.concatenate(self._kept)
        self._kept = []
        last = np.array([len(sound) - self._state.block])
        return Heard(sound, np.ones(len(sound), bool), last, np.array([after.time_ns]), self._rate_hz)


@contextlib.contextmanager
def serving(bundle: str | None, device: str, block: int) -> Iterator[tuple[Steering, int, int, int]]:
    """`aeolia serve` as a process, once it is ready: its OSC, its id, when it was started and when it was ready."""
    command = [sys.executable, "-c", AEOLIA, "serve", "--device", device, "--block", str(block)]
    command += ["--osc", "127.0.0.1:0", *(["--bundle", bundle] if bundle else [])]
    started_ns = time.monotonic_ns()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        ready_ns = time.monotonic_ns()
        if not line.startswith("ready"):
            raise AeoliaError("aeolia serve: did not get ready, see the line above")
        steering = Steering(int(line.split("osc=")[1].split()[0].rpartition(":")[2]))
        try:
            yield steering, process.pid, started_ns, ready_ns
        finally:
            steering.close()
    finally:
        process.terminate()
        process.communicate()
