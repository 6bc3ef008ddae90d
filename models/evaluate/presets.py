"""The presets, to be looked at: a spectrogram of each, beside that of the same preset with an earlier bundle.

N samples.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from engine.cli.spectrogram import FAINT, INK, coloured, power_db
from engine.errors import AeoliaError
from engine.offline import perform
from engine.preset import Preset, list_presets, load_preset
from engine.timing import SAMPLE_RATE_HZ
from models.evaluate.acoustics import centroid_hz
from models.evaluate.context import Context
from models.evaluate.loudness import lufs
from models.evaluate.result import Finding, Plot, Table
from models.evaluate.summary import Sound

SECONDS: Final = 8.0
PANEL: Final = (520, 150)
MARGIN, TOP, GAP = 20, 60, 46


def measure(context: Context) -> Finding:
    """No goal: pictures, and the loudness and colour of each."""
    names = list_presets()[: context.count(1000, 2)]
    sounds = {name: played(context, load_preset(name)) for name in tqdm(names, "presets", unit="sound", disable=None)}
    before = {name: earlier(context.before, name) for name in names} if context.before else {}
    known = {name: sound for name, sound in before.items() if sound is not None}
    rows = [(name, *told(known.get(name)), *told(sounds[name])) for name in names]
    header = ("preset", "before: LUFS", "centroid", "now: LUFS", "centroid")
    title = f"Presets, {SECONDS:g} s of each"
    plot = Plot("presets", title, gallery(sounds, known))
    return Finding((), (Table(title, header, tuple(rows)),), (plot,))


def played(context: Context, preset: Preset) -> Sound:
    """(2, N) of a preset by the bundle that is measured."""
    seed = int(preset.values.number("/generator/seed"))
    return np.ascontiguousarray(perform(context.bundle, preset.values, (), SECONDS, seed=seed).T)


def earlier(folder: Path, name: str) -> Sound | None:
    """(2, N) out of FOLDER/NAME.flac; None where there is no such file. AeoliaError for one that is no stereo sound of
    this rate.
    """
    path = folder / f"{name}.flac"
    if not path.exists():
        return None
    try:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AeoliaError(f"{path}: {error.error_string}") from None
    if rate_hz != SAMPLE_RATE_HZ or sound.shape[1] != 2:
        raise AeoliaError(f"{path}: {sound.shape[1]} channels at {rate_hz} Hz; must be 2 at {SAMPLE_RATE_HZ} Hz")
    return np.ascontiguousarray(sound.T)


def told(sound: Sound | None) -> tuple[str, str]:
    """Loudness and centroid."""
    return ("–", "–") if sound is None else (f"{lufs(sound):.1f}", f"{centroid_hz(sound):.0f} Hz")


def gallery(now: dict[str, Sound], before: dict[str, Sound]) -> Image.Image:
    """Spectrograms of the middle channel, 30 Hz to 24 kHz upwards, 80 dB; one row a preset."""
    small, large = ImageFont.load_default(14), ImageFont.load_default(18)
    columns = [("before", before), ("now", now)] if before else [("now", now)]
    width, height = PANEL
    size = MARGIN + len(columns) * (width + MARGIN), TOP + len(now) * (height + GAP)
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for column, (what, sounds) in enumerate(columns):
        x = MARGIN + column * (width + MARGIN)
        pen.text((x, 10), what, INK, large)
        for row, name in enumerate(now):
            y = TOP + row * (height + GAP)
            pen.text((x, y - 20), name, INK, small)
            if name not in sounds:
                pen.text((x, y), "none", FAINT, small)
                continue
            level = power_db(sounds[name].mean(0), SAMPLE_RATE_HZ, width, height)
            picture.paste(Image.fromarray(coloured(level - level.max())), (x, y))
    return picture
