"""A JACK server of our own without a sound card, and a client of it that hears what another program plays.

For measuring from outside: libjack is used directly (through ctypes), so that each captured sample has its time on the
clock of `time.monotonic_ns`. The API is https://jackaudio.org/api/.
"""

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from engine.errors import AeoliaError

START_S: Final = 10.0
"""How long a server may take to start, and a program to show its ports."""

_NO_START_SERVER, _IS_INPUT, _IS_OUTPUT = 1, 1, 2
_AUDIO: Final = b"32 bit float mono audio"
_PROCESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)
_MESSAGE = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
_SILENT = _MESSAGE(lambda _: None)


@contextmanager
def private_server(rate_hz: int, period: int) -> Iterator[Mapping[str, str]]:
    """A dummy server under a name of its own, for as long as the context lasts; gives the environment that leads
    programs to it. This process's own environment leads there too, meanwhile.

    AeoliaError where there is no jackd or it does not start.
    """
    jackd = shutil.which("jackd")
    if jackd is None:
        raise AeoliaError("jackd: not installed; sudo apt install jackd2 (Debian, Ubuntu) or brew install jack (macOS)")
    name = f"aeolia-{os.getpid()}"
    environment = {"JACK_DEFAULT_SERVER": name, "JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    before = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    scheduling = ["-R", "-P", "60"] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["-r"]
    server = subprocess.Popen(
        [jackd, "-n", name, *scheduling, "-d", "dummy", "-r", str(rate_hz), "-p", str(period)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(server)
        yield environment
    finally:
        server.terminate()
        server.wait()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _wait_for(server: subprocess.Popen[bytes]) -> None:
    """Until the server takes clients."""
    end_s = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < end_s:
        try:
            Capture("probe", 0).close()
        except AeoliaError:
            time.sleep(0.05)
        else:
            return
    raise AeoliaError(f"jackd: did not start within {START_S:g} s; try it by hand: jackd -r -d dummy")


def library() -> Any:
    """libjack with the signatures that are used here; AeoliaError where it is missing."""
    name = ctypes.util.find_library("jack")
    if name is None:
        raise AeoliaError(
            "libjack: not installed; sudo apt install jackd2 (Debian, Ubuntu) or brew install jack (macOS)"
        )
    jack = ctypes.CDLL(name)
    pointer, text, u32 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "jack_set_error_function": (None, [_MESSAGE]),
        "jack_set_info_function": (None, [_MESSAGE]),
        "jack_client_open": (pointer, [text, ctypes.c_int, pointer]),
        "jack_client_close": (ctypes.c_int, [pointer]),
        "jack_activate": (ctypes.c_int, [pointer]),
        "jack_deactivate": (ctypes.c_int, [pointer]),
        "jack_set_process_callback": (ctypes.c_int, [pointer, _PROCESS, pointer]),
        "jack_port_register": (pointer, [pointer, text, text, ctypes.c_ulong, ctypes.c_ulong]),
        "jack_port_name": (text, [pointer]),
        "jack_port_get_buffer": (pointer, [pointer, u32]),
        "jack_get_ports": (ctypes.POINTER(text), [pointer, text, text, ctypes.c_ulong]),
        "jack_free": (None, [pointer]),
        "jack_connect": (ctypes.c_int, [pointer, text, text]),
        "jack_get_sample_rate": (u32, [pointer]),
        "jack_last_frame_time": (u32, [pointer]),
        "jack_frames_to_time": (ctypes.c_uint64, [pointer, u32]),
        "jack_get_time": (ctypes.c_uint64, []),
    }
    for symbol, (result, arguments) in signatures.items():
        function = getattr(jack, symbol)
        function.restype, function.argtypes = result, arguments
    jack.jack_set_error_function(_SILENT)
    jack.jack_set_info_function(_SILENT)
    return jack


@dataclass(frozen=True)
class Heard:
    """(N, channels) float32 `sound` whose first frame began at `start_ns` of time.monotonic_ns. Frames that the
    listener itself missed are zeros and not in `listened`, (N,) bool.
    """

    sound: NDArray[np.float32]
    listened: NDArray[np.bool_]
    start_ns: int
    rate_hz: int

    def frame_at(self, time_ns: int) -> int:
        """The frame that began at a time, possibly before the first or after the last one."""
        return round((time_ns - self.start_ns) * 1e-9 * self.rate_hz)


class Capture:
    """A client that keeps everything its inputs hear, with its time. Python runs in the client's thread: use it in a
    process other than the one that is listened to. As a context, it closes itself.
    """

    def __init__(self, name: str = "aeolia-ear", channels: int = 2) -> None:
        self._jack = library()
        self._client = self._jack.jack_client_open(name.encode(), _NO_START_SERVER, None)
        if not self._client:
            server = os.environ.get("JACK_DEFAULT_SERVER", "default")
            raise AeoliaError(f"JACK server {server!r}: can't be reached; must be running")
        self.rate_hz = int(self._jack.jack_get_sample_rate(self._client))
        self._ports = [
            self._jack.jack_port_register(self._client, f"in_{k + 1}".encode(), _AUDIO, _IS_INPUT, 0)
            for k in range(channels)
        ]
        self._arrived = threading.Condition()
        self._count = 0
        self._blocks: list[tuple[int, list[bytes]]] = []
        self._callback = _PROCESS(self._process)  # must live as long as the client
        self._jack.jack_set_process_callback(self._client, self._callback, None)
        self._jack.jack_activate(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server."""
        self._jack.jack_deactivate(self._client)
        self._jack.jack_client_close(self._client)

    def listen_to_program(self) -> list[str]:
        """Connects the inputs to the first program that plays; returns its ports. AeoliaError when none comes."""
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s:
            ports = [p for p in self.ports(_IS_OUTPUT) if not p.startswith("system:")]
            if len(ports) >= len(self._ports):
                for port, own in zip(ports, self._ports, strict=False):
                    self._jack.jack_connect(self._client, port.encode(), self._jack.jack_port_name(own))
                return ports[: len(self._ports)]
            time.sleep(0.002)
        raise AeoliaError(f"JACK: no program shows {len(self._ports)} outputs within {START_S:g} s")

    def ports(self, flags: int) -> list[str]:
        """The names of the audio ports that have these flags."""
        found = self._jack.jack_get_ports(self._client, None, _AUDIO, flags)
        names: list[str] = []
        if found:
            while (name := found[len(names)]) is not None:
                names.append(name.decode())
            self._jack.jack_free(found)
        return names

    def _process(self, frames: int, _: int | None) -> int:
        """JACK's thread: keep one block of each input."""
        at = self._jack.jack_last_frame_time(self._client)
        block = [ctypes.string_at(self._jack.jack_port_get_buffer(port, frames), 4 * frames) for port in self._ports]
        with self._arrived:
            self._blocks.append((at, block))
            self._count += frames
            self._arrived.notify_all()
        return 0

    def hear(self, seconds: float) -> None:
        """Returns when so much more was heard. AeoliaError when the server falls silent."""
        with self._arrived:
            enough = self._count + round(seconds * self.rate_hz)
            if not self._arrived.wait_for(lambda: self._count >= enough, 2 * seconds + START_S):
                raise AeoliaError("JACK server: has stopped")

    def take(self) -> Heard:
        """Everything that was heard since the last call."""
        with self._arrived:
            blocks, self._blocks = self._blocks, []
        if not blocks:
            empty = np.zeros((0, len(self._ports)), np.float32)
            return Heard(empty, np.zeros(0, bool), time.monotonic_ns(), self.rate_hz)
        first, last = blocks[0][0], blocks[-1][0]
        frames = len(blocks[0][1][0]) // 4
        sound = np.zeros((last - first + frames, len(self._ports)), np.float32)
        listened = np.zeros(len(sound), bool)
        for at, block in blocks:
            listened[at - first : at - first + frames] = True
            sound[at - first : at - first + frames] = np.stack([np.frombuffer(b, np.float32) for b in block], axis=1)
        start_us = self._jack.jack_frames_to_time(self._client, last) - round((last - first) * 1e6 / self.rate_hz)
        offset_ns = time.monotonic_ns() - self._jack.jack_get_time() * 1000
        return Heard(sound, listened, start_us * 1000 + offset_ns, self.rate_hz)
