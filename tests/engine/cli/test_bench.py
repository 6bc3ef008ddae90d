"""`aeolia bench`: what can be known before minutes of measuring."""

from pathlib import Path

import pytest

from engine.cli import bench
from engine.cli.main import main


def test_a_file_that_cannot_be_made_is_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "speed", lambda _: pytest.fail("measured"))
    assert main(["bench", "--json", str(tmp_path / "no" / "x.json")]) == 1
    assert capsys.readouterr().err == f"aeolia: error: output {tmp_path}/no/x.json: there is no folder {tmp_path}/no\n"
