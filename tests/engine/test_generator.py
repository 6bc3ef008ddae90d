"""The generator's thread and its supervision. Time is told by the test; waiting is for a state, with a bound."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from engine.generator import LOADING_STUCK_S, MOST_BACKOFF_S, STUCK_S, Generator, Make
from engine.player import Request
from engine.voice import Float

BOUND_S = 20.0


def request(number: int, voice: int = 0) -> Request:
    return Request(number, voice, -1, None, f"words {number}", np.zeros(4, np.float32), number, 2, 3.0)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + BOUND_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end, "the state did not come"
        pause.wait(0.001)


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.ns = 1

    def __call__(self) -> int:
        return self.ns

    def pass_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


class Held:
    """Makes latents, but waits at the gate first; counts how often it was loaded."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered: list[int] = []
        self.loads = 0

    def load(self) -> Make:
        self.loads += 1
        return self.make

    def make(self, wanted: Request) -> Float:
        self.entered.append(wanted.id)
        self.gate.wait()
        if wanted.prompt == "words 13":
            raise RuntimeError("unlucky")
        return np.full((2, 3), wanted.id, np.float32)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def generator(held: Held, clock: Clock) -> Iterator[Generator]:
    made = Generator(held.load, clock)
    yield made
    held.gate.set()
    made.stop()


def collect(generator: Generator, count: int) -> list[int]:
    found: list[tuple[int, Float]] = []

    def enough() -> bool:
        found.extend(generator.results())
        return len(found) >= count

    until(enough)
    assert all((latents == number).all() for number, latents in found)
    return [number for number, _ in found]


def test_everything_wanted_is_made_once_in_order(generator: Generator) -> None:
    generator.want([request(3), request(1), request(2)])
    assert collect(generator, 3) == [3, 1, 2]
    generator.want([request(3), request(4)])
    assert collect(generator, 1) == [4]


def test_what_is_superseded_before_its_turn_is_not_made(generator: Generator, held: Held) -> None:
    held.gate.clear()
    generator.want([request(1), request(2)])
    until(lambda: held.entered == [1])
    generator.want([request(5), request(6)])
    held.gate.set()
    assert collect(generator, 3) == [1, 5, 6]
    assert held.entered == [1, 5, 6]


def test_a_killed_worker_is_replaced_with_the_nets_it_had(generator: Generator, held: Held) -> None:
    generator.kill()
    until(lambda: not generator.alive)
    generator.want([request(1)])
    generator.tend()
    assert collect(generator, 1) == [1]
    assert generator.restarts == 1
    assert held.loads == 1


def test_a_request_that_fails_does_not_end_generation(generator: Generator, clock: Clock) -> None:
    generator.want([request(13), request(1)])
    until(lambda: not generator.alive)
    generator.tend()
    until(lambda: not generator.alive)  # it fails again
    generator.want([request(14)])
    generator.tend()
    assert not generator.alive  # not at once
    clock.pass_s(1.1)
    generator.tend()
    assert collect(generator, 1) == [14]
    assert generator.restarts == 2


def test_restarts_that_do_not_help_become_rarer(generator: Generator, clock: Clock) -> None:
    generator.want([request(13)])
    for _ in range(3600):
        until(lambda: not generator.alive)
        generator.tend()
        clock.pass_s(1.0)
    assert 3600 / MOST_BACKOFF_S < generator.restarts < 3600 / MOST_BACKOFF_S + 10


def test_a_stuck_worker_is_left_behind_and_what_it_makes_ignored(
    generator: Generator, held: Held, clock: Clock
) -> None:
    held.gate.clear()
    generator.want([request(1)])
    until(lambda: held.entered == [1])
    clock.pass_s(STUCK_S - 0.1)
    generator.tend()
    assert generator.restarts == 0
    clock.pass_s(0.2)
    generator.tend()
    assert generator.restarts == 1
    until(lambda: held.entered == [1, 1])
    assert held.loads == 2
    held.gate.set()
    assert collect(generator, 1) == [1]
    assert generator.results() == []


def test_an_idle_worker_is_not_stuck(generator: Generator, clock: Clock) -> None:
    clock.pass_s(100 * LOADING_STUCK_S)
    generator.tend()
    assert generator.restarts == 0


def test_what_loading_raises_reaches_the_caller(clock: Clock) -> None:
    def load() -> Make:
        raise RuntimeError("no nets")

    with pytest.raises(RuntimeError, match="no nets"):
        Generator(load, clock)
