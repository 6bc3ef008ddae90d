"""Emotion dials to acoustic cues, and words to resting emotions.

Directions of the cues follow the reviews of Juslin & Laukka, "Communication of emotions in vocal expression and music
performance" (Psychological Bulletin 129, 2003: tables 7 and 11: tempo, level, level variability, high-frequency energy,
attack, microstructural regularity, vibrato) and Eerola, Friberg & Bresin, "Emotional expression in music: contribution,
linearity, and additivity of primary musical cues" (Frontiers in Psychology 4:487, 2013: mode, tempo, dynamics,
register, timbre; cues add up linearly). Every cue here is therefore a linear sum of the dials, clipped to its range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

EMOTIONS: tuple[str, ...] = ("happiness", "sadness", "fear", "anger")
EMOTION_MAX = 10.0


@dataclass(frozen=True)
class Cue:
    """One acoustic cue: value at rest, change at 10 of each dial (happiness, sadness, fear, anger), and its range."""

    rest: float
    slope: tuple[float, float, float, float]
    low: float
    high: float


CUES: Mapping[str, Cue] = MappingProxyType(
    {
        "level_db": Cue(0.0, (2.5, -7.0, -2.0, 8.0), -12.0, 11.0),
        "brightness": Cue(0.0, (0.45, -0.75, 0.2, 0.65), -1.0, 1.0),
        "rate_octaves": Cue(0.0, (0.65, -0.9, 0.4, 0.45), -1.2, 1.2),
        "register_semitones": Cue(0.0, (2.0, -3.5, 4.0, 0.0), -5.0, 6.0),
        "roughness": Cue(0.06, (-0.06, -0.06, 0.2, 0.85), 0.0, 1.0),
        "drive": Cue(0.0, (0.0, 0.0, 0.0, 1.0), 0.0, 1.0),
        "dissonance": Cue(0.15, (-0.3, 0.0, 0.75, 0.4), 0.0, 1.0),
        "major": Cue(0.0, (1.0, -0.9, -0.4, -0.3), -1.0, 1.0),
        "irregularity": Cue(0.35, (-0.3, 0.05, 0.6, 0.2), 0.0, 1.0),
        "tremor": Cue(0.0, (0.0, 0.0, 1.0, 0.0), 0.0, 1.0),
        "thinness": Cue(0.0, (0.1, -0.2, 1.0, -0.1), 0.0, 1.0),
        "attack": Cue(0.4, (0.25, -0.45, 0.1, 0.6), 0.0, 1.0),
        "unrest": Cue(0.45, (0.1, -0.25, 0.35, 0.2), 0.05, 1.0),
        "vibrato": Cue(0.1, (0.2, 0.35, 0.0, 0.1), 0.0, 1.0),
    }
)


@dataclass(frozen=True)
class Colour:
    """The cues at one point of the emotion space; fields as in `CUES`."""

    level_db: float
    brightness: float
    rate_octaves: float
    register_semitones: float
    roughness: float
    drive: float
    dissonance: float
    major: float
    irregularity: float
    tremor: float
    thinness: float
    attack: float
    unrest: float
    vibrato: float


def colour(emotions: NDArray[np.floating]) -> Colour:
    """Cues for an emotion vector (4,), each dial 0..10. Raises ValueError outside."""
    e = np.asarray(emotions, np.float64)
    if e.shape != (4,) or not np.all((e >= 0.0) & (e <= EMOTION_MAX)):
        raise ValueError(f"emotions must be 4 values in 0..10, got {emotions!r}")
    dials = e / EMOTION_MAX
    return Colour(
        **{name: float(np.clip(cue.rest + np.dot(cue.slope, dials), cue.low, cue.high)) for name, cue in CUES.items()}
    )


_NEUTRAL = (1.0, 1.0, 1.0, 1.0)
_WORDS: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "gloomy": (-0.8, 5.0, 1.5, 0.0),
        "scary": (-1.0, 0.0, 6.0, 1.0),
        "deep": (-0.3, 1.0, 0.5, 0.0),
        "light": (2.5, -0.5, 0.0, -0.8),
        "subtle": (1.0, 0.5, 0.0, -0.8),
        "soft": (0.8, 0.8, 0.0, -0.8),
        "heavy": (-0.3, 0.0, 0.5, 2.5),
        "hollow": (-0.3, 1.5, 1.0, 0.0),
        "rapid": (0.8, -0.5, 0.5, 0.8),
        "slow": (0.0, 1.2, 0.0, -0.5),
        "atonal": (0.0, 0.0, 2.0, 0.0),
        "rising": (0.8, 0.0, 0.5, 0.0),
        "falling": (0.0, 1.2, 0.0, 0.0),
        "alarm": (-0.8, 0.0, 3.5, 2.0),
        "rumble": (-0.3, 0.5, 1.5, 0.8),
        "buzz": (0.0, 0.0, 0.5, 2.0),
        "swarm": (0.0, 0.0, 2.0, 0.5),
        "glitch": (0.0, -0.3, 0.8, 0.8),
        "crickets": (1.0, 0.0, 0.3, 0.0),
        "squish": (1.5, 0.0, 0.3, 0.0),
        "sixth": (2.0, 0.8, 0.0, -0.5),
        "drone": (0.0, 1.0, 0.5, 0.0),
    }
)


def resting_emotions(words: Iterable[str]) -> NDArray[np.float32]:
    """Emotions (4,) that a sound's attributes and layers carry by themselves, 0..10; unknown words add nothing."""
    total = np.sum([_NEUTRAL, *(_WORDS[w] for w in words if w in _WORDS)], axis=0)
    return np.asarray(np.clip(total, 0.0, EMOTION_MAX), np.float32)


def dials_of(felt: NDArray[np.floating], resting: NDArray[np.floating]) -> NDArray[np.float32]:
    """What the dials (4,) read of a sound that feels so, if its words alone feel like `resting`: 0 at rest, 10 at 10,
    and below 0 where it feels less than its words say. A performer's dials add to what words carry.
    """
    more, room = np.asarray(felt, np.float64) - resting, np.maximum(EMOTION_MAX - np.asarray(resting), 1e-6)
    return np.where(more > 0.0, EMOTION_MAX * more / room, more).astype(np.float32)


def draw_emotions(rng: np.random.Generator, resting: NDArray[np.float32]) -> NDArray[np.float32]:
    """Random emotions (4,): each dial uniform over 0..10 or, as often, near its resting value."""
    free = rng.random(4) < 0.5
    near = np.clip(resting + rng.normal(0.0, 0.7, 4), 0.0, EMOTION_MAX)
    return np.where(free, rng.uniform(0.0, EMOTION_MAX, 4), near).astype(np.float32)
