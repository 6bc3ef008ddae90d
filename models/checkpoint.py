"""Checkpoints: a safetensors file with its configuration as JSON metadata, replaced in one step. Never pickles."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn, optim

from engine.errors import AeoliaError


def save(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Writes tensors and JSON-able `meta` to `path`; what was there stays whole until the new file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    contiguous = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    save_file(contiguous, temporary, {"json": json.dumps(meta)})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and `meta` of a checkpoint; AeoliaError where there is none or it is damaged."""
    if not path.exists():
        raise AeoliaError(f"no checkpoint {path}: run the command that makes it first")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
            return tensors, json.loads((file.metadata() or {})["json"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise AeoliaError(f"checkpoint {path}: damaged, or not one of Aeolia's: {error}") from None


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with `prefix/` before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix/`, without it."""
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}


def adam_state(optimiser: optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Adam's moments and counts by parameter name, as tensors."""
    return {
        f"{name}/{key}": torch.as_tensor(value)
        for name, parameter in parameters.items()
        for key, value in optimiser.state[parameter].items()
    }


def restore_adam(
    optimiser: optim.Optimizer, parameters: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]
) -> None:
    """The inverse of `adam_state`, into `optimiser`."""
    for name, parameter in parameters.items():
        state = {key.rpartition("/")[2]: t for key, t in tensors.items() if key.rpartition("/")[0] == name}
        if state:
            optimiser.state[parameter] = {k: t if k == "step" else t.to(parameter.device) for k, t in state.items()}
