"""Costs come from a bench, as it is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import AeoliaError
from models.evaluate.context import Context
from models.evaluate.cost import limit, measure
from models.evaluate.result import MissingError

LINE = {"what": "decoding", "unit": "s", "median": 0.02, "p99": 0.05, "count": 40, "now": "", "goal": "0.03"}


@pytest.mark.parametrize(
    ("goal", "value", "reached"),
    [
        ("0.03", 0.02, True),
        ("p99 0.06", 0.05, True),
        ("p99 2 blocks, 0.01", 0.05, False),
        ("", 0.02, None),
        ("0 in an hour", 0.02, None),
    ],
)
def test_a_line_is_held_against_where_it_must_get(
    context: Context, tmp_path: Path, goal: str, value: float, reached: bool | None
) -> None:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"machine": "m", "bundle": "b", "results": [{**LINE, "goal": goal}]}))
    (row,) = measure(replace(context, bench=path)).rows
    assert (row.value, row.reached) == (value, reached)
    assert limit("p99 60") == 60


@pytest.mark.parametrize("text", ["nothing", "[]", "{}", '{"machine": "m", "bundle": "b", "results": [{}]}'])
def test_what_is_no_bench_is_refused(context: Context, tmp_path: Path, text: str) -> None:
    (tmp_path / "bench.json").write_text(text)
    with pytest.raises(AeoliaError, match=r"bench .*bench\.json"):
        measure(replace(context, bench=tmp_path / "bench.json"))


def test_without_a_bench_it_says_so(context: Context) -> None:
    with pytest.raises(MissingError, match="aeolia bench"):
        measure(context)
    with pytest.raises(AeoliaError, match="cannot be read"):
        measure(replace(context, bench=Path("/nowhere.json")))
