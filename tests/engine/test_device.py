"""A device that dies: it is told before anything that may block, the null device takes its place, and it comes back."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engine import device
from engine.audio import NullOutput, Output
from engine.callback import CallbackState
from engine.device import FIRST_BLOCK_S, PATIENCE_S, STALL_S, DeviceKeeper
from engine.errors import AeoliaError

BOUND_S = 10.0


class Card:
    """A sound card that asks for no sound by itself: `blocks` of 256 frames are pulled by hand."""

    name, latency_s = "card", 0.01

    def __init__(self, state: CallbackState) -> None:
        self.state, self.active, self.started = state, True, False
        self.free = threading.Event()
        self.free.set()
        self.stops = 0

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stops += 1
        assert self.free.wait(BOUND_S)
        self.active = False


class Rig:
    """A keeper on cards; `there` says which is the next, or why there is none."""

    def __init__(self) -> None:
        self.state = CallbackState()
        self.cards: list[Card] = []
        self.refreshed: list[bool] = []
        self.refusal = ""
        self.keeper = DeviceKeeper(self.state, self.open)

    def open(self, refresh: bool) -> Output:
        self.refreshed.append(refresh)
        if self.refusal:
            raise AeoliaError(self.refusal)
        self.cards.append(Card(self.state))
        return self.cards[-1]

    def lose(self) -> None:
        """Time passes without a block."""
        self.keeper.keep(0.0)
        self.keeper.keep(FIRST_BLOCK_S + 0.1)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(device, "RETRY_S", 0.01)
    one = Rig()
    one.keeper.start(0.0)
    yield one
    for card in one.cards:
        card.free.set()
    one.keeper.stop()


def until(holds: Callable[[], bool]) -> None:
    end_s, pause = time.monotonic() + BOUND_S, threading.Event()
    while not holds():
        assert time.monotonic() < end_s, "the state did not come"
        pause.wait(0.002)


def pull(rig: Rig, blocks: int = 1) -> None:
    for _ in range(blocks):
        rig.state.render(np.empty((256, 2), np.float32))


def test_a_device_that_asks_for_sound_is_left_alone(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    for k in range(100):
        pull(rig)
        rig.keeper.keep(k * 0.9 * STALL_S)
    assert rig.keeper.running
    assert rig.keeper.problem is None
    assert not caplog.records
    assert rig.cards[0].stops == 0


def test_a_device_is_lost_when_it_stands_still(rig: Rig) -> None:
    pull(rig)
    rig.keeper.keep(10.0)
    rig.keeper.keep(10.0 + STALL_S)
    assert rig.keeper.problem is None
    rig.keeper.keep(10.1 + STALL_S)
    until(lambda: len(rig.cards) == 2)


def test_the_first_block_may_take_longer(rig: Rig) -> None:
    rig.keeper.keep(FIRST_BLOCK_S)
    assert rig.keeper.problem is None


def test_a_loss_is_told_while_portaudio_is_stuck_and_time_goes_on(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    card = rig.cards[0]
    card.active = False
    card.free.clear()
    rig.lose()
    assert [record.message for record in caplog.records] == [rig.keeper.problem]
    assert "sound device card was lost" in caplog.text
    position = rig.state.snapshot().position
    until(lambda: rig.state.snapshot().position > position)
    assert rig.keeper.running
    for k in range(3):
        rig.keeper.keep(FIRST_BLOCK_S + 2 * PATIENCE_S + k)
    assert caplog.text.count("does not let go of it") == 1
    assert rig.keeper.name == "null"
    card.free.set()
    until(lambda: rig.keeper.name == "card")


def test_the_state_is_not_run_by_two_devices_at_once(rig: Rig) -> None:
    """Whether a stuck device that says it is active is dead is not known before it has stopped."""
    card = rig.cards[0]
    card.free.clear()
    rig.lose()
    until(lambda: card.stops == 1)
    assert not rig.keeper.running
    assert rig.keeper.name == "card"


def test_a_lost_device_is_looked_for_until_it_is_back(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.refusal = "unknown sound device 'card'"
    rig.lose()
    until(lambda: len(rig.refreshed) > 3)
    assert rig.keeper.problem == "unknown sound device 'card'"
    assert rig.keeper.running
    rig.refusal = ""
    until(lambda: rig.keeper.problem is None)
    assert rig.refreshed == [False] + [True] * (len(rig.refreshed) - 1)
    assert rig.cards[1].started
    assert "sound device card is open again" in caplog.text


def test_ending_waits_no_longer_than_it_must(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.cards[0].free.clear()
    began_s = time.monotonic()
    rig.keeper.stop()
    assert PATIENCE_S <= time.monotonic() - began_s < PATIENCE_S + 1
    assert "it is left behind" in caplog.text


def test_ending_ends_the_null_device_where_another_is_stuck(rig: Rig) -> None:
    rig.cards[0].active = False
    rig.cards[0].free.clear()
    rig.lose()
    until(lambda: rig.keeper.name == "null")
    output = rig.keeper._output
    assert isinstance(output, NullOutput)
    rig.keeper.stop()
    assert not output.active
    assert not rig.keeper.running
