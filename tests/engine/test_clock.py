"""The relation of samples to time."""

import numpy as np
import pytest

from engine.clock import JUMP_NS, SETTLING_NS, SampleClock, monotonic_of
from engine.protocol import timetag_at

RATE = 48_000


def test_there_is_no_time_before_the_device_began() -> None:
    clock = SampleClock(RATE)
    clock.update(0, 0)
    assert not clock.running
    with pytest.raises(ValueError, match="not running"):
        clock.time_ns(0)


def test_positions_and_times_are_inverse() -> None:
    clock = SampleClock(RATE)
    clock.update(1024, 10**12)
    for position in (0, 1024, 10**9):
        assert clock.position(clock.time_ns(position)) == position


@pytest.mark.parametrize("drift_ppm", [-100, 0, 100])
def test_jitter_is_averaged_out_and_drift_followed(drift_ppm: float) -> None:
    clock, rng = SampleClock(RATE), np.random.default_rng(0)
    ns = 1e9 / RATE * (1 + drift_ppm * 1e-6)
    for k in range(2000):
        clock.update(k * 1024, int(10**12 + k * 1024 * ns + rng.uniform(0, 2e6)))
    error_ns = clock.time_ns(2000 * 1024) - (10**12 + 2000 * 1024 * ns + 1e6)
    assert abs(error_ns) < 0.6e6


def test_a_device_that_stood_still_is_believed_at_once() -> None:
    clock = SampleClock(RATE)
    clock.update(0, 10**12)
    later = 10**12 + 10 * JUMP_NS
    clock.update(1, later)
    assert clock.time_ns(1) == later


def test_it_is_settled_half_a_second_after_it_began_or_jumped() -> None:
    clock = SampleClock(RATE)
    assert not clock.settled
    for jump_ns in (0, 10 * JUMP_NS):
        settled = []
        for k in range(RATE // 1024):
            clock.update(k * 1024, 10**12 + round(k * 1024e9 / RATE) + jump_ns)
            settled.append(clock.settled)
        assert settled.index(True) == -(-SETTLING_NS * RATE // (1024 * 10**9))
        assert all(settled[settled.index(True) :])


def test_a_timetag_is_the_same_moment_on_the_monotonic_clock() -> None:
    unix_ns, monotonic_ns = 1_800_000_000 * 10**9, 5 * 10**9
    tag = timetag_at(unix_ns + 250_000_000)
    assert monotonic_of(tag, unix_ns, monotonic_ns) == pytest.approx(monotonic_ns + 250_000_000, abs=2)
