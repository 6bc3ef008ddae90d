"""The real sounds of a data folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import AeoliaError
from models.data.index import Entry
from models.evaluate.context import Context
from models.evaluate.source import Source, is_apart, spread
from models.evaluate.summary import SIZE


def test_summaries_are_worked_out_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    source, entries = context.source, context.source.entries[:3]
    first = source.summaries(entries)
    assert first.shape == (3, SIZE)
    monkeypatch.setattr(Source, "sound", None)
    assert np.array_equal(source.summaries(entries), first)
    assert source.summaries(()).shape == (0, SIZE)


def test_rows_of_different_work_are_kept_apart(context: Context) -> None:
    entries = context.source.entries[:2]
    ones, twos = (
        context.source.each(what, entries, lambda _, v=value: np.full(3, v, np.float32))  # type: ignore[misc] # a default of a lambda has no type
        for what, value in (("ones", 1.0), ("twos", 2.0))
    )
    assert (ones == 1).all()
    assert (twos == 2).all()


def test_an_interrupted_work_loses_one_block(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.evaluate.source.BLOCK", 2)
    entries, done = context.source.entries[:5], list[str]()

    def work(entry: Entry, most: int) -> NDArray[np.float32]:
        if len(done) == most:
            raise KeyboardInterrupt
        done.append(entry.file)
        return np.full(1, entry.seed, np.float32)

    with pytest.raises(KeyboardInterrupt):
        context.source.each("rows", entries, lambda entry: work(entry, 3))
    rows = context.source.each("rows", entries, lambda entry: work(entry, 99))
    assert rows[:, 0] == pytest.approx([entry.seed for entry in entries])
    assert done == [entry.file for entry in (*entries[:3], *entries[2:])]


def test_a_piece_is_cut_where_there_is_room(context: Context) -> None:
    entry = context.source.entries[0]
    whole, half = context.source.sound(entry, 10.0), context.source.sound(entry, 1.0)
    assert whole.shape == (2, 96_000)
    assert np.array_equal(half, whole[:, 48_000:])


def test_no_data_and_no_file_are_said(tmp_path: Path, context: Context) -> None:
    with pytest.raises(AeoliaError, match="no training sounds"):
        _ = Source(tmp_path, tmp_path).entries
    with pytest.raises(AeoliaError, match=r"gone\.flac"):
        context.source.sound(replace(context.source.entries[0], file="sounds/gone.flac"))
    assert Source(tmp_path, tmp_path).held_out == ()


def test_both_of_a_pair_lie_on_one_side(context: Context) -> None:
    pairs = [entry for entry in context.source.entries if entry.pair is not None]
    assert pairs
    for entry in pairs:
        assert len({is_apart(other) for other in pairs if other.pair == entry.pair}) == 1


def test_a_spread_is_even(context: Context) -> None:
    entries = context.source.entries
    assert spread(entries, 3) == (entries[0], entries[4], entries[8])
    assert spread(entries, 100) == entries
