"""Presets come back as they were saved, and errors name the file, the line and what is allowed."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import Values
from engine.errors import AeoliaError
from engine.midi import Route
from engine.params import BY_ADDRESS, EMOTIONS, VOICES, Curve
from engine.preset import (
    KEYS,
    MAX_PROBLEMS,
    Preset,
    format_preset,
    line_of,
    list_presets,
    load_preset,
    parse_preset,
    save_preset,
)

HEAD = 'version = 1\nname = "x"\n'
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50).filter(
    lambda text: any(c.isalnum() for c in text)
)


@st.composite
def presets(draw: st.DrawFn) -> Preset:
    values = Values.defaults().set("/morph", draw(st.floats(0, 1)), draw(st.floats(0, 1)))
    for voice in VOICES:
        values = values.set(f"/prompt/{voice}/text", draw(TEXT)).set(f"/prompt/{voice}/weight", draw(st.floats(0, 1)))
    values = values.set(f"/emotion/{draw(st.sampled_from(EMOTIONS))}", draw(st.floats(0, 10)))
    values = values.set("/generator/seed", draw(st.integers(0, 2**31 - 1)))
    route = st.builds(
        Route,
        st.integers(0, 127),
        st.just("/morph"),
        st.none() | st.integers(1, 16),
        st.integers(0, 1),
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 1),
        st.none() | st.sampled_from(Curve),
    )
    routes = tuple(draw(st.lists(route, max_size=3)))
    return Preset(draw(TEXT), values, draw(st.none() | TEXT), routes, draw(st.just("") | TEXT))


@given(presets())
def test_what_is_formatted_is_read_back(preset: Preset) -> None:
    assert parse_preset(format_preset(preset)) == preset


def test_every_value_but_the_freeze_has_a_key() -> None:
    assert set(BY_ADDRESS) - set(KEYS) == {"/freeze"}
    assert len(set(KEYS.values())) == len(KEYS)


def test_what_is_left_out_keeps_its_default() -> None:
    preset = parse_preset(HEAD + "[emotions]\nfear = 3\n")
    assert preset == Preset("x", Values.defaults().set("/emotion/fear", 3))


def test_weights_win_over_the_morph_whatever_their_order() -> None:
    preset = parse_preset(HEAD + "[weights]\na = 0.3\nmorph = [1.0, 0.0]\n")
    assert preset.values.weights().tolist() == pytest.approx([0.3, 1, 0, 0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\n', "preset p.toml: version missing: must be 1"),
        ('version = 2\nname = "x"\n', "preset p.toml line 1: version 2: must be 1"),
        ("version = 1\n", 'preset p.toml: name missing: must be there, as in name = "Night"'),
        ("version = 1\nname = 3\n", "preset p.toml line 2: name 3: must be text"),
        (HEAD + "\n[emotions]\nfear = 11\n", "preset p.toml line 5: /emotion/fear 11: must be in range 0..10"),
        (HEAD + "[emotions]\nfear = 'x'\n", "preset p.toml line 4: /emotion/fear 'x': must be a number"),
        (HEAD + "[emotions]\nfear = nan\n", "preset p.toml line 4: /emotion/fear nan: must be a number, finite"),
        (HEAD + "emotions.fear = -1\n", "preset p.toml line 3: /emotion/fear -1: must be in range 0..10"),
        (
            HEAD + "[emotions]\nhappiness = 1\njoy = 1\n",
            "preset p.toml line 5: key 'joy' unknown in [emotions]: must be one of happiness, sadness, fear, anger",
        ),
        (HEAD + "emotions = {joy = 1}\n", "preset p.toml line 3: key 'joy' unknown in [emotions]"),
        (
            HEAD + "[colour]\nred = 1\n",
            "preset p.toml line 3: key 'colour' unknown: must be one of version, name, description, bundle, prompts,",
        ),
        (HEAD + "space = 3\n", "preset p.toml line 3: space 3: must be a table, [space]"),
        (HEAD + "[weights]\nmorph = [0.5]\n", "preset p.toml line 4: /morph with 1 arguments: must have 2 (ff)"),
        (HEAD + "[weights]\nmorph = {}\n", "preset p.toml line 4: /morph with 1 arguments: must have 2 (ff)"),
        (HEAD + "midi = 3\n", "preset p.toml line 3: midi 3: must be tables, [[midi]]"),
        (HEAD + '[[midi]]\naddress = "/level"\n', "preset p.toml line 3: control missing in [[midi]]: must be there"),
        (
            HEAD + '[[midi]]\ncontrol = 1\naddress = "/level"\n[[midi]]\ncontrol = 128\naddress = "/level"\n',
            "preset p.toml line 6: MIDI control 128: must be in range 0..127",
        ),
        (
            HEAD + '[[midi]]\ncontrol = 1\naddress = "/level"\ncurve = "wavy"\n',
            "preset p.toml line 6: curve 'wavy': must be one of linear, squared",
        ),
        (
            HEAD + '[[midi]]\ncontrol = 1\naddress = "/level"\nknob = 1\n',
            "preset p.toml line 6: key 'knob' unknown in [[midi]]: must be one of control, address, channel,",
        ),
        (HEAD + "[emotions\n", "preset p.toml: Expected ']' at the end of a table declaration (at line 3, column 10)"),
        ("a = " + "[" * 10_000, "preset p.toml: nested too deep; must be TOML|must be TOML"),
        ("a = " + "9" * 10_000, "must be TOML"),
    ],
)
def test_errors_name_the_line_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(AeoliaError) as refusal:
        parse_preset(text, "p.toml")
    assert any(part in str(refusal.value) for part in said.split("|"))
    assert "\n" not in str(refusal.value)


MISTAKES = (
    HEAD
    + """description = 3
[emotions]
fear = 11
joy = 1
[colour]
red = 1
[prompts]
a = 7
[[midi]]
contrl = 7
address = "/level"
[[midi]]
control = 128
address = "/level"
"""
)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    with pytest.raises(AeoliaError) as refusal:
        parse_preset(MISTAKES, "p.toml")
    told = [str(refusal.value), *refusal.value.__notes__]
    assert not any("\n" in line for line in told)
    beginnings = [
        "line 3: description 3: must be text",
        "line 5: /emotion/fear 11: must be in range 0..10",
        "line 6: key 'joy' unknown in [emotions]",
        "line 7: key 'colour' unknown",
        "line 10: /prompt/a/text 7: must be text",
        "line 11: control missing in [[midi]]",
        "line 12: key 'contrl' unknown in [[midi]]",
        "line 14: MIDI control 128: must be in range 0..127",
    ]
    assert len(told) == len(beginnings)
    for line, beginning in zip(told, beginnings, strict=True):
        assert line.startswith(f"preset p.toml {beginning}")


def test_many_mistakes_end_at_a_limit() -> None:
    with pytest.raises(AeoliaError) as refusal:
        parse_preset(HEAD + "\n".join(f"k{n} = {n}" for n in range(50_000)))
    assert 1 + len(refusal.value.__notes__) == MAX_PROBLEMS


@given(st.text(max_size=200))
def test_any_text_is_a_preset_or_refused(text: str) -> None:
    with pytest.raises(AeoliaError):
        parse_preset(text)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(AeoliaError, match=f"preset 'nope': unknown; .* one of {', '.join(list_presets())}"):
        load_preset("nope")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * (2 << 20)])
def test_files_that_are_no_presets_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AeoliaError, match="must"):
        load_preset(path)


def test_a_byte_order_mark_is_no_part_of_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes(b"\xef\xbb\xbf" + b'version = 1\r\nname = "Night"\r\n')
    assert load_preset(path).name == "Night"


def test_a_saved_preset_loads_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    preset = Preset("Night", Values.defaults().set("/level", -3.5), midi=(Route(7, "/level", minimum=-60, maximum=0),))
    save_preset(preset, tmp_path / "night.toml")
    assert load_preset(tmp_path / "night.toml") == preset
    assert os.listdir(tmp_path) == ["night.toml"]


def test_a_preset_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    save_preset(Preset("Night"), path)
    with pytest.raises(AeoliaError, match="must be valid Unicode"):
        save_preset(Preset("\0"), path)
    with pytest.raises(AeoliaError, match="must be a path that can be written"):
        save_preset(Preset("Night"), tmp_path / "nowhere" / "night.toml")
    assert load_preset(path).name == "Night"
    assert os.listdir(tmp_path) == ["night.toml"]


def test_the_line_of_a_key_is_found() -> None:
    text = 'a = 1\n[b]\n"c d" = 2\n[b.e]\nf.g = 3\n[[h]]\ni = 1\n[[h]]\ni = 2\n'
    paths = [
        ("a",),
        ("b",),
        ("b", "c d"),
        ("b", "e", "f", "g"),
        ("h", "0", "i"),
        ("h", "1", "i"),
        ("h", "1", "j"),
        ("z",),
    ]
    assert [line_of(text, path) for path in paths] == [1, 2, 3, 5, 7, 9, 8, None]
