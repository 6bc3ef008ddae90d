"""From trained stages to a bundle: complete, described, and never at the cost of something else."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import export.bundle
from engine.bundle import EXTRA_ROLES, ROLES, SHIPPED, Bundle, load_bundle, sha256
from engine.errors import AeoliaError
from export.bundle import Options, refuse_foreign, sourced, write_bundle
from models.data.index import Entry, Origin
from models.work import Recipe, Work


def test_a_bundle_is_complete_and_says_how_it_was_made(tiny_bundle: Bundle, tiny_work: Path) -> None:
    manifest, recipe = tiny_bundle.manifest, Recipe.tiny()
    assert (tiny_bundle.folder / "CREDITS.md").read_bytes() == (tiny_work / "data" / "CREDITS.md").read_bytes()
    assert {*EXTRA_ROLES, *ROLES} == set(manifest.files)
    assert manifest.chunk_frames == recipe.denoiser.chunk_frames
    assert manifest.context_frames == recipe.denoiser.context_frames
    assert manifest.latent_channels == recipe.codec.latent_channels
    assert manifest.training["stages"]["student"]["step"] == 8
    assert manifest.training["recipe"]["denoiser"]["chunk_frames"] == 16
    assert load_bundle(str(tiny_bundle.folder)) == tiny_bundle


def test_a_bundle_that_learned_from_recordings_credits_them_and_shares_alike() -> None:
    entry = Entry("a.flac", 1, -1, (), (), None, (), (), (), None)
    mine, theirs = (Origin("rain 1.0", f"{who}.ogg", who, "CC-BY-SA-3.0") for who in ("Me", "Them"))
    options = sourced(Options("x"), [entry, replace(entry, origins=(theirs, mine))])
    assert options.licence.startswith("CC-BY-SA-4.0")
    assert options.credits[-2] == "Sounds of the Debian package rain 1.0 (CC-BY-SA-3.0) by Me; Them."
    assert sourced(Options("x"), [entry]) == Options("x")


def test_a_bundle_may_be_read_by_all_and_nothing_is_left_beside_it(tiny_bundle: Bundle) -> None:
    assert stat.S_IMODE(tiny_bundle.folder.stat().st_mode) & 0o055 == 0o055
    assert [path.name for path in tiny_bundle.folder.parent.iterdir()] == [tiny_bundle.folder.name]


def test_nets_have_the_inputs_and_outputs_of_the_format(tiny_bundle: Bundle) -> None:
    wanted = {
        "text": (["input_ids", "attention_mask"], None),
        "student": (["x", "t", "context", "mask", "text", "tokens", "tokens_mask", "emotion", "guidance"], ["x0"]),
        "decoder": (["latents", "before", "past"], ["tone", "noise", "coherence", "before_next", "past_next"]),
        "emotion": (["latents", "delta"], ["moved"]),
        "encoder": (["features"], ["latents"]),
        "sound": (["latents"], ["embedding"]),
    }
    for role, (inputs, outputs) in wanted.items():
        session = tiny_bundle.session(role)
        assert [node.name for node in session.get_inputs()] == inputs
        if outputs is not None:
            assert [node.name for node in session.get_outputs()] == outputs


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle) -> None:
    """The nets are those of the tiny bundle, not exported again."""

    def copied(net: Any, path: Path, dynamic: Any, smaller: Any) -> dict[str, str]:
        path.write_bytes((tiny_bundle.folder / path.name).read_bytes())
        return {"weights": "fp16"}

    monkeypatch.setattr(export.bundle, "export_checked", copied)


@pytest.mark.usefixtures("quick")
def test_a_new_bundle_replaces_the_one_there(tiny_work: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    work, folder = Work(tiny_work, Recipe.tiny()), tmp_path / "bundle"
    for name in ("first", "second"):
        assert write_bundle(work, tiny_bundle.folder, folder, Options(name)).manifest.name == name
    assert load_bundle(str(folder)).manifest.name == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.usefixtures("quick")
def test_the_one_there_stays_when_the_new_one_fails(tiny_work: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    work, folder = Work(tiny_work, Recipe.tiny()), tmp_path / "bundle"
    write_bundle(work, tiny_bundle.folder, folder, Options("first"))
    with pytest.raises(FileNotFoundError):
        write_bundle(work, tmp_path / "nowhere", folder, Options("second"))
    assert load_bundle(str(folder)).manifest.name == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.usefixtures("quick")
def test_words_may_come_from_the_bundle_that_is_replaced(tiny_work: Path, tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("text.onnx", "tokenizer.json"):
        (folder / name).write_bytes((tiny_bundle.folder / name).read_bytes())
    made = write_bundle(Work(tiny_work, Recipe.tiny()), folder, folder, Options("same"))
    assert sha256(made.path("text")) == tiny_bundle.manifest.files["text"].sha256


def test_a_folder_with_anything_else_is_never_replaced(tmp_path: Path, tiny_work: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(AeoliaError, match=r"holds 'thesis\.txt'"):
        write_bundle(Work(tiny_work, Recipe.tiny()), SHIPPED, tmp_path, Options("x"))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    refuse_foreign(tmp_path / "new")
