"""When captured sound was heard: block by block, also where a server was late."""

import numpy as np

from engine.cli.jack import Heard, began

RATE, BLOCK = 48_000, 240
BLOCK_NS = 5_000_000


def heard(times_ns: np.ndarray) -> Heard:
    """Blocks that began at these times, without gaps in their count."""
    blocks = np.arange(len(times_ns)) * BLOCK
    sound = np.zeros((len(times_ns) * BLOCK, 2), np.float32)
    return Heard(sound, np.ones(len(sound), bool), blocks, began(blocks, times_ns, RATE), RATE)


def test_steady_blocks() -> None:
    found = heard(1_000_000_000 + np.arange(40) * BLOCK_NS)
    assert found.frame_at(1_000_000_000) == 0
    assert found.frame_at(1_000_000_000 + 10 * BLOCK_NS + BLOCK_NS // 2) == 10 * BLOCK + BLOCK // 2
    assert found.frame_at(1_000_000_000 - BLOCK_NS) == -BLOCK
    assert found.frame_at(1_000_000_000 + 50 * BLOCK_NS) == 50 * BLOCK
    assert found.time_at(7 * BLOCK + 24) == 1_000_000_000 + 7 * BLOCK_NS + BLOCK_NS // 10


def test_a_listener_woken_late_shifts_nothing() -> None:
    times_ns = np.arange(40) * BLOCK_NS
    late = times_ns + np.random.default_rng(0).integers(0, 4_000_000, 40)
    late[::3] = times_ns[::3]
    np.testing.assert_array_equal(heard(late).times_ns, times_ns)


def test_a_late_server_shifts_what_comes_after_it_and_nothing_before() -> None:
    times_ns = np.arange(40) * BLOCK_NS
    times_ns[20:] += 100_000_000
    found = heard(times_ns)
    np.testing.assert_array_equal(found.times_ns, times_ns)
    assert found.frame_at(19 * BLOCK_NS + 50_000_000) == 20 * BLOCK  # nothing sounds while it is late
    assert found.frame_at(25 * BLOCK_NS + 100_000_000) == 25 * BLOCK


def test_blocks_that_the_listener_missed() -> None:
    blocks = np.array([0, 1, 5, 6]) * BLOCK
    times_ns = began(blocks, np.array([0, 1, 5, 6]) * BLOCK_NS, RATE)
    found = Heard(np.zeros((7 * BLOCK, 2), np.float32), np.ones(7 * BLOCK, bool), blocks, times_ns, RATE)
    assert found.frame_at(3 * BLOCK_NS) == 3 * BLOCK
    assert found.time_at(4 * BLOCK) == 4 * BLOCK_NS
