"""The U-Net: shapes, what it depends on, what it starts from."""

import math

import pytest
import torch
from torch import Tensor

from models.denoiser import Conditions, Denoiser, DenoiserConfig, angles

CONFIG = DenoiserConfig(8, 16, 4, widths=(16, 24), blocks=1, condition=32, heads=2)
INPUTS = ("x", "t", "context", "mask", "text", "tokens", "tokens_mask", "emotion", "guidance")


@pytest.fixture
def net() -> Denoiser:
    torch.manual_seed(0)
    made = Denoiser(CONFIG)
    for p in made.parameters():  # away from the careful start
        p.data += 0.1 * torch.randn_like(p)
    return made.eval()


def inputs(batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = (torch.arange(16) < 4).float().expand(batch, 1, 16).clone()
    return {
        "x": torch.randn(batch, 8, 16, generator=generator),
        "t": torch.rand(batch, generator=generator) * 1.5,
        "context": torch.randn(batch, 8, 16, generator=generator) * mask,
        "mask": mask,
        "text": torch.nn.functional.normalize(torch.randn(batch, 384, generator=generator)),
        "tokens": torch.randn(batch, 24, 384, generator=generator),
        "tokens_mask": (torch.arange(24) < 6).float().expand(batch, 24).clone(),
        "emotion": torch.rand(batch, 4, generator=generator),
        "guidance": torch.full((batch,), 3.0),
    }


def say(net: Denoiser, given: dict[str, Tensor]) -> Tensor:
    conditions = Conditions(**{name: tensor for name, tensor in given.items() if name not in ("x", "t", "guidance")})
    velocity: Tensor = net(given["x"], given["t"], conditions, given["guidance"])
    return velocity


@torch.no_grad()
def test_each_of_a_batch_is_by_itself(net: Denoiser) -> None:
    whole = say(net, inputs())
    assert whole.shape == (3, 8, 16)
    for row in range(3):
        alone = say(net, {name: value[row : row + 1] for name, value in inputs().items()})
        torch.testing.assert_close(alone[0], whole[row], atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_matters(net: Denoiser, name: str) -> None:
    given = inputs()
    changed = given | {name: given[name] + torch.rand(given[name].shape, generator=torch.Generator().manual_seed(2))}
    assert not torch.allclose(say(net, given), say(net, changed), atol=1e-4)


@torch.no_grad()
def test_every_frame_hears_every_other(net: Denoiser) -> None:
    given = inputs(1)
    changed = given | {"x": given["x"].clone()}
    changed["x"][..., 0] += 5
    assert ((say(net, given) - say(net, changed)).abs().amax((0, 1)) > 0).all()


@torch.no_grad()
def test_a_new_net_says_nothing() -> None:
    assert say(net_at_start(), inputs()).abs().max() < 1


@torch.no_grad()
def test_guidance_does_nothing_before_distillation() -> None:
    net = net_at_start()
    torch.nn.init.normal_(net.leave[2].weight)
    given = inputs()
    torch.testing.assert_close(say(net, given), say(net, given | {"guidance": torch.zeros(3)}), atol=0, rtol=0)


def net_at_start() -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(CONFIG)


def test_times_are_told_apart() -> None:
    said = angles(torch.linspace(0, math.pi / 2, 65), 64)
    assert said.shape == (65, 64)
    assert torch.pdist(said).min() > 0.1


@torch.no_grad()
def test_tokens_that_are_masked_are_not_heard(net: Denoiser) -> None:
    given = inputs()
    changed = given | {"tokens": given["tokens"].clone()}
    changed["tokens"][:, 6:] += 3
    torch.testing.assert_close(say(net, given), say(net, changed), atol=0, rtol=0)
