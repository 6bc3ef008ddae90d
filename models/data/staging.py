"""Put a recording or an instrument in place: distance, width, movement, room, level, each with its words.

What is not recorded is synthesised, so the pan path of every sound is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from models.data import treatments
from models.data.captions import WORDS, Word, article, join, pick
from models.data.kernels import SAMPLE_RATE_HZ, Audio
from models.data.procedural import BASE_LEVEL_DB

STAGES: tuple[tuple[tuple[str, float], ...], ...] = (
    (("static_panorama", 0.06), ("slight_panorama", 0.1), ("slow_panorama", 0.12), ("moving_panorama", 0.12)),
    (("spatial", 0.16), ("close", 0.1)),
    (("far", 0.1), ("muffled", 0.07), ("radio", 0.04)),
    (("deep", 0.08), ("light", 0.06)),
)
"""Attributes by what they exclude, each with its chance; at most one of a group."""

SPEED: Mapping[str, float] = MappingProxyType({"deep": 0.62, "light": 1.55})
"""Playing speed of the attributes that change it."""

_WORDS: Mapping[str, Word] = MappingProxyType(
    {
        **WORDS,
        "far": Word(("distant", "far away", "faraway"), ("a lot of distance",), (), ("remote",)),
        "muffled": Word(("muffled", "dull"), ("muffled highs",), (), ("smothered", "behind a wall")),
        "radio": Word(("tinny",), ("the sound of an old radio", "a telephone-like sound"), (), ("thin, boxy",)),
        "deep": Word(("deep", "low", "slowed down"), ("low frequencies",), (), ("bottom-heavy",)),
        "light": Word(("high", "light", "sped up"), ("high frequencies",), (), ("feathery",)),
    }
)

_OPENERS = ("", "", "", "", "", "sound of", "the sound of")
_HELD_OUT_OPENERS = ("sounds like", "I hear", "background of", "give me", "recording of")


@dataclass(frozen=True)
class Staged:
    """A sound in its place."""

    audio: Audio
    """(2, N) float32 at 48 kHz, |x| <= 0.98."""
    azimuth_deg: NDArray[np.float32]
    """(K,) pan at 10 Hz, -90 left .. 90 right."""


def draw_stages(rng: np.random.Generator, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Attributes of one clip, at most one of each group; those in `without` never."""
    chosen = []
    for group in STAGES:
        hit = float(rng.random())
        for name, chance in group:
            hit -= chance
            if hit < 0.0:
                if name not in without:
                    chosen.append(name)
                break
    return tuple(chosen)


def stage(rng: np.random.Generator, sound: Audio, attributes: tuple[str, ...]) -> Staged:
    """Filter, widen, pan and level (1 or 2, N). The speed of `SPEED` is the caller's: it knows how much to read."""
    filtering, widening, path_rng, room_rng, level = rng.spawn(5)
    sound = np.asarray(sound - sound.mean(axis=1, keepdims=True), np.float32)
    sound = _filtered(filtering, sound, attributes)
    sound = _wide(widening, sound, attributes)
    n = sound.shape[1]
    path = treatments.azimuth(path_rng, n, attributes)
    moving = any(a in attributes for a in ("moving_panorama", "slow_panorama", "slight_panorama"))
    sound = treatments.pan(sound, path, 0.8 if moving else 0.0)
    if "spatial" in attributes or "far" in attributes:
        wet, size_s = room_rng.uniform(0.45, 0.7), room_rng.uniform(1.5, 2.8)
        sound = treatments.room(room_rng, sound, wet * (0.45 if moving else 1.0), size_s)
    level_db = BASE_LEVEL_DB + level.uniform(-2.0, 2.0) - 5.0 * ("far" in attributes)
    gain = 10.0 ** (level_db / 20.0) / (active_level(sound) + 1e-9)
    return Staged(treatments.limit(np.asarray(sound * np.float32(gain), np.float32)), treatments.trajectory(path, 0, n))


def active_level(sound: Audio) -> float:
    """RMS (linear) of (C, N) over the blocks of 100 ms that are within 20 dB of the loudest: silence doesn't count."""
    block = SAMPLE_RATE_HZ // 10
    padded = np.pad(sound, ((0, 0), (0, -sound.shape[1] % block)))
    power = np.asarray(np.mean(np.square(padded.reshape(len(sound), -1, block)), axis=(0, 2), dtype=np.float64))
    return float(np.sqrt(power[power >= 0.01 * power.max()].mean()))


def _filtered(rng: np.random.Generator, sound: Audio, attributes: tuple[str, ...]) -> Audio:
    """No sub-sonic, and what distance, walls and small loudspeakers leave."""
    bands = [scipy.signal.butter(2, 20.0, "highpass", fs=SAMPLE_RATE_HZ, output="sos")]
    for name, low_hz, high_hz in (("far", 90.0, 2_600.0), ("muffled", 20.0, 620.0), ("radio", 420.0, 3_000.0)):
        if name in attributes:
            edges = [low_hz * rng.uniform(0.85, 1.2), high_hz * rng.uniform(0.8, 1.25)]
            bands.append(scipy.signal.butter(2, edges, "bandpass", fs=SAMPLE_RATE_HZ, output="sos"))
    return np.asarray(scipy.signal.sosfilt(np.concatenate(bands).astype(np.float32), sound, axis=1), np.float32)


def _wide(rng: np.random.Generator, sound: Audio, attributes: tuple[str, ...]) -> Audio:
    """Stereo of (1 or 2, N); a side signal for mono by convolution with 30 ms of decaying noise (a pseudo-stereo).

    Schroeder 1958, "An artificial stereophonic effect obtained from a single audio signal".
    """
    width = 0.05 if "close" in attributes else 0.75 if "spatial" in attributes else rng.uniform(0.15, 0.6)
    mid = sound.mean(axis=0)
    side = 0.5 * (sound[0] - sound[-1])
    if np.square(side).mean() < 1e-3 * np.square(mid).mean():
        size = int(0.03 * SAMPLE_RATE_HZ)
        impulse = rng.standard_normal(size) * np.exp(-np.arange(size) / (0.3 * size))
        impulse /= np.sqrt(np.square(impulse).sum())
        side = width * scipy.signal.fftconvolve(mid, impulse)[: len(mid)]
    elif "close" in attributes:
        side = 0.2 * side
    return np.stack([mid + side, mid - side]).astype(np.float32)


def caption(
    nouns: tuple[str, ...], attributes: tuple[str, ...], rng: np.random.Generator, held_out: bool = False
) -> str:
    """One caption: one of the nouns ("a horse", "steady rain") and some of the attributes' words, in a random form."""
    noun = pick(rng, nouns)
    adjectives: list[str] = []
    withs: list[str] = []
    for i in rng.permutation(len(attributes)):
        word = _WORDS[attributes[i]]
        if rng.random() < 0.2:
            continue
        if held_out and word.held_out and rng.random() < 0.5:
            adjectives.append(pick(rng, word.held_out))
        elif word.adjectives and (not word.with_ or rng.random() < 0.7):
            adjectives.append(pick(rng, word.adjectives))
        else:
            withs.append(pick(rng, word.with_))
    form = rng.random()
    if adjectives and form < 0.35:
        bag = [*adjectives, *withs, noun]
        return ", ".join(bag[i] for i in rng.permutation(len(bag)))
    opener = pick(rng, _HELD_OUT_OPENERS if held_out else _OPENERS)
    bare = noun.removeprefix("a ").removeprefix("an ")
    if form < 0.55:
        noun = bare
    if adjectives:
        noun = f"{join(adjectives, rng)} {bare}"
        noun = article(noun) if noun != bare and rng.random() < 0.3 and not bare.endswith("s") else noun
    text = f"{opener} {noun}".strip()
    return text + (" with " + " and ".join(withs) if withs else "")


def captions(
    nouns: tuple[str, ...], held_out: tuple[str, ...], attributes: tuple[str, ...], rng: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(train captions, held-out captions), 8 and 3 distinct ones where there are so many."""
    train_rng, apart_rng = rng.spawn(2)
    train = dict.fromkeys(caption(nouns, attributes, train_rng) for _ in range(24))
    apart = dict.fromkeys(caption(held_out, attributes, apart_rng, held_out=True) for _ in range(9))
    return tuple(train)[:8], tuple(text for text in apart if text not in train)[:3]
