"""The instruments that come with Aeolia load, differ, and speak the vocabulary that the models were trained on."""

import re
from itertools import combinations

import pytest

from engine.params import EMOTIONS
from engine.preset import format_preset, list_presets, load_preset, parse_preset
from models.data.descriptions import DESCRIPTIONS
from models.data.orchestra import INSTRUMENTS
from models.data.recordings import read_table

SPOKEN = (
    *DESCRIPTIONS,
    *(name for sounds in read_table().sounds for name in sounds.says),
    *(name for instrument in INSTRUMENTS for name in instrument.names),
)
WORDS = {word for text in SPOKEN for word in re.findall(r"[\w-]+", text)}


def test_there_are_enough() -> None:
    assert len(list_presets()) >= 6


@pytest.mark.parametrize("name", list_presets())
def test_each_loads_and_comes_back_from_its_own_writing(name: str) -> None:
    preset = load_preset(name)
    assert parse_preset(format_preset(preset)) == preset
    assert preset.description
    assert preset.midi
    assert preset.values.weights().sum() > 0
    assert len(set(preset.values.texts())) == 4


@pytest.mark.parametrize("name", list_presets())
def test_each_speaks_the_vocabulary(name: str) -> None:
    found = {word for text in load_preset(name).values.texts() for word in re.findall(r"[\w-]+", text)}
    assert found <= WORDS


def test_no_two_are_the_same_world() -> None:
    presets = [load_preset(name) for name in list_presets()]
    for one, other in combinations(presets, 2):
        assert one.values.texts()[0] != other.values.texts()[0]
        assert any(one.values[f"/emotion/{e}"] != other.values[f"/emotion/{e}"] for e in EMOTIONS)
        assert one.values.seed != other.values.seed
