"""Timelines and blends of latents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.voice import MOST_STRETCH, Timeline, fade, mix

C = 32
CALM = np.zeros(4, np.float32)


def noise(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((C, frames)).astype(np.float32)


def timeline(frames: int, seed: int = 0) -> Timeline:
    t = Timeline(C, seed=7)
    t.splice(0, noise(seed, frames), CALM, 0)
    return t


def test_one_voice_is_mixed_to_itself() -> None:
    z = noise(0, 5)
    assert np.allclose(mix(z[None], np.array([0.3], np.float32)), z, rtol=1e-6)


def test_same_latents_mix_linearly() -> None:
    z = noise(0, 5)
    mixed = mix(np.stack([z, 3 * z]), np.array([0.5, 0.5], np.float32))
    assert np.allclose(mixed, 2 * z, atol=1e-5)


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
def test_unlike_latents_keep_their_length(seed: int, x: float) -> None:
    a, b = noise(seed, 4), noise(seed + 1001, 4)
    mixed = mix(np.stack([a, b]), np.array([1 - x, x], np.float32))
    wanted = (1 - x) * np.linalg.norm(a, axis=0) + x * np.linalg.norm(b, axis=0)
    wanted = np.minimum(wanted, MOST_STRETCH * np.linalg.norm((1 - x) * a + x * b, axis=0))
    assert np.allclose(np.linalg.norm(mixed, axis=0), wanted, rtol=1e-3)


def test_opposite_latents_do_not_blow_up() -> None:
    z = noise(0, 3)
    mixed = mix(np.stack([z, -0.999 * z]), np.array([0.5, 0.5], np.float32))
    assert np.abs(mixed).max() <= MOST_STRETCH * 0.001 * np.abs(z).max()


def test_fade_starts_near_the_old_and_ends_near_the_new() -> None:
    old, new = noise(0, 6), noise(1, 6)
    faded = fade(old, new)
    assert np.linalg.norm(faded[:, 0] - old[:, 0]) < np.linalg.norm(faded[:, 0] - new[:, 0])
    assert np.linalg.norm(faded[:, -1] - new[:, -1]) < np.linalg.norm(faded[:, -1] - old[:, -1])


def test_splice_replaces_what_lies_ahead_and_nothing_before() -> None:
    t = timeline(64)
    new = noise(1, 20)
    t.splice(30, new, np.full(4, 5, np.float32), overlap=4)
    assert t.solid == t.end == 50
    assert np.array_equal(t.frames(0, 30), noise(0, 64)[:, :30])
    assert np.array_equal(t.frames(34, 16), new[:, 4:])
    assert np.array_equal(t.frames(30, 4), fade(noise(0, 64)[:, 30:34], new[:, :4]))
    dials = t.emotions(28, 8)[:, 0]
    assert np.all(np.diff(dials) >= 0)
    assert dials[0] == 0
    assert dials[-1] == 5


def test_splice_behind_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match="must be some"):
        timeline(10).splice(11, noise(0, 4), CALM, 0)


def test_extension_is_deterministic_in_any_grouping() -> None:
    whole, parts = timeline(64), timeline(64)
    whole.extend_from_tail(100)
    for count in (1, 7, 32, 60):
        parts.extend_from_tail(count)
    assert np.array_equal(whole.frames(64, 100), parts.frames(64, 100))
    assert whole.solid == 64
    assert whole.end == 164


def test_extension_keeps_loudness_and_stays_alive() -> None:
    t = timeline(64)
    t.extend_from_tail(400)
    extension = t.frames(64, 400)
    assert np.std(extension) == pytest.approx(np.std(t.frames(40, 24)), rel=0.1)
    assert np.linalg.norm(np.diff(extension, axis=1), axis=0).min() > 0.1  # no frame is repeated
    assert np.isfinite(extension).all()


def test_a_single_frame_can_be_extended() -> None:
    t = timeline(1)
    t.extend_from_tail(10)
    assert np.allclose(t.frames(1, 10), noise(0, 1), atol=1e-5 + np.abs(noise(0, 1)).max() * 0.05)


def test_forgetting_bounds_the_memory_and_keeps_frame_numbers() -> None:
    t = timeline(64)
    kept = t.frames(50, 10).copy()
    t.forget(50)
    assert t.start == 50
    assert np.array_equal(t.frames(50, 10), kept)
    with pytest.raises(ValueError, match="there are 50"):
        t.frames(49, 1)
    t.extend_from_tail(1000)
    t.forget(1000)
    assert t.end - t.start == 64
