"""Latents to sound, with a state."""

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.decoder import Float, HopDecoder
from engine.synthesis import HOP


def latents(bundle: Bundle, frames: int, seed: int = 0) -> Float:
    return np.random.default_rng(seed).standard_normal((bundle.manifest.latent_channels, frames)).astype(np.float32)


@pytest.mark.parametrize("groups", [[1] * 24, [2, 3, 5, 14], [16, 8], [23, 1]], ids=str)
def test_streamed_equals_in_one_go(tiny_bundle: Bundle, groups: list[int]) -> None:
    whole = latents(tiny_bundle, sum(groups))
    one, many = HopDecoder(tiny_bundle, 1), HopDecoder(tiny_bundle, 1)
    reference = one.decode(whole)
    pieces = [many.decode(piece) for piece in np.split(whole, np.cumsum(groups)[:-1], axis=1)]
    difference = np.abs(np.concatenate(pieces, axis=1) - reference).max() / np.abs(reference).max()
    print(f"largest difference {difference:.1e} of the peak")
    assert difference < 1e-5


def test_shape_and_level(tiny_bundle: Bundle) -> None:
    sound = HopDecoder(tiny_bundle, 1).decode(latents(tiny_bundle, 5))
    assert sound.shape == (2, 5 * HOP)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0


def test_same_seed_same_sound(tiny_bundle: Bundle) -> None:
    one, same, other = (HopDecoder(tiny_bundle, seed).decode(latents(tiny_bundle, 4)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-3 * float(np.abs(one).max()))


def test_reset_forgets_all(tiny_bundle: Bundle) -> None:
    fresh, used = HopDecoder(tiny_bundle, 1), HopDecoder(tiny_bundle, 1)
    used.decode(latents(tiny_bundle, 9, seed=5))
    used.reset()
    np.testing.assert_array_equal(used.decode(latents(tiny_bundle, 4)), fresh.decode(latents(tiny_bundle, 4)))


def test_causal(tiny_bundle: Bundle) -> None:
    given = latents(tiny_bundle, 12)
    changed = given.copy()
    changed[:, 8:] += 1
    ours, theirs = (HopDecoder(tiny_bundle, 1).decode(x) for x in (given, changed))
    peak = np.abs(ours).max()
    np.testing.assert_allclose(ours[:, : 8 * HOP], theirs[:, : 8 * HOP], atol=1e-6 * peak)
    assert not np.allclose(ours[:, 8 * HOP :], theirs[:, 8 * HOP :], atol=1e-3 * peak)


def test_position_moves_the_excitation(tiny_bundle: Bundle) -> None:
    here, there = HopDecoder(tiny_bundle, 1), HopDecoder(tiny_bundle, 1)
    there.reset(1_000)
    assert not np.array_equal(here.decode(latents(tiny_bundle, 3)), there.decode(latents(tiny_bundle, 3)))
