"""Which captions can be asked for, and how answers are counted."""

import numpy as np
import pytest

from models.data.captions import caption
from models.data.descriptions import DESCRIPTIONS, RECIPES
from models.evaluate.adherence import Asked, K, captions, measure, says_all
from models.evaluate.context import Context
from models.evaluate.result import MissingError


@pytest.mark.parametrize("number", range(K))
def test_a_description_says_all_of_itself_and_no_more_is_needed(number: int) -> None:
    recipe = RECIPES[number]
    rng = np.random.default_rng(number)
    texts = [caption(recipe, np.zeros(4, np.float32), rng, held_out=True) for _ in range(60)]
    whole = [text for text in texts if says_all(text, recipe)]
    assert 5 <= len(whole) < 60
    assert not says_all("sound of", recipe)


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("recording of roving, hushed broken data", 0, True),
        ("give me broken data", 0, False),
        ("I hear cavernous, bottom-heavy earthquake rumble that stays constant", 2, True),
        ("I hear cavernous earthquake rumble", 2, False),
        ("hurried low thumps, metronomic", 5, False),  # no hum in thumps
        ("warning signal over breath of noise, hushed", 11, True),
        ("sounds like a hushed warning signal", 11, False),
    ],
)
def test_a_caption_is_whole_if_it_names_all_layers_and_attributes(text: str, number: int, whole: bool) -> None:
    assert says_all(text, RECIPES[number]) == whole


def test_captions_are_split_and_never_trained_on(context: Context) -> None:
    entries = context.source.procedural
    whole, parts = (captions(entries, side, 100) for side in (True, False))
    trained = {text for entry in entries for text in entry.captions}
    held_out = {text for entry in entries if entry.description >= 0 for text in entry.held_out_captions}
    assert {text for _, text in whole + parts} == held_out
    assert not held_out & trained
    assert not {text for _, text in whole} & {text for _, text in parts}
    assert len(captions(entries, False, 1)) <= K


def test_answers_are_counted() -> None:
    asked = Asked(np.array([0, 0, 1, 21]), np.array([0, 1, 1, 0]))
    assert asked.right == 0.5
    assert asked.only((0,)).right == 0.5
    assert asked.only((21,)).right == 0
    assert np.isnan(asked.only((5,)).right)
    shares = asked.shares()
    assert shares[0, 0] == shares[0, 1] == 0.5
    assert shares[21, 0] == 1
    assert shares.sum() == 3
    assert len(DESCRIPTIONS) == len(shares)


def test_too_little_data_is_said(context: Context) -> None:
    with pytest.raises(MissingError, match="procedural sounds of each description"):
        measure(context)
