"""Captions say what is rendered and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.captions import MOODS, WORDS, captions, moods_of
from models.data.descriptions import ATTRIBUTES, DESCRIPTIONS, RECIPES
from models.data.emotions import CUES, EMOTIONS, colour, draw_emotions, resting_emotions

CALM = np.ones(4, np.float32)


def phrases_of(attribute: str, held_out: bool) -> tuple[str, ...]:
    word = WORDS[attribute]
    return (*word.adjectives, *word.with_, *word.that, *(word.held_out if held_out else ()))


def test_every_attribute_has_words_and_held_out_words() -> None:
    assert set(WORDS) == set(ATTRIBUTES)
    assert all(word.adjectives or word.with_ for word in WORDS.values())
    assert all(word.held_out for word in WORDS.values())


def test_there_are_22_distinct_descriptions() -> None:
    assert len(DESCRIPTIONS) == len(set(DESCRIPTIONS)) == 22


@pytest.mark.parametrize("description", range(22))
def test_captions_are_many_distinct_and_begin_with_the_description(description: int) -> None:
    train, apart = captions(RECIPES[description], description, CALM, np.random.default_rng(1))
    assert train[0] == DESCRIPTIONS[description]
    assert len(train) >= 6
    assert len(set(train)) == len(train)
    assert apart
    assert not set(apart) & set(train)
    assert all(text == text.strip() and "  " not in text and ",," not in text for text in train + apart)


def test_captions_mention_no_attribute_that_is_not_rendered() -> None:
    exclusive = ("deep", "light", "gloomy", "rapid", "slow", "moving_panorama", "static_panorama", "rising", "scary")
    for description, recipe in enumerate(RECIPES):
        train, apart = captions(recipe, -1, CALM, np.random.default_rng(description))
        rendered = {p for a in recipe.attributes for p in phrases_of(a, True)}
        for attribute in set(exclusive) - set(recipe.attributes):
            for phrase in set(phrases_of(attribute, True)) - rendered:
                if phrase in {"low", "high", "ascending"}:
                    continue  # also part of nouns and of "ascending and descending"
                for text in train + apart:
                    words = f" {text.replace(',', '')} "
                    if any(f" {phrase} " in f" {r} " for r in rendered if f" {r} " in words):
                        continue
                    if attribute == "rising" and "rising and falling" in text:
                        continue
                    assert f" {phrase} " not in words, (text, phrase)


def test_held_out_words_never_reach_training_captions() -> None:
    apart_words = {w for word in WORDS.values() for w in word.held_out} | {w for _, apart in MOODS for w in apart}
    for description, recipe in enumerate(RECIPES):
        train, _ = captions(recipe, description, np.full(4, 9.0, np.float32), np.random.default_rng(description))
        assert not [text for text in train for w in apart_words if f" {w} " in f" {text} "]


@pytest.mark.parametrize("dial", range(4))
def test_moods_are_said_only_when_the_dial_is_high(dial: int) -> None:
    felt = np.ones(4, np.float32)
    felt[dial] = 9.5
    texts = [t for d, r in enumerate(RECIPES) for t in captions(r, -1, felt, np.random.default_rng(d))[0]]
    said = [any(word in text for word in MOODS[dial][0]) for text in texts]
    assert np.mean(said) > 0.3
    for other in set(range(4)) - {dial}:
        assert not [t for t in texts for word in MOODS[other][0] if f" {word} " in f" {t} "]


def test_words_carry_feelings() -> None:
    rest = resting_emotions(())
    for word, emotion in (("gloomy", "sadness"), ("scary", "fear"), ("alarm", "fear"), ("light", "happiness")):
        assert resting_emotions((word,))[EMOTIONS.index(emotion)] > rest[EMOTIONS.index(emotion)] + 1.0
    assert np.all(resting_emotions(ATTRIBUTES) <= 10.0)
    assert np.all(resting_emotions(ATTRIBUTES) >= 0.0)


@pytest.mark.parametrize("cue", CUES)
def test_cues_are_monotone_in_every_dial(cue: str) -> None:
    for dial in range(4):
        values = []
        for value in np.linspace(0.0, 10.0, 11):
            felt = np.full(4, 2.0)
            felt[dial] = value
            values.append(getattr(colour(felt), cue))
        slope = CUES[cue].slope[dial]
        assert np.all(np.diff(values) * np.sign(slope) >= -1e-12)
        assert slope == 0.0 or values[0] != values[-1]


def test_drawn_emotions_cover_the_dials() -> None:
    drawn = np.stack([draw_emotions(np.random.default_rng(k), CALM) for k in range(300)])
    assert drawn.min() >= 0.0
    assert np.all(drawn.max(axis=0) > 9.0)
    assert np.all(np.mean(np.abs(drawn - 1.0) < 2.0, axis=0) > 0.4)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("happy, playful, joyful bells", (True, False, False, False)),
        ("a texture of very sad, uneasy wind", (False, True, True, False)),
        ("mournful and hostile drones", (False, True, False, True)),
        ("scary sadness of gloomy rumbling", (False, False, False, False)),
    ],
)
def test_moods_are_those_that_a_caption_names(text: str, named: tuple[bool, ...]) -> None:
    assert moods_of(text) == named
