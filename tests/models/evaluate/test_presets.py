"""The presets' pictures: what is there is shown, what is missing is said."""

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from engine.errors import AeoliaError
from engine.preset import list_presets
from models.evaluate import presets
from models.evaluate.context import Context
from tests.models.evaluate.conftest import RATE_HZ, sine


def test_presets_stand_beside_what_they_were(context: Context, tmp_path: Path) -> None:
    first, second = list_presets()[:2]
    soundfile.write(tmp_path / f"{first}.flac", sine(1000).T, RATE_HZ)
    found = presets.measure(replace(context, before=tmp_path))
    (table,), (plot,) = found.tables, found.plots
    assert [row[0] for row in table.rows] == [first, second]
    assert table.rows[0][2] == "1000 Hz"
    assert table.rows[1][1:3] == ("–", "–")
    assert all(cell != "–" for row in table.rows for cell in row[3:])
    alone = presets.measure(context).plots[0].picture
    assert plot.picture.width > 1.9 * alone.width
    assert plot.picture.height == alone.height


def test_a_sound_that_is_no_stereo_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", sine(1000)[0], RATE_HZ)
    soundfile.write(tmp_path / "b.flac", sine(1000).T, 44_100)
    (tmp_path / "c.flac").write_text("rain")
    for name in "abc":
        with pytest.raises(AeoliaError, match=rf"{name}\.flac"):
            presets.earlier(tmp_path, name)
