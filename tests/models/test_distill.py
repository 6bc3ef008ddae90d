"""Consistency distillation: the boundary, what the loss asks, and sampling in steps."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.denoiser import Denoiser, DenoiserConfig
from models.diffusion import Conditions
from models.distill import consistency, distillation_loss, sample

BATCH = 4
CONFIG = DenoiserConfig(8, 16, 4, widths=(16, 24), blocks=1, condition=32, heads=2)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def net() -> Denoiser:
    made = Denoiser(CONFIG)
    for p in made.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return made


def conditions(context_frames: int = 4) -> Conditions:
    mask = (torch.arange(16) < context_frames).float().expand(BATCH, 1, 16).clone()
    text = torch.nn.functional.normalize(torch.randn(BATCH, 384))
    tokens, heard = torch.randn(BATCH, 24, 384), (torch.arange(24) < 6).float().expand(BATCH, 24)
    return Conditions(torch.randn(BATCH, 8, 16) * mask, mask, text, tokens, heard, torch.rand(BATCH, 4))


class Oracle:
    """A net that knows the sound that all paths lead to."""

    def __init__(self, x0: Tensor) -> None:
        self.x0 = x0

    def __call__(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
        t = t[:, None, None].clamp(min=1e-4)
        x0 = self.x0.repeat(len(x) // len(self.x0), 1, 1)
        return (t.cos() * x - x0) / t.sin()


@torch.no_grad()
def test_boundary_holds_for_any_net() -> None:
    x = torch.randn(BATCH, 8, 16)
    assert torch.equal(consistency(net(), x, torch.zeros(BATCH), conditions(), torch.ones(BATCH)), x)


def test_loss_is_zero_where_all_agree() -> None:
    x0 = torch.randn(BATCH, 8, 16)
    oracle: Any = Oracle(x0)
    loss = distillation_loss(oracle, oracle, oracle, x0, conditions(), 8, torch.Generator().manual_seed(0))
    assert 0 <= loss < 1e-4


def test_loss_is_deaf_in_the_context() -> None:
    x0, given = torch.randn(BATCH, 8, 16), conditions()

    class Wrong(Oracle):
        def __call__(self, x: Tensor, t: Tensor, given: Conditions, guidance: Tensor) -> Tensor:
            return super().__call__(x, t, given, guidance) + 3 * given.mask

    oracle: Any = Oracle(x0)
    wrong: Any = Wrong(x0)
    loss = distillation_loss(wrong, oracle, oracle, x0, given, 8, torch.Generator().manual_seed(0))
    assert 0 <= loss < 1e-4


def test_only_the_student_learns() -> None:
    student, target, teacher = net(), net(), net()
    loss = distillation_loss(
        student, target, teacher, torch.randn(BATCH, 8, 16), conditions(), 8, torch.Generator().manual_seed(0)
    )
    assert loss > 0
    loss.backward()  # type: ignore[no-untyped-call] # torch has no types for it
    assert all(p.grad is not None for p in student.parameters())
    assert all(p.grad is None for other in (target, teacher) for p in other.parameters())


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_sampling_keeps_the_context_and_finds_what_the_net_knows(steps: int) -> None:
    x0, given = torch.randn(BATCH, 8, 16), conditions()
    oracle: Any = Oracle(x0)
    found = sample(oracle, torch.randn(steps, BATCH, 8, 16), given, 3.0)
    assert torch.equal(found[..., :4], given.context[..., :4])
    torch.testing.assert_close(found[..., 4:], x0[..., 4:], atol=1e-4, rtol=1e-4)


def test_one_step_is_the_consistency_function_at_the_end() -> None:
    made, given, z = net().eval(), conditions(0), torch.randn(1, BATCH, 8, 16)
    with torch.no_grad():
        end = consistency(made, z[0], torch.full((BATCH,), math.pi / 2), given, torch.full((BATCH,), 3.0))
    torch.testing.assert_close(sample(made, z, given, 3.0), end, atol=1e-5, rtol=1e-5)
