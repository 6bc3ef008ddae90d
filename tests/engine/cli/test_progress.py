"""Long work tells how far it is, also where nobody sits at a terminal."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.cli.progress import followed

RATE = 1000
BLOCKS = [np.full((100, 2), k, np.float32) for k in range(100)]


def clock(step_s: float) -> Iterator[float]:
    now_s = 0.0
    while True:
        yield now_s
        now_s += step_s


def test_the_blocks_pass_unchanged() -> None:
    assert [block is passed for block, passed in zip(BLOCKS, followed(BLOCKS, 10_000, RATE, "x"), strict=True)]


def test_a_line_at_each_tenth_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    ticking = clock(10.0)
    list(followed(BLOCKS, 10_000, RATE, "x.flac", lambda: next(ticking)))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"x.flac: {10 * k} %, {k} of 10 s" for k in range(1, 11)]


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    list(followed(BLOCKS, 10_000, RATE, "x.flac", lambda: 0.0))
    assert capsys.readouterr() == ("", "")
