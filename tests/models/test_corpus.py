"""What training sees of a data folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.corpus import dials, open_corpus
from models.data.emotions import resting_emotions
from models.data.index import HELD_OUT, INDEX, Entry, lines_of, load_index
from models.denoiser import NO_EMOTION


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sounds to train on, one of them with emotions, and one that is held out."""
    for level in (1, 2, 3):
        soundfile.write(tmp_path / f"{level}.flac", np.full((4_096, 2), 0.1 * level), 48_000)
    known = Entry("1.flac", 1, -1, ("a",), (), (0.0, 5.0, 10.0, 1.0), (), (), (), None)
    unknown = replace(known, file="2.flac", emotions=None, source="recordings")
    (tmp_path / INDEX).write_text(lines_of([known, unknown]))
    (tmp_path / HELD_OUT).write_text(lines_of([replace(unknown, file="3.flac")]))
    return tmp_path


def test_unknown_emotions_read_as_dropped_ones(folder: Path) -> None:
    assert open_corpus(folder).dials()[1].tolist() == [NO_EMOTION] * 4


def test_dials_read_what_words_do_not_say(folder: Path) -> None:
    assert open_corpus(folder).dials()[0].tolist() == pytest.approx([-0.1, 4 / 9, 1, 0])
    gloomy = replace(load_index(folder)[0], attributes=("gloomy",), emotions=tuple(resting_emotions(("gloomy",))))
    assert dials(gloomy).tolist() == [0, 0, 0, 0]
    assert dials(replace(gloomy, emotions=(10, 10, 10, 10))).tolist() == pytest.approx([1, 1, 1, 1])
    assert (dials(replace(gloomy, emotions=(0, 0, 0, 0))) < 0).sum() >= 3


def test_held_out_sounds_are_not_opened(folder: Path) -> None:
    corpus = open_corpus(folder)
    assert [entry.file for entry in corpus.entries] == ["1.flac", "2.flac"]
    assert corpus.sounds.shape == (2, 2, 4_096)


def test_a_newer_index_is_unpacked_anew(folder: Path) -> None:
    before = open_corpus(folder).sounds
    stamp = (folder / "sounds.npy").stat().st_mtime_ns
    open_corpus(folder)
    assert (folder / "sounds.npy").stat().st_mtime_ns == stamp
    index = folder / INDEX
    index.write_text(index.read_text() + (folder / HELD_OUT).read_text())
    os.utime(index, ns=(stamp + 10**9, stamp + 10**9))
    assert len(open_corpus(folder).sounds) == len(before) + 1
