"""Small nets in numpy with the signatures of a bundle's: what they make is simple enough to be recognised. And an
instrument that only remembers, for those who steer one.
"""

import zlib
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from engine.bundle import File, Manifest
from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.generator import Make
from engine.params import Args
from engine.player import Request
from engine.protocol import timetag_at
from engine.stream import Nets
from engine.voice import Float

C, N = 8, 1024
EPOCH_NS = 1_600_000_000_000_000_000


def small_manifest() -> Manifest:
    """The shape that the real bundle has, with fewer channels."""
    return Manifest(
        format=1,
        name="numpy",
        sample_rate=48_000,
        channels=2,
        latent_channels=C,
        hop_samples=N,
        chunk_frames=64,
        context_frames=16,
        overlap_frames=4,
        emotions=("happiness", "sadness", "fear", "anger"),
        sampler="none",
        default_steps=2,
        default_guidance=3.0,
        files={"student": File("student.onnx", "0" * 64)},
        licence="MIT",
        credits=(),
    )


class Tones:
    """Channel c is the amplitude of a tone on the left, and half of it on the right; amplitudes move linearly."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, position: int = 0) -> None:
        self._position = position
        self._last = np.zeros(C, np.float32)

    def decode(self, latents: Float) -> Float:
        return np.concatenate([self._hop(frame) for frame in latents.T], axis=1)

    def _hop(self, frame: Float) -> Float:
        u = np.arange(1, N + 1, dtype=np.float32) / N
        amplitude = self._last[:, None] * (1 - u) + frame[:, None] * u
        n = self._position * N + np.arange(N)
        tones = np.sin(2 * np.pi * (110.0 * np.arange(1, C + 1))[:, None] * n / 48_000)
        mono = (0.02 * amplitude * tones).sum(axis=0).astype(np.float32)
        self._last = frame
        self._position += 1
        return np.stack([mono, 0.5 * mono])


def words_vector(text: str) -> Float:
    """(C,) of unit variance: what a text sounds like."""
    return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(C).astype(np.float32)


def make_latents(request: Request) -> Float:
    """The vector of the text, or that of an example of C numbers, with a little noise of the seed, moved by the
    emotions, after the context.
    """
    noise = np.random.default_rng(request.seed).standard_normal((C, 64)).astype(np.float32)
    prompt = request.prompt
    like = words_vector(prompt) if isinstance(prompt, str) else np.sqrt(C) * prompt.embedding
    latents = like[:, None] + 0.1 * noise
    latents[:4] += request.emotion[:, None] / 10
    if request.context is not None:
        latents[:, : request.context.shape[1]] = request.context
    return latents


def shift(latents: Float, delta: Float) -> Float:
    moved = latents.copy()
    moved[:4] += delta[:, None]
    return moved


@pytest.fixture(scope="session")
def make() -> Make:
    return make_latents


@pytest.fixture(scope="session")
def fresh_nets() -> Callable[[], Nets]:
    """A new set of the same nets at each call; a decoder has state."""
    return lambda: Nets(small_manifest(), Tones(), shift)


@pytest.fixture(scope="session")
def sounds_like() -> Callable[[str], Float]:
    return words_vector


class Remembering:
    """Takes every event at once. Its sample clock runs at 1 kHz from a fixed time; recording fails by request."""

    def __init__(self) -> None:
        self.values = Values.defaults()
        self.events: list[Event] = []
        self.commands: list[tuple[str, Args]] = []
        self.error: Exception | None = None

    def post(self, event: Event) -> None:
        if self.error:
            raise self.error
        self.events.append(event)
        if event.address in self.values:
            self.values = self.values.with_(event)

    def command(self, address: str, args: Args) -> str:
        if args == ("/full",):
            raise AeoliaError("recording /full: no space left; must be a disk with room")
        self.commands.append((address, args))
        return "take.flac"

    def sample_at(self, timetag: int) -> int:
        return (timetag - timetag_at(EPOCH_NS)) * 1000 >> 32

    def readings(self) -> Mapping[str, Args]:
        return {"/meter/peak": (-6.0, -6.5), "/latency/block": (4.0, 5.0)}


@pytest.fixture
def instrument() -> Remembering:
    return Remembering()
