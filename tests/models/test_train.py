"""The training loop: resumed equals unbroken, and nothing goes on from nonsense."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.errors import AeoliaError
from models import checkpoint
from models.train import Average, Schedule, train

SCHEDULE = Schedule(steps=10, rate=0.05, warmup=3, save_every=4)


class PowerError(Exception):
    """The power fails."""


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.GELU(), nn.Linear(8, 1))


def run(path: Path, until: int = 1000, schedule: Schedule = SCHEDULE, meta: str = "small") -> nn.Module:
    """Trains to the end, or until the power fails at a step; something besides the net changes with it."""
    net, besides = made(), {"sum": torch.zeros(1)}

    def loss(generator: torch.Generator, step: int) -> Tensor:
        if step == until:
            raise PowerError
        x = torch.randn(16, 4, generator=generator)
        error: Tensor = (net(x)[:, 0] - x.sum(1) - besides["sum"]).square().mean()
        return error

    def after(step: int) -> None:
        besides["sum"] += 0.01 * (step + 1)

    train(net, loss, schedule, path, {"net": meta}, after_step=after, kept=besides)
    return net


def test_resumed_equals_unbroken_bit_for_bit(tmp_path: Path) -> None:
    run(tmp_path / "unbroken.safetensors")
    path = tmp_path / "resumed.safetensors"
    for until in (2, 5, 9):  # before the first checkpoint, after it, after the second
        with pytest.raises(PowerError):
            run(path, until)
    net = run(path)
    ours, meta = checkpoint.load(path)
    theirs, _ = checkpoint.load(tmp_path / "unbroken.safetensors")
    assert meta["step"] == 10
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    averaged = checkpoint.under("ema", ours)
    assert all(torch.equal(tensor, averaged[name]) for name, tensor in net.state_dict().items())
    assert not net.training


def test_a_finished_training_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    run(path)
    before = checkpoint.load(path)[0]
    run(path, until=0)
    after = checkpoint.load(path)[0]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_it_learns_and_logs(tmp_path: Path) -> None:
    run(tmp_path / "x.safetensors", schedule=Schedule(steps=300, rate=0.03, warmup=5))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "x.log").read_text().splitlines()]
    assert len(losses) == 3
    assert (tmp_path / "x.safetensors").exists()


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "x.safetensors")
    with pytest.raises(AeoliaError, match="was made with net small; asked for is large"):
        run(tmp_path / "x.safetensors", meta="large")


@pytest.mark.parametrize(("loss", "slope"), [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_nonsense_stops_it_before_the_weights(tmp_path: Path, loss: float, slope: float) -> None:
    net = nn.Linear(1, 1, bias=False)
    before = net.weight.detach().clone()

    def nonsense(generator: torch.Generator, step: int) -> Tensor:
        value: Tensor = loss + slope * (net.weight - net.weight.detach()).sum()
        return torch.where(torch.tensor(loss).isfinite(), loss, value) if loss != 1.0 else Poisoned.apply(net.weight)  # type: ignore[no-untyped-call] # torch has no types for it

    with pytest.raises(FloatingPointError, match="step 0"):
        train(net, nonsense, SCHEDULE, tmp_path / "x.safetensors", {})
    assert torch.equal(net.weight, before)


class Poisoned(torch.autograd.Function):
    """1 whatever is given, with a gradient that is not a number."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.new_ones(())

    @staticmethod
    def backward(ctx: object, *slopes: Tensor) -> Tensor:
        return torch.full((1, 1), float("nan"))


def test_rate_rises_and_falls() -> None:
    schedule = Schedule(steps=1000, rate=1e-3, warmup=100)
    rates = [schedule.rate_at(step) for step in range(1001)]
    peak = rates.index(max(rates))
    assert 90 < peak < 110
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(1e-3 / 20)


def test_average_lags_and_counts_are_copied() -> None:
    net = nn.BatchNorm1d(2)
    average = Average(net, 0.9)
    nn.init.constant_(net.weight, 3.0)
    net.num_batches_tracked.fill_(5)  # type: ignore[operator, union-attr] # a buffer
    average.update(net, 1_000_000)
    torch.testing.assert_close(average.tensors["weight"], torch.full((2,), 1.2))
    assert average.tensors["num_batches_tracked"] == 5
