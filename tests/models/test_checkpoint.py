"""Checkpoints: whole or not at all, and never code."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import AeoliaError
from models import checkpoint


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    tensors = {"a/b": torch.randn(3, 4).T, "count": torch.tensor(7), "half": torch.randn(2).half()}
    meta = {"step": 3, "name": "Änne", "nested": {"rate": 1e-4, "list": [1, None]}}
    checkpoint.save(tmp_path / "new" / "x.safetensors", tensors, meta)
    loaded, said = checkpoint.load(tmp_path / "new" / "x.safetensors")
    assert said == meta
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.safetensors"]


def test_what_was_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.ones(1)}, {"step": 1})
    with pytest.raises(TypeError):
        checkpoint.save(path, {"a": torch.zeros(1)}, {"step": object()})
    assert checkpoint.load(path)[1] == {"step": 1}


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match=r"no checkpoint .*teacher"):
        checkpoint.load(tmp_path / "teacher.safetensors")


def test_a_damaged_or_foreign_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.ones(100)}, {"step": 1})
    whole = path.read_bytes()
    for damaged in (b"", whole[:50], whole[:-4], pickle.dumps({"a": 1})):
        path.write_bytes(damaged)
        with pytest.raises(AeoliaError, match=r"x\.safetensors: damaged"):
            checkpoint.load(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(AeoliaError, match="not one of Aeolia's"):
        checkpoint.load(path)


def test_under_is_the_inverse_of_prefixed() -> None:
    tensors = {"a": torch.ones(1), "b/c": torch.ones(2)}
    assert checkpoint.under("net", checkpoint.prefixed("net", tensors) | {"network/a": torch.ones(3)}) == tensors


def test_adam_goes_on_as_if_it_had_not_stopped() -> None:
    torch.manual_seed(0)
    nets = [nn.Linear(3, 2), nn.Linear(3, 2)]
    nets[1].load_state_dict(nets[0].state_dict())
    adams = [torch.optim.AdamW(net.parameters(), lr=0.1) for net in nets]

    def step(which: int, x: torch.Tensor) -> None:
        adams[which].zero_grad()
        nets[which](x).square().sum().backward()
        adams[which].step()

    for _ in range(3):
        step(0, torch.ones(1, 3))
    nets[1].load_state_dict(nets[0].state_dict())
    parameters = [dict(net.named_parameters()) for net in nets]
    state = {name: tensor.clone() for name, tensor in checkpoint.adam_state(adams[0], parameters[0]).items()}
    checkpoint.restore_adam(adams[1], parameters[1], state)
    for which in (0, 1):
        step(which, torch.full((1, 3), 2.0))
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
