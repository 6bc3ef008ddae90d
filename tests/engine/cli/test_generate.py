"""Pieces end softly and loops have no seam, however the sound comes in blocks."""

import numpy as np
import pytest

from engine.cli.generate import faded, looped

SAMPLES, FADE, LEAD = 10_000, 1000, 300
SOUND = np.random.default_rng(0).uniform(-1, 1, (LEAD + SAMPLES + FADE + 1, 2)).astype(np.float32)


def blocks(sound: np.ndarray, size: int) -> list[np.ndarray]:
    return np.split(sound, range(size, len(sound), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 1024, 20_000])
@pytest.mark.parametrize("samples", [SAMPLES, FADE, 10])
def test_a_piece_fades_at_its_end_alone(samples: int, size: int) -> None:
    sound = SOUND[:samples]
    played = np.concatenate(list(faded(blocks(sound, size), samples, FADE)))
    fade = min(samples, FADE)
    assert np.array_equal(played[: samples - fade], sound[: samples - fade])
    gains = np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    assert np.array_equal(played[samples - fade :], sound[samples - fade :] * gains)


@pytest.mark.parametrize("size", [7, 1000, 1024, 20_000])
def test_a_loop_goes_on_in_its_beginning(size: int) -> None:
    given = blocks(SOUND, size)
    played = np.concatenate(list(looped(given, LEAD, FADE, SAMPLES)))
    assert played.shape == (SAMPLES, 2)
    first = LEAD + FADE
    assert np.array_equal(played[: SAMPLES - FADE], SOUND[first : LEAD + SAMPLES])
    angle = np.linspace(0, np.pi / 2, FADE, endpoint=False)[:, None]
    end = SOUND[LEAD:first] * np.sin(angle) + SOUND[LEAD + SAMPLES : LEAD + SAMPLES + FADE] * np.cos(angle)
    assert np.abs(played[SAMPLES - FADE :] - np.clip(end, -1, 1)).max() < 1e-6


def test_a_loop_of_a_slow_tone_has_no_step() -> None:
    tone = np.sin(2 * np.pi * np.arange(len(SOUND)) / 1000)[:, None].astype(np.float32).repeat(2, axis=1)
    played = np.concatenate(list(looped(blocks(tone, 1024), LEAD, FADE, SAMPLES)))
    around = np.concatenate([played[-500:], played[:500]])
    assert np.abs(np.diff(around, axis=0)).max() < 0.02  # the crossfade of a tone with itself is up to 3 dB louder
