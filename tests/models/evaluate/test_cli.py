"""`aeolia evaluate`, as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.bundle import Bundle
from engine.cli.main import main
from models.evaluate.cli import NAMES
from models.evaluate.measures import MEASURES, take
from models.evaluate.plots import curves, matrix, ticks
from models.evaluate.report import Header, write
from models.evaluate.result import Finding, Plot, Row, Table


def test_the_names_are_those_of_the_measures() -> None:
    assert tuple(MEASURES) == NAMES


def test_help_needs_no_torch() -> None:
    script = "import sys, models.evaluate.cli as c; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "safetensors"} & set(loaded)


def test_a_run_writes_one_report_and_is_the_same_again(
    tiny_bundle: Bundle, tiny_work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.evaluate.teacher.TEACHER_STEPS", 4)
    bench = Path(__file__).parents[3] / "benchmarks" / "two-core-xeon.json"
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").symlink_to(tiny_work / "data")
    (work / "teacher.safetensors").symlink_to(tiny_work / "teacher.safetensors")
    report = tmp_path / "quality.md"
    arguments = ["evaluate", "--quick", "--work", str(work), "--bundle", str(tiny_bundle.folder), "-o", str(report)]
    arguments += ["--only", "drift,teacher,codec,adherence,cost", "--bench", str(bench)]
    assert main(arguments) == 0
    text = report.read_text()
    assert "**Quick" in text
    assert "needs held-out recordings" in text
    assert "needs at least 3 procedural sounds of each description" in text
    assert "needs a judge" in text
    numbers = json.loads((tmp_path / "quality.json").read_text())
    assert list(numbers["rows"]) == ["codec", "adherence", "teacher", "drift", "cost"]
    (_, mfcc) = numbers["rows"]["teacher"]
    assert mfcc["value"] > 0
    assert mfcc["ceiling"] > 0
    with Image.open(tmp_path / "quality-drift.png") as picture:
        assert picture.width > 500
    kept = sorted((work / "evaluation").rglob("*.flac"))
    assert kept
    times = [path.stat().st_mtime_ns for path in kept]
    assert main([*arguments[:-4], "--only", "drift"]) == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    again = json.loads((tmp_path / "quality.json").read_text())
    assert again["rows"]["drift"] == numbers["rows"]["drift"]
    assert not list(tmp_path.glob(".*part*"))


@pytest.mark.parametrize(
    "arguments",
    [
        "evaluate",
        "evaluate --work x --only nothing",
        "evaluate --work x --only codec,",
        "evaluate --work x -o report.txt",
    ],
)
def test_wrong_use_exits_2_in_one_line(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--work {tmp}", "no training sounds; run `aeolia data"),
        ("--work {work} --judge {tmp}", "must be a folder with exactly one"),
        ("--work {work} --bundle nothing", "no such folder"),
        ("--work {work} -o {tmp}/nowhere/quality.md", "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: str, said: str, tiny_work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments.format(tmp=tmp_path, work=tiny_work).split()
    output = [] if "-o" in given else ["-o", str(tmp_path / "quality.md")]
    assert main(["evaluate", *given, *output]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_measure_that_lacks_something_is_a_row(context: object) -> None:
    finding = take("cost", context)  # type: ignore[arg-type] # the fixture of conftest
    assert [(row.measure, row.value) for row in finding.rows] == [("Cost", None)]
    assert "aeolia bench" in finding.rows[0].note


def test_the_report_says_what_was_and_was_not_reached(tmp_path: Path) -> None:
    plot = Plot("curve", "A curve", curves([0, 1], {"line": [0.0, 1.0]}, "t", ("x", "y")))
    rows = (Row("A", 0.5, "share", 0.1, 0.9, "at least 0.4", True, 7), Row("B", float("inf"), reached=False, goal="x"))
    found = {"one": Finding(rows, (Table("T", ("h",), (("c|d",),)),), (plot,), ("remark",)), "two": Finding(())}
    header = Header("name", "0" * 64, "9 sounds", None, quick=False, left=("three",))
    files = write(tmp_path / "q.md", header, found)
    text = (tmp_path / "q.md").read_text()
    assert "| A | 0.5 | 0.1 | 0.9 | at least 0.4 | yes | 7 |" in text
    assert "| **no** |" in text
    assert "Of 2 goals that could be measured, 1 are reached" in text
    assert "not measured yet: three" in text
    assert "without an outside judge" in text
    assert "Quick" not in text
    assert "![A curve](q-curve.png)" in text
    assert "c&#124;d" in text
    assert all(file.exists() for file in files)
    assert json.loads((tmp_path / "q.json").read_text())["rows"]["one"][1]["value"] is None


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (1, 4, [1, 1.5, 2, 2.5, 3, 3.5, 4]),
        (-1.4, 0.9, [-1, -0.5, 0, 0.5]),
        (0.001, 0.0095, [k / 1000 for k in range(1, 10)]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_a_matrix_is_darker_where_the_share_is_larger() -> None:
    import numpy as np

    picture = matrix(np.array([[1.0, 0.0], [0.3, 0.7]]), ["a", "b"], "t").convert("L")
    left = picture.width - 40 - 2 * 26
    dark, pale = picture.getpixel((left + 3, 93)), picture.getpixel((left + 29, 93))
    assert isinstance(dark, int)
    assert isinstance(pale, int)
    assert dark < pale - 100
