"""Few-step sampling: a pure function that keeps its context."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.bundle import Bundle
from engine.sampler import Float, noise, sample
from engine.text import TextCondition
from models import distill
from models.diffusion import Conditions
from models.work import Recipe, Work


@pytest.fixture(scope="module")
def student(tiny_bundle: Bundle) -> Any:
    return tiny_bundle.session("student")


def asked(bundle: Bundle, **changed: Any) -> dict[str, Any]:
    """A request, with some of it changed."""
    rng = np.random.default_rng(0)
    text, tokens = rng.standard_normal(384), rng.standard_normal((5, 384))
    channels, frames = bundle.manifest.latent_channels, bundle.manifest.context_frames
    request = {
        "text": TextCondition.of((text / np.linalg.norm(text)).astype(np.float32), tokens.astype(np.float32)),
        "emotion": np.array([8, 0, 2, 0], np.float32),
        "context": rng.standard_normal((channels, frames)).astype(np.float32),
        "seed": 11,
        "steps": 2,
        "guidance": 3.0,
    }
    return request | changed


def apart(a: Float, b: Float) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2)))


def test_pure_function_of_its_arguments(student: Any, tiny_bundle: Bundle) -> None:
    request = asked(tiny_bundle)
    before = {name: np.copy(value) for name, value in request.items()}
    first = sample(student, tiny_bundle.manifest, **request)
    sample(student, tiny_bundle.manifest, **asked(tiny_bundle, seed=12))
    np.testing.assert_array_equal(sample(student, tiny_bundle.manifest, **request), first)
    for name, value in before.items():
        np.testing.assert_array_equal(request[name], value)


@pytest.mark.parametrize("frames", [0, 1, 4])
@pytest.mark.parametrize("steps", [1, 3])
def test_context_is_kept_exactly(student: Any, tiny_bundle: Bundle, frames: int, steps: int) -> None:
    context = asked(tiny_bundle)["context"][:, :frames]
    chunk = sample(student, tiny_bundle.manifest, **asked(tiny_bundle, context=context, steps=steps))
    np.testing.assert_array_equal(chunk[:, :frames], context)


def test_no_context_equals_one_of_no_frames(student: Any, tiny_bundle: Bundle) -> None:
    empty = np.zeros((tiny_bundle.manifest.latent_channels, 0), np.float32)
    ours, theirs = (
        sample(student, tiny_bundle.manifest, **asked(tiny_bundle, context=context)) for context in (None, empty)
    )
    np.testing.assert_array_equal(ours, theirs)


class Gaussian:
    """The ideal student of white latents of one deviation: the end of the flow that leads through x at t."""

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def run(self, _: None, inputs: dict[str, Float]) -> list[Float]:
        t = inputs["t"]
        return [inputs["x"] * self.deviation / np.hypot(np.cos(t) * self.deviation, np.sin(t))]


@pytest.mark.parametrize("steps", range(1, 9))
@pytest.mark.parametrize("deviation", [0.3, 1.0])
def test_level_does_not_depend_on_steps(tiny_bundle: Bundle, steps: int, deviation: float) -> None:
    manifest = replace(tiny_bundle.manifest, latent_channels=32, chunk_frames=64)
    student: Any = Gaussian(deviation)
    levels = [
        np.std(sample(student, manifest, **asked(tiny_bundle, steps=steps, seed=seed, context=None)))
        for seed in range(4)
    ]
    assert np.mean(levels) == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("steps", range(1, 9))
def test_any_number_of_steps_gives_a_chunk_near_that_of_one(student: Any, tiny_bundle: Bundle, steps: int) -> None:
    one = sample(student, tiny_bundle.manifest, **asked(tiny_bundle, steps=1))
    more = sample(student, tiny_bundle.manifest, **asked(tiny_bundle, steps=steps))
    print(f"{steps} steps: {apart(more, one):.2f} of the level of one step from it")
    assert more.shape == (tiny_bundle.manifest.latent_channels, tiny_bundle.manifest.chunk_frames)
    assert more.dtype == np.float32
    assert apart(more, one) < 2


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 12},
        {"guidance": 6.0},
        {"emotion": np.array([0, 0, 0, 10], np.float32)},
        {"text": TextCondition.of(np.eye(384, dtype=np.float32)[0], np.zeros((0, 384), np.float32))},
        {"context": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_argument_matters(student: Any, tiny_bundle: Bundle, changed: dict[str, Any]) -> None:
    frames = tiny_bundle.manifest.context_frames
    ours, theirs = (
        sample(student, tiny_bundle.manifest, **asked(tiny_bundle, **given))[:, frames:] for given in (changed, {})
    )
    assert not np.array_equal(ours, theirs)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_equals_the_sampler_of_training(student: Any, tiny_bundle: Bundle, tiny_work: Any, steps: int) -> None:
    request, manifest = asked(tiny_bundle, steps=steps), tiny_bundle.manifest
    shape = (manifest.latent_channels, manifest.chunk_frames)
    context, mask = torch.zeros(1, *shape), torch.zeros(1, 1, shape[1])
    context[0, :, : manifest.context_frames] = torch.from_numpy(request["context"])
    mask[..., : manifest.context_frames] = 1
    text, emotion = request["text"], torch.from_numpy(request["emotion"])[None] / 10
    said = (torch.from_numpy(array.copy())[None] for array in (text.sentence, text.tokens, text.mask))
    given = Conditions(context, mask, *said, emotion)
    noises = torch.stack([torch.from_numpy(noise(request["seed"], *shape, step))[None] for step in range(steps)])
    net = Work(tiny_work, Recipe.tiny()).denoiser("student")
    reference = distill.sample(net, noises, given, request["guidance"])[0].numpy()
    error = apart(sample(student, manifest, **request), reference)
    print(f"relative error {error:.1e}, of which most is the fp16 weights")
    assert error < 1e-4


def test_noise_is_white_and_of_its_seed_and_step_alone() -> None:
    np.testing.assert_array_equal(noise(5, 32, 64), noise(5, 32, 64))
    assert not np.array_equal(noise(5, 32, 64), noise(6, 32, 64))
    many = np.stack([noise(seed, 32, 64, step) for seed in (0, 1, 2**63, 2**64 - 1) for step in (0, 1)])
    assert np.std(many) == pytest.approx(1, abs=0.03)
    assert np.abs(np.corrcoef(many.reshape(8, -1)) - np.eye(8)).max() < 0.1
