"""A JACK server of our own without a sound card, and a client of it that hears what another program plays.

For measuring from outside: libjack is used directly (through ctypes), so that each captured sample has its time on the
clock of `time.monotonic_ns`. The API is https://jackaudio.org/api/.
"""

import ctypes
import ctypes.util
import functools
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
from numba import carray, cfunc  # type: ignore[attr-defined]  # documented, not listed as exported
from numpy.typing import NDArray

from engine import kernel
from engine.errors import AeoliaError

START_S: Final = 10.0
"""How long a server may take to start, and a program to show its ports."""

CAPACITY_S: Final = 300

_BASE, _TOTAL, _CAPACITY, _CHANNELS, _CLIENT, _LOGGED = range(6)
_PORTS, _HEAD = 8, 40
"""Words of the capture's state. Behind its head: the log of blocks, then a row of samples for each channel."""
_SMALLEST: Final = 16
"""Frames of the smallest block of a JACK server."""
_AT, _FRAMES, _TIME_US, _LOG = 0, 1, 2, 3
"""Words of an entry in the log: the block's first frame, how many it has, when it was heard by JACK's clock."""
_SOONEST_OF: Final = 8
"""Blocks of which one is woken in time."""
_KEPT: list[Any] = []  # what compiled code points to
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
    """(N, channels) float32 `sound`. Frames that the listener itself missed are zeros and not in `listened`, (N,) bool.
    Of K blocks, in order, it is known when they began: (K,) `blocks`, first frames, and (K,) `times_ns` of
    time.monotonic_ns. Where a server was late, less sound than time went by: one rate and one start would not do.
    """

    sound: NDArray[np.float32]
    listened: NDArray[np.bool_]
    blocks: NDArray[np.int64]
    times_ns: NDArray[np.int64]
    rate_hz: int

    def frame_at(self, time_ns: int) -> int:
        """The frame that sounded at a time, possibly before the first or after the last one."""
        k = max(0, int(np.searchsorted(self.times_ns, time_ns, side="right")) - 1)
        frame = int(self.blocks[k]) + round((time_ns - int(self.times_ns[k])) * 1e-9 * self.rate_hz)
        return min(frame, int(self.blocks[k + 1])) if k + 1 < len(self.blocks) else frame

    def time_at(self, frame: int) -> int:
        """When a frame sounded, of time.monotonic_ns."""
        k = max(0, int(np.searchsorted(self.blocks, frame, side="right")) - 1)
        return int(self.times_ns[k]) + round((frame - int(self.blocks[k])) * 1e9 / self.rate_hz)


class Capture:
    """A client that keeps everything its inputs hear, with its time, up to CAPACITY_S between two calls of `take`. What
    JACK's thread runs is compiled: nothing that Python does makes it miss a block. As a context, it closes itself.
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
        capacity = CAPACITY_S * self.rate_hz // 2 * 2
        log = capacity // _SMALLEST * _LOG
        self._words = np.zeros(_HEAD + log + channels * capacity // 2, np.int64)
        self._log = self._words[_HEAD : _HEAD + log].reshape(-1, _LOG)
        self._rows = self._words[_HEAD + log :].view(np.float32).reshape(channels, capacity)
        self._words[_TOTAL], self._words[_CAPACITY], self._words[_CHANNELS] = len(self._words), capacity, channels
        self._words[_CLIENT], self._words[_BASE] = self._client, -1
        self._words[_PORTS : _PORTS + channels] = self._ports
        self._read = self._logged = 0
        self._jack.jack_set_process_callback(self._client, listener(), self._words.ctypes.data)
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

    def listen_to_program(self, within_s: float = START_S) -> list[str]:
        """Connects the inputs to the first program that plays; returns its ports. AeoliaError when none comes."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            ports = [p for p in self.ports(_IS_OUTPUT) if not p.startswith("system:")]
            if len(ports) >= len(self._ports):
                for port, own in zip(ports, self._ports, strict=False):
                    self._jack.jack_connect(self._client, port.encode(), self._jack.jack_port_name(own))
                return ports[: len(self._ports)]
            time.sleep(0.002)
        raise AeoliaError(f"JACK: no program shows {len(self._ports)} outputs within {within_s:g} s")

    def ports(self, flags: int) -> list[str]:
        """The names of the audio ports that have these flags."""
        found = self._jack.jack_get_ports(self._client, None, _AUDIO, flags)
        names: list[str] = []
        if found:
            while (name := found[len(names)]) is not None:
                names.append(name.decode())
            self._jack.jack_free(found)
        return names

    def hear(self, seconds: float) -> None:
        """Returns when so much more was heard. AeoliaError when the server falls silent."""
        enough = self._end() + round(seconds * self.rate_hz)
        give_up_s, pause = time.monotonic() + 2 * seconds + START_S, threading.Event()
        while self._end() < enough:
            if time.monotonic() > give_up_s:
                raise AeoliaError("JACK server: has stopped")
            pause.wait(0.003)

    def _end(self) -> int:
        """The frame after the last one that was heard."""
        logged = kernel.load(self._words, _LOGGED)
        return int(self._log[(logged - 1) % len(self._log), :_TIME_US].sum()) if logged else 0

    def take(self) -> Heard:
        """Everything that was heard since the last call. AeoliaError when that is nothing, or too much."""
        logged = int(kernel.load(self._words, _LOGGED))
        log = self._log[np.arange(self._logged, logged) % len(self._log)]
        if not len(log):
            raise AeoliaError("JACK server: has stopped")
        frames = int(log[-1, _AT] + log[-1, _FRAMES]) - self._read
        capacity = self._rows.shape[1]
        if frames > capacity:
            raise AeoliaError(
                f"JACK capture: {frames / self.rate_hz:.0f} s were heard, at most {CAPACITY_S} s are kept"
            )
        places = np.arange(self._read, self._read + frames) % capacity
        sound = self._rows[:, places].T.copy()
        self._rows[:, places] = 0.0
        blocks = log[:, _AT] - self._read
        listened = np.zeros(frames, bool)
        for block, size in zip(blocks, log[:, _FRAMES], strict=True):
            listened[block : block + size] = True
        offset_ns = time.monotonic_ns() - self._jack.jack_get_time() * 1000
        self._read, self._logged = self._read + frames, logged
        return Heard(
            sound, listened, blocks, began(blocks, log[:, _TIME_US] * 1000 + offset_ns, self.rate_hz), self.rate_hz
        )


def began(blocks: NDArray[np.int64], heard_ns: NDArray[np.int64], rate_hz: int) -> NDArray[np.int64]:
    """(K,) when blocks began, of their first frames and when they were heard. A client may be woken late, and never
    early: of one block and the few after it, the one that was woken soonest tells the time. JACK's own filtered times
    are of no use here: they swing by 60 ms for seconds after the server has been late by 100 ms.
    """
    due_ns = blocks * 1_000_000_000 // rate_hz
    late = np.pad(heard_ns - due_ns, (0, _SOONEST_OF - 1), mode="edge")
    soonest = np.lib.stride_tricks.sliding_window_view(late, _SOONEST_OF).min(axis=1)
    return np.asarray(np.maximum.accumulate(due_ns + soonest))


@functools.cache
def listener() -> Any:
    """The process callback, compiled once: copies each block of the inputs to its place by JACK's frame time, and logs
    when the block began.
    """
    jack = library()
    get_buffer = ctypes.cast(
        jack.jack_port_get_buffer, ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_float), ctypes.c_int64, ctypes.c_uint32)
    )
    frame_time = ctypes.cast(jack.jack_last_frame_time, ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_int64))
    get_time = ctypes.cast(jack.jack_get_time, ctypes.CFUNCTYPE(ctypes.c_uint64))

    def listen(frames: Any, argument: Any) -> int:
        head = carray(argument, _HEAD, np.int64)
        words = carray(argument, head[_TOTAL], np.int64)
        capacity, channels, logged = words[_CAPACITY], words[_CHANNELS], words[_LOGGED]
        log = capacity // _SMALLEST * _LOG
        rows = words[_HEAD + log :].view(np.float32)
        time_us, now = get_time(), np.int64(frame_time(words[_CLIENT]))
        if words[_BASE] < 0:
            words[_BASE] = now
        at = (now - words[_BASE]) & 0xFFFF_FFFF
        place = at % capacity
        for channel in range(channels):
            heard = carray(get_buffer(words[_PORTS + channel], frames), (frames,))
            for k in range(frames):
                rows[channel * capacity + (place + k) % capacity] = heard[k]
        entry = _HEAD + logged * _LOG % log
        words[entry + _AT], words[entry + _FRAMES], words[entry + _TIME_US] = at, frames, time_us
        kernel.store(words, _LOGGED, logged + 1)
        return 0

    compiled: Any = cfunc("int32(uint32, voidptr)")(listen)
    _KEPT.append((compiled, get_buffer, frame_time, get_time))
    return ctypes.cast(compiled.address, _PROCESS)
