"""A small Debian package with sounds, made on the spot: no network, no dpkg."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Source: nowhere

Files: *
Copyright: 2020 A. Nybody
License: CC-BY-SA-3.0

Files: sounds/gpl*
Copyright: 2021 Some One
License: GPL-2+

Files: sounds/either?.wav sounds/deep/*
Copyright: 2022 First | Author
           2023 Second Author
License: GPL-2 or CC-BY-3.0
"""

TABLE = """
[packages.little]
version = "1.0-1"
deb = "l/little_1.0-1_all.deb"
sha256 = "{sha256}"
root = "{root}"
source = "sounds/"

[packages.absent]
version = "2"
deb = "a/absent_2_all.deb"
sha256 = "{nothing}"
root = ""
source = ""

[[sounds]]
kind = "noise"
form = "bed"
says = ["noise", "a hiss"]
held_out = ["static"]
files.little = ["*.wav", "missing*.wav", "deep/*.wav"]
files.absent = ["x.ogg"]

[[sounds]]
kind = "click"
form = "rhythm"
says = ["clicks", "a click"]
held_out = ["ticks"]
files.little = ["clicks/*.wav"]
"""


def wav(sound: np.ndarray, rate: int = 48_000) -> bytes:
    """A WAV file of (N,) or (N, C)."""
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format="WAV", subtype="FLOAT")
    return out.getvalue()


def deb(files: Mapping[str, bytes]) -> bytes:
    """A Debian package of files by path (deb(5))."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:xz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    whole = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", tar.getvalue())):
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
        whole += head.encode() + content + b"\n" * (len(content) % 2)
    return whole


def contents() -> dict[str, bytes]:
    """Good and bad sounds by path under the root."""
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal((96_000, 2))
    broken = noise.copy()
    broken[7] = np.nan
    sounds = {
        "long.wav": wav(noise),
        "short loop.wav": wav(noise[:40_000, 0] * 0.5, 44_100),
        "either1.wav": wav(noise[::-1]),
        "gpl.wav": wav(noise * 0.7),
        "slow.wav": wav(noise, 8_000),
        "tiny.wav": wav(noise[:9_000]),
        "silent.wav": wav(np.zeros(96_000)),
        "nan.wav": wav(broken),
        "unreadable.wav": b"RIFF and then nothing",
        "deep/one.wav": wav(noise * 0.3),
    }
    sounds["zz copy.wav"] = sounds["long.wav"]  # a float WAV written again would hold another time
    for i in range(3):
        sounds[f"clicks/{i}.wav"] = wav(0.5 * rng.standard_normal(4_000) * np.exp(-np.arange(4_000) / 500))
    return sounds


@pytest.fixture(scope="session", params=["plain", "zip"])
def little(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `table.toml` and `pool/l/little_1.0-1_all.deb`, its sounds as files or in a zip archive."""
    folder = tmp_path_factory.mktemp("little")
    files = {"usr/share/doc/little/copyright": COPYRIGHT.encode()}
    if request.param == "plain":
        root = "usr/share/little/"
        files |= {root + path: content for path, content in contents().items()}
    else:
        root, packed = "usr/share/little.pk3!audio/", io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, content in contents().items():
                archive.writestr(f"audio/{path}", content)
        files["usr/share/little.pk3"] = packed.getvalue()
    whole = deb(files)
    (folder / "pool/l").mkdir(parents=True)
    (folder / "pool/l/little_1.0-1_all.deb").write_bytes(whole)
    table = TABLE.format(sha256=hashlib.sha256(whole).hexdigest(), root=root, nothing=64 * "0")
    (folder / "table.toml").write_text(table)
    return folder


@pytest.fixture
def notice() -> str:
    """The copyright file of the little package."""
    return COPYRIGHT
