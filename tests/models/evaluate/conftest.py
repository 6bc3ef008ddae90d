"""Sounds whose right answers are known, and an evaluation of the tiny bundle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.bundle import Bundle
from models.evaluate.context import Context
from models.evaluate.source import Source
from models.evaluate.studio import Piece, Studio

RATE_HZ = 48_000
Sound = NDArray[np.float32]


def sine(hz: float, seconds: float = 2.0, amplitude: float = 0.1) -> Sound:
    """(2, N): the same tone left and right."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.repeat(amplitude * np.sin(2 * np.pi * hz * t)[None], 2, axis=0).astype(np.float32)


def white(seconds: float = 2.0, seed: int = 0, amplitude: float = 0.1) -> Sound:
    """(2, N): noise, of its own left and right."""
    drawn = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE_HZ)))
    return (amplitude * drawn).astype(np.float32)


def clicks(per_s: float, seconds: float = 4.0) -> Sound:
    """(2, N): short bursts of noise on a soft bed."""
    sound = white(seconds, amplitude=1e-4)
    burst = white(0.02, 1, 0.3) * np.linspace(1, 0, 960, dtype=np.float32)
    for k in range(int(per_s * seconds)):
        at = int((k + 0.5) / per_s * RATE_HZ)
        sound[:, at : at + 960] += burst
    return sound


def panned(depth: float) -> Sound:
    """(2, N): noise that goes from side to side twice a second."""
    mono = white(4.0)[:1]
    swing = depth * np.sin(2 * np.pi * 2 * np.arange(mono.shape[1]) / RATE_HZ)
    return (mono * np.stack([1 + swing, 1 - swing])).astype(np.float32)


class Obedient(Studio):
    """A bundle that answers with what a function makes of a piece."""

    def __init__(self, answer: Callable[[Piece], Sound], bundle: Bundle, folder: Path) -> None:
        super().__init__(bundle, folder)
        self.answer, self.asked = answer, list[Piece]()

    def sound(self, piece: Piece) -> Sound:
        self.asked.append(piece)
        return self.answer(piece)


@pytest.fixture
def context(tiny_bundle: Bundle, tiny_work: Path, tmp_path: Path) -> Context:
    """A quick evaluation of the tiny bundle on the tiny data."""
    source = Source(tiny_work / "data", tmp_path / "sources")
    return Context(tiny_bundle, tiny_work, source, Studio(tiny_bundle, tmp_path / "sounds"), quick=True)
