"""Generated sounds are made once, kept whole, and never mixed up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.bundle import Bundle
from engine.errors import AeoliaError
from engine.offline import perform
from models.evaluate.studio import LEAD_IN_FRAMES, Piece, Studio, checksum, values_of

PIECE = Piece("hum", 3, 0.5, (0.0, 5.0, 0.0, 0.0))


def test_a_piece_is_what_the_engine_plays_after_its_lead_in(tiny_bundle: Bundle, tmp_path: Path) -> None:
    studio = Studio(tiny_bundle, tmp_path)
    sound = studio.sound(PIECE)
    lead_in = LEAD_IN_FRAMES * 1024
    played = perform(tiny_bundle, values_of(tiny_bundle, PIECE), (), 0.5 + lead_in / 48_000, seed=3).T
    assert sound.shape == (2, 24_000)
    assert sound == pytest.approx(played[:, lead_in:], abs=1 / 32_768)
    assert studio.sound(replace(PIECE, whole=True)) == pytest.approx(played[:, :24_000], abs=1 / 32_768)


def test_a_kept_sound_is_not_made_again(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Studio(tiny_bundle, tmp_path).sound(PIECE)

    def fail(*args: object, **options: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("models.evaluate.studio.perform_blocks", fail)
    assert np.array_equal(Studio(tiny_bundle, tmp_path).sound(PIECE), first)
    with pytest.raises(AssertionError, match="made again"):
        Studio(tiny_bundle, tmp_path).sound(replace(PIECE, seed=4))
    other = replace(tiny_bundle, manifest=replace(tiny_bundle.manifest, default_guidance=2.0))
    with pytest.raises(AssertionError, match="made again"):
        Studio(other, tmp_path).sound(PIECE)


def test_an_interrupted_write_leaves_nothing(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *args: object, **options: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match="No space"):
        Studio(tiny_bundle, tmp_path).sound(PIECE)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_checksums_tell_bundles_apart(tiny_bundle: Bundle, shipped_bundle: Bundle) -> None:
    assert checksum(tiny_bundle) == checksum(tiny_bundle)
    assert checksum(tiny_bundle) != checksum(shipped_bundle)


def test_dials_out_of_range_are_refused(tiny_bundle: Bundle) -> None:
    with pytest.raises(AeoliaError, match=r"0\.\.10"):
        values_of(tiny_bundle, replace(PIECE, emotions=(11.0, 0.0, 0.0, 0.0)))
