"""One training loop for every net here: seeded, resumable, with a moving average of the weights and a log."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from engine.errors import AeoliaError
from models import checkpoint


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. The rate rises over `warmup` steps and falls as a cosine to a twentieth."""

    steps: int
    rate: float = 3e-4
    warmup: int = 200
    weight_decay: float = 1e-3
    ema: float = 0.999
    clip: float = 1.0
    save_every: int = 500
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, 0 the first."""
        rise = min(1.0, (step + 1) / self.warmup)
        fall = 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / self.steps))
        return self.rate * rise * (0.05 + 0.95 * fall)


class Average:
    """Exponential moving average of a net's parameters and buffers; short runs average over less."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: t.detach().clone() for name, t in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Takes in the net after a step, 0 the first."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in net.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.tensors[name].lerp_(tensor, 1 - decay)
            else:
                self.tensors[name].copy_(tensor)


def train(
    net: nn.Module,
    loss: Callable[[torch.Generator, int], Tensor],
    schedule: Schedule,
    path: Path,
    meta: dict[str, Any],
    *,
    after_step: Callable[[int], None] = lambda step: None,
    kept: Mapping[str, Tensor] | None = None,
) -> None:
    """Minimises `loss(generator, step)` over the parameters of `net` that ask for a gradient.

    Writes `path` (weights, averaged weights under `ema/`, optimiser state, what `after_step` changes in place under
    `kept/`; meta with the schedule and the seconds it took) every `save_every` steps and at the end, and a line of JSON
    to `path` with `.log`. Where `path` exists it goes on from there. Randomness comes from a generator seeded by
    (seed, step), so a resumed run draws what an unbroken one would. Raises FloatingPointError when the loss or its
    gradient is not finite, AeoliaError when the checkpoint is of another configuration.
    """
    parameters = {name: p for name, p in net.named_parameters() if p.requires_grad}
    optimiser = torch.optim.AdamW(
        parameters.values(), lr=schedule.rate, betas=(0.9, 0.99), weight_decay=schedule.weight_decay
    )
    average, held, first, spent_s = Average(net, schedule.ema), kept or {}, 0, 0.0
    if path.exists():
        tensors, saved = checkpoint.load(path)
        for key, value in json.loads(json.dumps(meta)).items():
            if saved.get(key) != value:
                raise AeoliaError(f"checkpoint {path}: was made with {key} {saved.get(key)}; asked for is {value}")
        net.load_state_dict(checkpoint.under("net", tensors))
        average.tensors = checkpoint.under("ema", tensors)
        checkpoint.restore_adam(optimiser, parameters, checkpoint.under("adam", tensors))
        for name, tensor in checkpoint.under("kept", tensors).items():
            held[name].copy_(tensor)
        first, spent_s = saved["step"], saved["seconds"]
    started, recent, log = time.monotonic(), 0.0, path.with_suffix(".log")
    path.parent.mkdir(parents=True, exist_ok=True)

    def save(step: int) -> None:
        tensors = {
            **checkpoint.prefixed("net", net.state_dict()),
            **checkpoint.prefixed("ema", average.tensors),
            **checkpoint.prefixed("adam", checkpoint.adam_state(optimiser, parameters)),
            **checkpoint.prefixed("kept", held),
        }
        seconds = spent_s + time.monotonic() - started
        checkpoint.save(path, tensors, {**meta, "schedule": asdict(schedule), "step": step, "seconds": seconds})

    net.train()
    progress = tqdm(range(first, schedule.steps), path.stem, initial=first, total=schedule.steps, mininterval=5)
    with log.open("a") as lines, contextlib.closing(progress):
        for step in progress:
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate_at(step)
            value = loss(torch.Generator().manual_seed(schedule.seed * 1_000_003 + step), step)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call] # torch has no types for it
            slope = nn.utils.clip_grad_norm_(parameters.values(), schedule.clip)
            if not (value.isfinite() and slope.isfinite()):
                raise FloatingPointError(f"{path.stem}: step {step}: loss {value.item()}, its gradient {slope.item()}")
            optimiser.step()
            average.update(net, step)
            after_step(step)
            recent = value.item() if step == first else 0.98 * recent + 0.02 * value.item()
            if step % 100 == 99:
                progress.set_postfix(loss=f"{recent:.4f}")
                lines.write(json.dumps({"step": step + 1, "loss": recent, "time": time.time()}) + "\n")
                lines.flush()
            if (step + 1) % schedule.save_every == 0:
                save(step + 1)
    save(schedule.steps)
    net.load_state_dict(average.tensors)
    net.eval()
