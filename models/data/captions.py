"""Captions as people write them, truthful to what a recipe renders.

Words come from tables of synonyms, order and form from templates. Some synonyms and templates are kept apart ("held
out"): they describe the same sounds but are never trained on, so that an evaluation can ask in unheard words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from models.data.descriptions import DESCRIPTIONS, Recipe
from models.data.layers import LAYERS


@dataclass(frozen=True)
class Word:
    """How an attribute is said: before the noun, after "with", after "that"; and words held out from training."""

    adjectives: tuple[str, ...] = ()
    with_: tuple[str, ...] = ()
    that: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()


WORDS: Mapping[str, Word] = MappingProxyType(
    {
        "deep": Word(
            ("deep", "low", "sub-bass", "dark and deep"), ("low frequencies",), ("sits very low",), ("bottom-heavy",)
        ),
        "light": Word(("light", "high", "airy"), ("high frequencies",), ("floats high up",), ("feathery",)),
        "spatial": Word(
            ("spatial", "wide", "reverberant", "spacious"), ("a lot of space",), ("fills a large room",), ("cavernous",)
        ),
        "close": Word(("close", "dry", "narrow"), ("no room",), ("sits right in front",), ("intimate",)),
        "gloomy": Word(("gloomy", "bleak", "dismal"), ("a gloomy mood",), ("feels gloomy",), ("sombre",)),
        "scary": Word(("scary", "eerie", "frightening"), ("a scary mood",), ("sounds scary",), ("creepy",)),
        "stable": Word(
            ("stable", "steady", "constant"), ("little change",), ("stays stable", "stays constant"), ("unwavering",)
        ),
        "regular": Word(
            ("regular", "even"), ("a regular pulse", "a regular rhythm"), ("repeats regularly",), ("metronomic",)
        ),
        "rapid": Word(("rapid", "fast", "quick"), ("fast movement",), ("moves fast",), ("hurried",)),
        "slow": Word(("slow", "unhurried"), ("slow movement",), ("moves slowly",), ("leisurely",)),
        "soft": Word(("soft", "quiet", "gentle"), (), ("stays soft",), ("hushed",)),
        "subtle": Word(("subtle", "delicate"), (), ("stays in the background",), ("understated",)),
        "heavy": Word(("heavy", "massive", "powerful"), ("heavy weight",), ("presses down",), ("crushing",)),
        "synthetic": Word(
            ("synthetic", "synthesised", "electronic"), ("a synthetic sound",), ("sounds synthetic",), ("artificial",)
        ),
        "sci_fi": Word(
            ("sci-fi", "science fiction", "futuristic"),
            ("a sci-fi character",),
            ("sounds like science fiction",),
            ("alien",),
        ),
        "digital": Word(("digital", "bit-crushed"), ("digital artefacts",), ("sounds digital",), ("lo-fi digital",)),
        "processed": Word(("processed", "ring-modulated"), ("heavy processing",), ("sounds processed",), ("mangled",)),
        "rising": Word(
            ("rising", "ascending"), ("rising pitch", "ascending pitch"), ("rises", "goes up"), ("climbing",)
        ),
        "falling": Word(
            ("falling", "descending"), ("falling pitch", "descending pitch"), ("falls", "goes down"), ("sinking",)
        ),
        "rising_falling": Word(
            ("rising and falling",),
            ("ascending and descending pitch", "rising and falling pitch"),
            ("goes up and down", "moves up and down"),
            ("undulating",),
        ),
        "varying_pitch": Word(
            (),
            ("varying pitch", "changing pitch", "pitch modulation"),
            ("changes pitch", "wanders in pitch"),
            ("wandering",),
        ),
        "frequency_modulation": Word(
            ("modulated", "frequency-modulated"),
            ("frequency modulation", "continuous modulation", "FM"),
            ("is modulated in frequency",),
            ("warbling",),
        ),
        "long_pitch_envelope": Word(
            (), ("long pitch envelope", "long pitch sweeps"), ("sweeps far in pitch",), ("swooping",)
        ),
        "slow_pitch_envelope": Word(
            (), ("slowly varying pitch envelope", "slow pitch sweeps"), ("bends slowly",), ("slow-bending",)
        ),
        "static_panorama": Word(
            (), ("static panorama", "no movement in the panorama"), ("stays in the centre",), ("motionless",)
        ),
        "slight_panorama": Word(
            (), ("slight moving panorama", "slight panning"), ("moves slightly from side to side",), ("gently swaying",)
        ),
        "slow_panorama": Word(
            (), ("slowly moving panorama", "slow panning"), ("moves slowly from left to right",), ("slowly roaming",)
        ),
        "moving_panorama": Word(
            (),
            ("moving panorama", "panning movements", "strong panning"),
            ("moves from left to right", "pans around"),
            ("roving",),
        ),
        "hollow": Word(("hollow", "tube-like"), ("a hollow tone",), ("sounds hollow",), ("cavity-like",)),
        "atonal": Word(("atonal", "dissonant"), ("no tonal centre",), ("has no clear key",), ("keyless",)),
    }
)

MOODS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("happy", "playful", "happy, playful", "joyful"), ("cheerful",)),
    (("sad", "melancholic", "sorrowful"), ("mournful",)),
    (("fearful", "fearful, uneasy", "anxious", "uneasy"), ("panicky",)),
    (("angry", "aggressive", "furious"), ("hostile",)),
)
"""(train, held out) mood words for happiness, sadness, fear, anger; used when the dial is 6 or more."""

_OPENERS = ("", "", "", "continuous", "continuous", "a texture of", "sound of")
_HELD_OUT_OPENERS = ("sounds like", "I hear", "background of", "give me", "recording of")


def pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def join(words: list[str], rng: np.random.Generator) -> str:
    """Adjectives in a row, as people string them: by blanks, commas or a last "and"."""
    if len(words) < 2:
        return "".join(words)
    style = rng.random()
    if style < 0.4:
        return " ".join(words)
    if style < 0.75:
        return ", ".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


_PLURALS = {"is": "are", "has": "have", "goes": "go", "presses": "press"}


def _agree(phrase: str, plural: bool) -> str:
    """Verb phrase in the number of its nouns."""
    verb, _, rest = phrase.partition(" ")
    return phrase if not plural else f"{_PLURALS.get(verb, verb.removesuffix('s'))} {rest}".strip()


def article(words: str) -> str:
    """The words with "a" or "an"."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def _moods(emotions: NDArray[np.float32], rng: np.random.Generator, held_out: bool) -> list[str]:
    """Mood words of the dials that are high; a strong dial is said more often."""
    chosen = []
    for value, (train, apart) in zip(emotions, MOODS, strict=True):
        if value >= 6.0 and rng.random() < 0.35 + 0.1 * (value - 6.0):
            word = pick(rng, apart if held_out else train)
            chosen.append(f"very {word}" if value >= 9.0 and rng.random() < 0.4 else word)
    return chosen


def moods_of(text: str) -> tuple[bool, ...]:
    """Which of happiness, sadness, fear and anger a caption names."""
    return tuple(
        any(re.search(rf"\b{word}\b", text) for words in both for word in words if "," not in word) for both in MOODS
    )


def _nouns(recipe: Recipe, rng: np.random.Generator, held_out: bool, adjectives: list[str], everything: bool) -> str:
    """Name the layers: as nouns, or all but one as adjectives of the last."""
    layers = [recipe.layers[i] for i in rng.permutation(len(recipe.layers))]
    if not everything:
        layers = layers[: int(rng.integers(1, len(layers) + 1))]
    nouns = []
    for i, name in enumerate(layers):
        layer = LAYERS[name]
        if i < len(layers) - 1 and layer.adjectives and rng.random() < 0.5:
            adjectives.append(pick(rng, layer.adjectives))
        else:
            nouns.append(pick(rng, layer.held_out_nouns if held_out and rng.random() < 0.6 else layer.nouns))
    return nouns[0] if len(nouns) == 1 else ", ".join(nouns[:-1]) + pick(rng, (" and ", " with ", " over ")) + nouns[-1]


def caption(recipe: Recipe, emotions: NDArray[np.float32], rng: np.random.Generator, held_out: bool = False) -> str:
    """One caption of the recipe: a random truthful choice of its words in a random form."""
    names = [recipe.attributes[i] for i in rng.permutation(len(recipe.attributes))]
    fragment = rng.random() < 0.3
    if fragment or (len(names) > 3 and rng.random() < 0.5):
        names = names[: int(rng.integers(0, len(names) + 1))]
    adjectives = _moods(emotions, rng, held_out)
    withs: list[str] = []
    thats: list[str] = []
    for name in names:
        word = WORDS[name]
        if held_out and word.held_out and rng.random() < 0.5:
            adjectives.append(pick(rng, word.held_out))
            continue
        forms = [(adjectives, word.adjectives, 3.0), (withs, word.with_, 1.2), (thats, word.that, 0.8)]
        forms = [f for f in forms if f[1]]
        weights = np.array([f[2] for f in forms])
        target, options, _ = forms[int(rng.choice(len(forms), p=weights / weights.sum()))]
        target.append(pick(rng, options))
    order = rng.permutation(len(adjectives))
    adjectives = [adjectives[i] for i in order]
    nouns = _nouns(recipe, rng, held_out, adjectives, everything=not fragment)
    if rng.random() < 0.1 and not thats:
        bag = adjectives + withs + [nouns]
        return ", ".join(bag[i] for i in rng.permutation(len(bag)))
    opener = pick(rng, _HELD_OUT_OPENERS if held_out else _OPENERS)
    head = join(adjectives, rng)
    core = f"{head} {nouns}" if head else nouns
    if rng.random() < 0.3 and not opener and not nouns.endswith("s"):
        core = article(core)
    text = f"{opener}{',' if opener == 'continuous' and rng.random() < 0.4 else ''} {core}" if opener else core
    if withs:
        text += " with " + " and ".join(withs)
    if thats:
        plural = nouns.endswith("s") or " and " in nouns
        text += " that " + " and ".join(_agree(phrase, plural) for phrase in thats)
    return text.strip()


def captions(
    recipe: Recipe, description: int, emotions: NDArray[np.float32], rng: np.random.Generator, count: int = 12
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(train captions, held-out captions): distinct, the verbatim description first when there is one (index >= 0)."""
    train_rng, apart_rng = rng.spawn(2)
    train = [DESCRIPTIONS[description]] if description >= 0 else []
    for _ in range(6 * count):
        if len(train) >= count:
            break
        text = caption(recipe, emotions, train_rng)
        if text not in train:
            train.append(text)
    if description >= 0:
        mood = _moods(emotions, train_rng, False)
        if mood:
            train.append(f"{', '.join(mood)}, {DESCRIPTIONS[description]}")
    apart: list[str] = []
    for _ in range(24):
        text = caption(recipe, emotions, apart_rng, held_out=True)
        if text not in apart and text not in train and len(apart) < 4:
            apart.append(text)
    return tuple(train), tuple(apart)
