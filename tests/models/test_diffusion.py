"""The circle of diffusion: its identities, its loss and its sampler against a net that knows."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.denoiser import NO_EMOTION, Conditions
from models.diffusion import (
    denoised,
    guided,
    noised,
    random_times,
    rotated,
    sample,
    teacher_loss,
    velocity,
)

BATCH = 5


def conditions() -> Conditions:
    mask = (torch.arange(16) < 4).float().expand(BATCH, 1, 16).clone()
    text = torch.nn.functional.normalize(torch.randn(BATCH, 384))
    tokens, heard = torch.randn(BATCH, 24, 384), (torch.arange(24) < 6).float().expand(BATCH, 24)
    return Conditions(torch.randn(BATCH, 8, 16) * mask, mask, text, tokens, heard, torch.rand(BATCH, 4))


class Oracle:
    """A net that knows the sound it is to find: its velocity points from x to x0. Deaf to its conditions."""

    def __init__(self, x0: Tensor) -> None:
        self.x0 = x0

    def __call__(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
        t = t[:, None, None].clamp(min=1e-4)
        x0 = self.x0.repeat(len(x) // len(self.x0), 1, 1)
        return (t.cos() * x - x0) / t.sin()


class Linear:
    """A net whose velocity is the sum of what it hears of words and emotions."""

    def __call__(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
        heard = (given.tokens * given.tokens_mask[..., None]).sum((1, 2)) + given.text.sum(1) + given.emotion.sum(1)
        return x + heard[:, None, None]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    return torch.randn(BATCH, 8, 16, dtype=torch.float64), torch.randn(BATCH, 8, 16, dtype=torch.float64)


TIMES = torch.linspace(0, math.pi / 2, BATCH, dtype=torch.float64)


def test_ends_of_the_path(pair: tuple[Tensor, Tensor]) -> None:
    x0, z = pair
    torch.testing.assert_close(noised(x0, z, torch.zeros(BATCH)), x0)
    torch.testing.assert_close(noised(x0, z, torch.full((BATCH,), math.pi / 2, dtype=torch.float64)), z)


def test_denoised_is_the_inverse(pair: tuple[Tensor, Tensor]) -> None:
    x0, z = pair
    torch.testing.assert_close(denoised(noised(x0, z, TIMES), velocity(x0, z, TIMES), TIMES), x0)


def test_velocity_is_the_derivative(pair: tuple[Tensor, Tensor]) -> None:
    x0, z = pair
    step = 1e-6
    slope = (noised(x0, z, TIMES + step) - noised(x0, z, TIMES - step)) / (2 * step)
    torch.testing.assert_close(slope, velocity(x0, z, TIMES), atol=1e-8, rtol=1e-6)


def test_rotation_goes_along_the_path(pair: tuple[Tensor, Tensor]) -> None:
    x0, z = pair
    s = TIMES.flip(0)
    torch.testing.assert_close(rotated(noised(x0, z, TIMES), velocity(x0, z, TIMES), TIMES, s), noised(x0, z, s))


def test_rotation_to_0_denoises(pair: tuple[Tensor, Tensor]) -> None:
    x, v = pair
    torch.testing.assert_close(rotated(x, v, TIMES, torch.zeros_like(TIMES)), denoised(x, v, TIMES))


def test_variance_is_kept_on_the_path() -> None:
    x0, z = torch.randn(BATCH, 64, 400), torch.randn(BATCH, 64, 400)
    torch.testing.assert_close(noised(x0, z, TIMES.float()).var((1, 2)), torch.ones(BATCH), atol=0.03, rtol=0)


def test_dropped_has_neither_words_nor_emotions_but_its_context() -> None:
    given = conditions()
    which = torch.tensor([True, False, True, False, False])
    for chosen, gone in ((None, torch.ones(BATCH, dtype=torch.bool)), (which, which)):
        none = given.dropped(chosen)
        assert (none.text[gone] == 0).all()
        assert (none.emotion[gone] == NO_EMOTION).all()
        assert torch.equal(none.text[~gone], given.text[~gone])
        assert torch.equal(none.emotion[~gone], given.emotion[~gone])
        assert torch.equal(none.context, given.context)
        assert torch.equal(none.mask, given.mask)


def test_guidance_goes_on_from_no_words_through_words() -> None:
    given, net = conditions(), Linear()
    x, t = torch.randn(BATCH, 8, 16), torch.rand(BATCH)
    none, words, twice = (guided(net, x, t, given, torch.full((BATCH,), s)) for s in (0.0, 1.0, 2.0))  # type: ignore[arg-type] # a net in all that is asked of it
    dropped = given.dropped()
    torch.testing.assert_close(none, net(x, t, dropped, t))
    torch.testing.assert_close(words, net(x, t, given, t))
    torch.testing.assert_close(twice - words, words - none, atol=1e-5, rtol=1e-5)


def test_times_are_inside_the_path_and_spread() -> None:
    t = random_times(10_000, torch.Generator().manual_seed(0))
    assert 0 < t.min() < 0.1
    assert 1.5 < t.max() < math.pi / 2


def test_loss_is_zero_for_a_net_that_knows_and_deaf_in_the_context() -> None:
    x0, given = torch.randn(BATCH, 8, 16), conditions()

    class Wrong(Oracle):
        def __call__(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
            return super().__call__(x, t, given, guidance) + 3 * given.mask

    oracles: list[Any] = [Oracle(x0), Wrong(x0), Oracle(x0 + 1)]
    right, wrong_in_context, wrong = (teacher_loss(o, x0, given, torch.Generator().manual_seed(0)) for o in oracles)
    assert right < 1e-6
    assert wrong_in_context < 1e-6
    assert wrong > 0.5


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_sampler_finds_what_the_net_knows(steps: int) -> None:
    x0: Tensor = torch.randn(BATCH, 8, 16)
    oracle: Any = Oracle(x0)
    found = sample(oracle, torch.randn(BATCH, 8, 16), conditions(), steps, 2.0)
    torch.testing.assert_close(found, x0, atol=1e-4, rtol=1e-4)
