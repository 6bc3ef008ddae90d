"""`aeolia data`, `train`, `distill` and `export`, from an empty folder to a bundle that plays."""

from pathlib import Path

import numpy as np
import pytest

from engine.bundle import Bundle, load_bundle
from engine.cli.main import main
from engine.decoder import HopDecoder
from engine.sampler import sample
from engine.text import TextCondition


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A folder in which the four commands have run."""
    folder = tmp_path_factory.mktemp("commands")
    work, words = ["--work", str(folder / "work"), "--tiny"], ["--words", str(tiny_bundle.folder)]
    assert main(["data", *work]) == 0
    assert main(["train", "--threads", "1", *work, *words]) == 0
    assert main(["distill", "--threads", "1", *work, *words]) == 0
    assert main(["export", *work, *words, "--output", str(folder / "bundle"), "--name", "commanded"]) == 0
    return folder


def test_the_bundle_plays(made: Path) -> None:
    bundle = load_bundle(str(made / "bundle"))
    assert bundle.manifest.name == "commanded"
    chunk = sample(
        bundle.session("student"),
        bundle.manifest,
        text=TextCondition.of(np.eye(384, dtype=np.float32)[0], np.zeros((0, 384), np.float32)),
        emotion=np.zeros(4, np.float32),
        context=None,
        seed=1,
        steps=2,
        guidance=3.0,
    )
    sound = HopDecoder(bundle, 1).decode(chunk)
    assert sound.shape == (2, bundle.manifest.chunk_frames * bundle.manifest.hop_samples)
    assert np.isfinite(sound).all()
    assert sound.any()


def test_commands_run_again_go_on_from_where_they_were(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = ["--work", str(made / "work"), "--tiny"]
    assert main(["data", *work]) == 0
    assert main(["train", "decoder", *work, "--threads", "1", "--words", str(made / "bundle")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "procedural: 12 sounds, 0 held out, 0.01 h",
        f"data: {made / 'work' / 'data'}",
        f"decoder: {made / 'work' / 'decoder.safetensors'}",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        "data --count 0",
        "data --count x",
        "data --seconds 0",
        "data --seconds nan",
        "data --workers 0",
        "data --sources procedural,music",
        "train vocoder",
        "train student",
        "train --threads 0",
        "distill encoder",
        "export",
        "export --colour red -o x",
    ],
)
def test_wrong_use_exits_2_in_one_line(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train --tiny --words {bundle}", "no training sounds; run `aeolia data"),
        ("train --tiny --words {tmp}", "no text encoder there"),
        ("distill --words {bundle} --work {made}/work", "its sizes are not those of the recipe"),
        ("export --work {made}/work --words {bundle} -o {tmp}/out", "--tiny"),
        ("export --tiny --work {tmp} --words {bundle} -o {tmp}/out", "index.jsonl"),
        ("export --tiny --work {made}/work --words {bundle} -o {made}", "must be a bundle to replace"),
        ("data --count 7 --work {made}/work", "choose another"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: str,
    said: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main(arguments.format(bundle=made / "bundle", tmp=tmp_path, made=made).split()) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("aeolia: error: ")
    assert said in error
    assert (made / "work").exists()
