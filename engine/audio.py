"""Where the sound goes: PortAudio devices, and the null device that keeps time without a sound card.

PortAudio is loaded only when a device is listed or opened: files can be made without it. The compiled callback is
handed over as a C pointer, so nothing here runs while sound plays.
"""

import atexit
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Final, Protocol

from engine import kernel
from engine.callback import DELAY_FRAMES, CallbackState
from engine.errors import AeoliaError

NULL: Final = "null"
"""The device that runs in real time and is heard nowhere."""

_JACK: Final = "JACK Audio Connection Kit"
_PROMPT_S: Final = 0.5

_left_behind = False


@dataclass(frozen=True, slots=True)
class Device:
    """An output that PortAudio knows; `channels` is the most it takes, `rate_hz` the rate it likes best."""

    index: int
    name: str
    host: str
    channels: int
    rate_hz: int
    default: bool

    def __str__(self) -> str:
        return f"{self.index}: {self.name} ({self.host})"


class Output(Protocol):
    """Something that plays a CallbackState. One thread opens, starts and stops it; a stopped output isn't started
    again.
    """

    @property
    def name(self) -> str:
        """The device's name, for people."""

    @property
    def latency_s(self) -> float:
        """From the callback to the loudspeaker, as far as the device knows, limiter included."""

    @property
    def active(self) -> bool:
        """Whether it plays; False after `stop`, and when the device went away. May block on a device that is dying."""

    def start(self) -> None:
        """Begins to call the callback; fresh sound fades in. AeoliaError if the device refuses."""

    def stop(self) -> None:
        """Ends at once (close the gate before for a fade) and frees the device. May be called twice. On a device that
        is dead it may block for minutes.
        """


def list_devices(*, refresh: bool = False) -> list[Device]:
    """The outputs that PortAudio sees. `refresh` looks again, which PortAudio can only do while no output is open; not
    where it is a client of a JACK server, for if that has ended, PortAudio would end this process too.

    AeoliaError where PortAudio isn't installed.
    """
    sd = _portaudio()
    hosts = sd.query_hostapis()
    if refresh and all(host["name"] != _JACK for host in hosts):
        sd._terminate()
        sd._initialize()
        hosts = sd.query_hostapis()
    try:
        default = int(sd.query_devices(kind="output")["index"])
    except (sd.PortAudioError, ValueError):
        default = -1
    return [
        Device(
            index=int(found["index"]),
            name=str(found["name"]),
            host=str(hosts[found["hostapi"]]["name"]),
            channels=int(found["max_output_channels"]),
            rate_hz=round(found["default_samplerate"]),
            default=found["index"] == default,
        )
        for found in sd.query_devices()
        if found["max_output_channels"] > 0
    ]


def open_output(
    device: str | int | None, rate_hz: int, block: int, channels: int, state: CallbackState, *, refresh: bool = False
) -> Output:
    """Opens a device for `state`: its number, its name or a part of it, "null", or None for the system's default.

    `rate_hz` in Hz, `block` in frames and `channels` must be the state's own. `refresh` as in `list_devices`.
    AeoliaError where the device is unknown or ambiguous, doesn't take these, or where there is none. When the output
    starts, the state must not be running elsewhere.
    """
    if (rate_hz, channels) != (state.rate_hz, state.channels):
        raise ValueError(
            f"{rate_hz} Hz, {channels} channels: the state has {state.rate_hz} Hz, {state.channels} channels"
        )
    if device == NULL:
        return NullOutput(state, block)
    return PortAudioOutput(find_device(device, list_devices(refresh=refresh)), state, block)


def find_device(wanted: str | int | None, devices: list[Device]) -> Device:
    """The one device that `wanted` means: a number, else an exact name, else a part of one (case ignored); None: the
    default.
    """
    choice = ", ".join(str(device) for device in devices)
    allowed = f"there is {choice}, and {NULL}" if devices else f"no sound card was found; {NULL} plays without one"
    if wanted is None:
        found = [device for device in devices if device.default]
        if not found:
            raise AeoliaError(f"no default sound device: {allowed}")
        return found[0]
    if isinstance(wanted, int) or wanted.isdecimal():
        found = [device for device in devices if device.index == int(wanted)]
    else:
        word = wanted.casefold()
        found = [device for device in devices if device.name.casefold() == word]
        found = found or [device for device in devices if word in f"{device.name} ({device.host})".casefold()]
    if len(found) > 1:
        raise AeoliaError(
            f"sound device {wanted!r} is ambiguous: it may be {', '.join(str(device) for device in found)}"
        )
    if not found:
        raise AeoliaError(f"unknown sound device {wanted!r}: {allowed}")
    return found[0]


class PortAudioOutput:
    """A PortAudio stream whose callback is the compiled one; see Output."""

    def __init__(self, device: Device, state: CallbackState, block: int) -> None:
        sd = _portaudio()
        self._state = state  # the device reads its memory: keep it
        self._device = device
        self._error: type[Exception] = sd.PortAudioError
        asked = f"{state.channels} channels at {state.rate_hz} Hz in blocks of {block}"
        if state.channels > device.channels:
            raise AeoliaError(f"sound device {device}: {state.channels} channels asked, it has 1..{device.channels}")
        try:
            self._stream = sd._StreamBase(
                kind="output",
                samplerate=state.rate_hz,
                blocksize=block,
                device=device.index,
                channels=state.channels,
                dtype="float32",
                latency="low",
                clip_off=True,
                dither_off=True,
                callback=sd._ffi.cast("PaStreamCallback*", kernel.portaudio_callback.address),
                userdata=sd._ffi.cast("void*", state.words.ctypes.data),
                wrap_callback=None,
            )
        except sd.PortAudioError as refused:
            liked = f"it likes {device.rate_hz} Hz and has 1..{device.channels} channels"
            raise AeoliaError(f"sound device {device} refuses {asked} ({_reason(refused)}): {liked}") from refused
        self._latency_s = float(self._stream.latency) + DELAY_FRAMES / state.rate_hz
        self._open = True

    @property
    def name(self) -> str:
        return f"{self._device.name} ({self._device.host})"

    @property
    def latency_s(self) -> float:
        return self._latency_s

    @property
    def active(self) -> bool:
        try:
            return self._open and bool(self._stream.active)
        except self._error:  # what PortAudio says of a device that is gone
            return False

    def start(self) -> None:
        self._state.rejoin()
        try:
            self._stream.start()
        except self._error as refused:
            raise AeoliaError(
                f"sound device {self._device} doesn't start ({_reason(refused)}): try another"
            ) from refused

    def stop(self) -> None:
        if not self._open:
            return
        self._open = False
        began_s = time.monotonic()
        self._stream.stop(ignore_errors=True)
        # A JACK server that took so long may have ended, and to close its stream would then abort this process.
        if self._device.host != _JACK or time.monotonic() - began_s < _PROMPT_S:
            self._stream.close(ignore_errors=True)
        else:
            leave_behind()


def leave_behind() -> None:
    """Has nobody clean up PortAudio at exit: to be called where it doesn't let go of a device, for it would block for
    minutes, or abort where a JACK server has died. The process must then end by `os._exit`: see `left_behind`.
    """
    global _left_behind
    _left_behind = True
    atexit.unregister(_portaudio()._exit_handler)


def left_behind() -> bool:
    """Whether PortAudio was left as it was, with threads of its own running."""
    return _left_behind


class NullOutput:
    """Plays to nobody, in real time; see Output."""

    name = "null"

    def __init__(self, state: CallbackState, block: int) -> None:
        self._state = state
        self.latency_s = (block + DELAY_FRAMES) / state.rate_hz
        views = state.words, state.doubles, state.floats
        self._out = state.floats[:0].copy()
        self._out.resize(block * state.channels)
        self._thread = threading.Thread(
            target=kernel.run_null, args=(*views, self._out, block), name="null-output", daemon=True
        )

    @property
    def active(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._state.rejoin()
        kernel.store(self._state.words, kernel.STOP, 0)
        self._thread.start()

    def stop(self) -> None:
        kernel.store(self._state.words, kernel.STOP, 1)
        if self._thread.is_alive():
            self._thread.join()


def _portaudio() -> ModuleType:
    """The sounddevice module; AeoliaError where the PortAudio library is missing."""
    try:
        import sounddevice
    except OSError as missing:
        how = "apt install libportaudio2 (Debian, Ubuntu) or brew install portaudio (macOS)"
        raise AeoliaError(f"PortAudio can't be loaded ({missing}): {how}, or use the device {NULL}") from missing
    return sounddevice  # type: ignore[no-any-return,unused-ignore]


def _reason(error: Exception) -> str:
    return str(error.args[0]).split("\n")[0] if error.args else type(error).__name__
