"""A built folder is whole, resumable and reproducible."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.data.build import DataConfig, build, plan
from models.data.index import load_index


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(DataConfig.tiny(tmp_path_factory.mktemp("tiny")), progress=False)


def test_every_entry_has_its_sound(folder: Path) -> None:
    entries = load_index(folder)
    assert len(entries) == 12
    for entry in entries:
        audio, rate = soundfile.read(folder / entry.file)
        assert (rate, audio.shape) == (48_000, (96_000, 2))
        assert np.max(np.abs(audio)) > 0.005
        assert len(entry.emotions) == 4
        assert len(entry.azimuth_deg) == 20
        assert entry.captions
        assert entry.held_out_captions
    assert not list(folder.rglob("*.part"))


def test_pairs_share_seed_and_attributes_but_not_emotions(folder: Path) -> None:
    entries = load_index(folder)
    sizes = Counter(e.pair for e in entries if e.pair is not None)
    assert sizes == {0: 2, 1: 2}
    for pair in sizes:
        a, b = (e for e in entries if e.pair == pair)
        assert (a.seed, a.attributes, a.layers, a.azimuth_deg) == (b.seed, b.attributes, b.layers, b.azimuth_deg)
        assert a.emotions != b.emotions


def test_an_interrupted_build_continues(folder: Path) -> None:
    index = (folder / "index.jsonl").read_bytes()
    victim, kept = folder / "sounds/000003.flac", folder / "sounds/000004.flac"
    whole, stamp = victim.read_bytes(), kept.stat().st_mtime_ns
    victim.write_bytes(b"")
    (folder / "index.jsonl").unlink()
    build(DataConfig.tiny(folder), progress=False)
    assert (folder / "index.jsonl").read_bytes() == index
    assert victim.read_bytes() == whole
    assert kept.stat().st_mtime_ns == stamp


def test_another_config_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="seed"):
        build(replace(DataConfig.tiny(folder), seed=1), progress=False)


def test_the_plan_covers_descriptions_free_compositions_and_pairs() -> None:
    items = list(plan(DataConfig(out=Path("unused"), count=500, workers=1)))
    assert [item.k for item in items] == list(range(500))
    free = np.mean([item.description is None for item in items])
    assert 0.25 < free < 0.42
    assert {item.description for item in items} == {None, *range(22)}
    assert np.mean([item.pair is not None for item in items]) == pytest.approx(0.2)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"workers": 0}, {"pairs": 7}])
def test_wrong_configs_are_refused(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(DataConfig.tiny(tmp_path), **wrong)
