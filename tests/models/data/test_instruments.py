"""Instruments: what is written is playable; a real sound font sounds, where there is one."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.data.instruments import HIGHEST, LOWEST, compose, effects, pieces, playable
from models.data.orchestra import EFFECTS, FORM_WORDS, HELD_OUT_WORDS, INSTRUMENTS
from models.data.procedural import stream

FONT = Path(os.environ.get("AEOLIA_SOUNDFONT", "/usr/share/sounds/sf2/FluidR3_GM.sf2"))


@pytest.mark.parametrize("form", list(FORM_WORDS))
def test_notes_lie_in_the_sound_and_in_reach(form: str) -> None:
    for seed in range(20):
        notes = compose(stream(seed, "notes"), form, 48, "minor", 72, 6.0)
        assert notes
        assert all(LOWEST <= note.key <= 72 and 1 <= note.velocity <= 127 for note in notes)
        assert all(0 <= note.start_s < 6.0 and note.start_s < note.stop_s for note in notes)
        for key in {note.key for note in notes}:
            same = sorted((note.start_s, note.stop_s) for note in notes if note.key == key)
            assert all(stop <= start for (_, stop), (start, _) in pairwise(same))


def test_an_unknown_form_is_named() -> None:
    with pytest.raises(ValueError, match="form 'fugue': must be one of note"):
        compose(stream(1, "notes"), "fugue", 48, "minor", 72, 6.0)


def test_the_tables_are_sound() -> None:
    assert {form for i in INSTRUMENTS for form in i.forms} == set(FORM_WORDS) == set(HELD_OUT_WORDS)
    assert all(LOWEST <= i.low < i.high <= HIGHEST for i in INSTRUMENTS)
    assert len({(i.bank, i.program) for i in INSTRUMENTS}) == len(INSTRUMENTS)
    families = {"guitar", "organ", "reed", "mallet", "flute", "strings", "brass", "voice", "bells", "pads", "bass"}
    assert families <= {i.family for i in INSTRUMENTS}


def test_a_held_out_note_of_an_instrument_is_never_trained_on() -> None:
    made = list(pieces(FONT, "font 1", 2000, 1))
    apart = {(p.instrument, p.root) for p in made if p.held_out}
    assert apart.isdisjoint({(p.instrument, p.root) for p in made if not p.held_out})
    assert 0.05 < np.mean([p.held_out for p in made]) < 0.16


@pytest.mark.skipif(not (playable() and FONT.exists()), reason="needs tinysoundfont and fluid-soundfont-gm")
def test_a_real_font_sounds() -> None:
    for job in [*list(pieces(FONT, "font 1", 90, 1))[::30], *effects(FONT, "font 1", EFFECTS[:1], 1)]:
        audio, entry = job.make(2.0)
        assert audio.shape == (2, 96_000)
        assert 0.02 < np.abs(audio).max() <= 0.98
        assert entry.source == "instruments"
        assert entry.captions
        assert entry.origins[0].licence == "MIT"
        assert np.array_equal(audio, job.make(2.0)[0])
