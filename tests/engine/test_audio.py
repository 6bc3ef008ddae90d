"""Outputs: the null device keeps time, and every wrong device is named with what there is."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from engine import audio
from engine.audio import NULL, Device, Output, find_device, list_devices, open_output
from engine.callback import DELAY_FRAMES, CallbackState, Slot
from engine.errors import AeoliaError

RATE = 48_000
DEVICES = [
    Device(0, "system", "JACK", 2, RATE, default=False),
    Device(3, "Scarlett 4i4", "ALSA", 4, RATE, default=True),
    Device(5, "Scarlett 18i8", "ALSA", 8, RATE, default=False),
]


def wait_for_position(state: CallbackState, frames: int, within_s: float = 10.0) -> None:
    give_up = time.monotonic() + within_s
    tick = threading.Event()
    while state.snapshot().position < frames:
        assert time.monotonic() < give_up, f"{state.snapshot().position} frames after {within_s} s"
        tick.wait(0.002)


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 3), (5, 5), ("0", 0), ("system", 0), ("SYSTEM", 0), ("18i8", 5), ("jack", 0)]
)
def test_device_is_found_by_number_name_or_part(wanted: str | int | None, index: int) -> None:
    assert find_device(wanted, DEVICES).index == index


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("Scarlett", "ambiguous.*4i4.*18i8"),
        ("moon", "'moon': there is 0: system"),
        (7, "7: there is"),
        ("", "ambiguous"),
    ],
)
def test_wrong_device_is_named_with_what_there_is(wanted: str | int, says: str) -> None:
    with pytest.raises(AeoliaError, match=says):
        find_device(wanted, DEVICES)


@pytest.mark.parametrize("wanted", [None, "system", 0])
def test_without_a_sound_card_the_null_device_is_offered(wanted: str | int | None) -> None:
    with pytest.raises(AeoliaError, match="no sound card was found; null plays without one"):
        find_device(wanted, [])


def test_real_unknown_device_is_refused() -> None:
    with pytest.raises(AeoliaError, match=r"no such card|PortAudio can't be loaded"):
        open_output("no such card", RATE, 256, 2, CallbackState())


def test_listing_agrees_with_itself() -> None:
    try:
        devices = list_devices(refresh=True)
    except AeoliaError as missing:
        pytest.skip(str(missing))
    assert sum(device.default for device in devices) <= 1
    assert len({device.index for device in devices}) == len(devices)


class FakePortAudio:
    """What is asked of sounddevice."""

    PortAudioError = RuntimeError

    def __init__(self, host: str) -> None:
        self._host, self.looks = host, 0

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": self._host}]

    def query_devices(self, kind: str = "") -> object:
        return {"index": 0} if kind else []

    def _initialize(self) -> None:
        self.looks += 1

    def _terminate(self) -> None:
        pass


@pytest.mark.parametrize(("host", "looks"), [("ALSA", 1), ("JACK Audio Connection Kit", 0)])
def test_portaudio_never_leaves_a_jack_server_which_may_have_ended(
    monkeypatch: pytest.MonkeyPatch, host: str, looks: int
) -> None:
    portaudio = FakePortAudio(host)
    monkeypatch.setattr(audio, "_portaudio", lambda: portaudio)
    list_devices()
    assert portaudio.looks == 0
    list_devices(refresh=True)
    assert portaudio.looks == looks


@pytest.mark.parametrize("block", [64, 256])
def test_null_device_keeps_real_time_and_plays_everything(block: int) -> None:
    state = CallbackState(RATE, block, 2, 16_384)
    sound = (0.1 * np.random.default_rng(1).standard_normal((2, 14_400))).astype(np.float32)
    state.write(sound)
    state.tap_start()
    output: Output = open_output(NULL, RATE, block, 2, state)
    began = time.monotonic()
    output.start()
    assert output.active
    wait_for_position(state, 14_400)
    took = time.monotonic() - began
    output.stop()
    assert not output.active
    heard = state.tap_read()
    np.testing.assert_allclose(heard[1_000 + DELAY_FRAMES : 14_400], sound.T[1_000 : 14_400 - DELAY_FRAMES], atol=1e-7)
    assert took >= (14_400 - block) / RATE  # never ahead of the clock
    assert state.snapshot().position == len(heard)


def test_null_device_is_not_held_up_by_a_thread_that_keeps_the_interpreter() -> None:
    """Blocks go on while a Python thread computes without a pause: the loop needs no interpreter lock."""
    state = CallbackState(RATE, 128)
    output = open_output(NULL, RATE, 128, 2, state)
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            sum(range(10_000))

    spinner = threading.Thread(target=spin)
    spinner.start()
    output.start()
    began, first = time.monotonic_ns(), state.snapshot().position
    wait_for_position(state, first + 24_000)
    meters = state.snapshot()
    ended.set()
    spinner.join()
    output.stop()
    ahead = meters.position / RATE - (meters.time_ns - began) / 1e9
    assert abs(ahead) < 0.1 + 0.1 * meters.xruns
    assert meters.empty_reads == 0


def test_stamp_is_on_the_monotonic_clock() -> None:
    state = CallbackState(RATE, 128)
    output = open_output(NULL, RATE, 128, 2, state)
    before = time.monotonic_ns()
    output.start()
    wait_for_position(state, 1_280)
    output.stop()
    assert before <= state.snapshot().time_ns <= time.monotonic_ns()


def test_controls_reach_a_running_device() -> None:
    state = CallbackState(RATE, 128)
    output = open_output(NULL, RATE, 128, 2, state)
    output.start()
    wait_for_position(state, 1_280)
    number = state.send(Slot.LEVEL_DB, -6.0)
    at = state.snapshot().position
    wait_for_position(state, at + 512)
    output.stop()
    [(applied, slot, value, sample)] = state.applied()
    assert (applied, slot, value) == (number, Slot.LEVEL_DB, -6.0)
    assert at - 128 <= sample <= at + 512
    output.stop()  # twice is fine


def test_state_and_output_must_agree() -> None:
    with pytest.raises(ValueError, match="the state has 48000 Hz, 2 channels"):
        open_output(NULL, 44_100, 256, 2, CallbackState())


def test_files_can_be_made_where_portaudio_is_missing() -> None:
    """Importing the outputs and rendering offline loads no PortAudio; opening a device without it says how to get
    it.
    """
    program = """
import sys
sys.modules["_sounddevice"] = None  # its import fails, as where the library can't be loaded
import numpy as np
from engine import audio, callback, record
callback.process(callback.CallbackState(), np.zeros((2, 512), np.float32))
assert "sounddevice" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
