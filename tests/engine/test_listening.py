"""Sound files as prompts: what is read is the sound, at any rate, of any number of channels, or refused in a line."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.bundle import Bundle
from engine.errors import AeoliaError
from engine.listening import LONGEST_S, Listener, read_sound


def tone(rate_hz: int, seconds: float = 1.0, hz: float = 1000.0) -> np.ndarray:
    return (0.25 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.float32)


def saved(path: Path, sound: np.ndarray, rate_hz: int = 48_000, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, sound, rate_hz, subtype=subtype)
    return path


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 192_000])
def test_a_tone_stays_where_it_is_at_any_rate(tmp_path: Path, rate_hz: int) -> None:
    sound = read_sound(saved(tmp_path / "tone.wav", tone(rate_hz), rate_hz))
    assert sound.shape == (2, 48_000)
    middle = slice(4_800, -4_800)
    assert np.abs(sound[0] - tone(48_000))[middle].max() < 2e-3
    assert np.array_equal(sound[0], sound[1])


def test_of_several_channels_the_first_two_are_heard(tmp_path: Path) -> None:
    channels = np.stack([tone(48_000, hz=hz) for hz in (300, 500, 700, 900)], axis=1)
    sound = read_sound(saved(tmp_path / "four.wav", channels))
    assert np.allclose(sound, channels[:, :2].T, atol=1e-6)


def test_of_a_long_file_the_beginning_is_heard(tmp_path: Path) -> None:
    path = saved(tmp_path / "long.flac", tone(48_000, LONGEST_S + 1), subtype="PCM_16")
    assert read_sound(path).shape == (2, round(LONGEST_S * 48_000))


def test_what_is_no_sound_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("rain")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    saved(tmp_path / "short.wav", tone(48_000, 0.2))
    saved(tmp_path / "none.wav", tone(48_000, 0.0))
    saved(tmp_path / "silent.wav", np.zeros(48_000, np.float32))
    saved(tmp_path / "nan.wav", np.full(48_000, np.nan, np.float32))
    saved(tmp_path / "slow.wav", tone(1_000), 1_000)
    for name, said in {
        "text.wav": "must be a sound file",
        "folder.wav": "is no file; must be a sound file",
        "pipe.wav": "is no file; must be a sound file",
        "missing.wav": "is no file; must be a sound file",
        "short.wav": "0.20 s; must be at least 0.25 s long",
        "none.wav": "0.00 s; must be at least 0.25 s long",
        "silent.wav": "is silent",
        "nan.wav": "holds NaN or infinity",
        "slow.wav": "a sample rate of 1000 Hz; must be 4000 to 768000 Hz",
    }.items():
        with pytest.raises(AeoliaError, match=said) as refused:
            read_sound(tmp_path / name)
        assert name in str(refused.value)
        assert "\n" not in str(refused.value)


def test_what_a_sound_is_does_not_depend_on_how_loud_it_is(tiny_bundle: Bundle, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal((48_000, 2)).astype(np.float32)
    listener = Listener(tiny_bundle)
    loud = listener.listen(saved(tmp_path / "loud.wav", 0.3 * noise))
    soft = listener.listen(saved(tmp_path / "soft.wav", 0.003 * noise))
    other = listener.listen(saved(tmp_path / "other.wav", tone(48_000)))
    assert (loud.name, soft.name) == ("loud.wav", "soft.wav")
    assert loud.embedding.shape == (384,)
    assert loud.embedding @ soft.embedding > 0.999
    assert loud.embedding @ other.embedding < 0.99


def test_a_bundle_without_ears_is_refused(tiny_bundle: Bundle) -> None:
    files = {role: file for role, file in tiny_bundle.manifest.files.items() if role != "sound"}
    deaf = replace(tiny_bundle, manifest=replace(tiny_bundle.manifest, files=files))
    with pytest.raises(AeoliaError, match="has no sound net"):
        Listener(deaf)
