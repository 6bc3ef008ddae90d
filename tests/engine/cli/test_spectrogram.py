"""The picture shows what the sound is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.cli import spectrogram

RATE = 48_000


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    """(N,) float32, a sine of amplitude 1."""
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


@pytest.mark.parametrize("hz", [60.0, 440.0, 5000.0, 15_000.0])
def test_a_tone_is_a_line_at_its_frequency_at_0_db(hz: float) -> None:
    rows = 300
    db = spectrogram.power_db(tone(hz), RATE, 50, rows)[:, 10:40]
    strongest = np.argmax(db.mean(axis=1))
    shown = spectrogram.LOW_HZ * (RATE / 2 / spectrogram.LOW_HZ) ** (1 - (strongest + 0.5) / rows)
    assert shown == pytest.approx(hz, rel=0.08)
    assert db.max() == pytest.approx(0, abs=1.6)  # a Hann window's scalloping loss is 1.42 dB


def test_a_tone_in_one_channel_is_in_that_panel_alone() -> None:
    sound = np.stack([tone(1000), np.zeros(RATE, np.float32)], axis=1)
    picture = np.asarray(spectrogram.draw(sound, RATE, "left only"), float)
    width, height = spectrogram.PANEL
    left, right = (
        picture[spectrogram.TOP + k * (height + spectrogram.GAP) + 40 :][
            : height - 40, spectrogram.LEFT : spectrogram.LEFT + width
        ]
        for k in (0, 1)
    )
    assert left.max() > 180
    assert right.max() < 10


def test_a_sound_shorter_than_the_window_can_be_drawn() -> None:
    spectrogram.draw(np.zeros((100, 1), np.float32), RATE, "short")


def dark_columns(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    """How many columns of pixels inside (left, top, right, bottom) hold ink."""
    return int((np.asarray(picture.crop(box).convert("L")) < 80).any(axis=0).sum())


def test_colours_and_lanes_have_their_scales() -> None:
    curve = ("a curve", np.linspace(0, 1, 20), (0.0, 1.0), ("nothing", "all"))
    picture = spectrogram.draw(np.stack([tone(1000)] * 2, axis=1), RATE, "x", [(0.5, "mark")], [curve])
    width, height = spectrogram.PANEL
    right = spectrogram.LEFT + width
    bar = (right + 36, spectrogram.TOP, picture.width, spectrogram.TOP + 2 * height)
    lanes_top = picture.height - spectrogram.LANE - spectrogram.GAP
    assert dark_columns(picture, bar) > 40  # its numbers, and what they are
    assert dark_columns(picture, (0, lanes_top, spectrogram.LEFT - 2, picture.height)) > 25  # the name
    assert dark_columns(picture, (right + 4, lanes_top, picture.width, picture.height)) > 25  # the range
    assert dark_columns(picture, (right + 4, 0, picture.width, spectrogram.TOP)) == 0
    assert dark_columns(picture, (picture.width - 6, 0, picture.width, picture.height)) == 0  # nothing is cut off


def test_marks_do_not_run_into_each_other() -> None:
    rows = spectrogram.stagger([(0.0, "a long first line"), (0.1, "second"), (9.0, "third")], 10.0, 1000)
    assert rows == [0, 1, 0]


def test_the_picture_appears_whole_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    spectrogram.save(spectrogram.draw(tone(100)[:, None], RATE, "x", [(0.5, "mark")]), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
