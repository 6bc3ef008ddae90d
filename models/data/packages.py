"""Debian packages as a source of files: fetched once, checked, unpacked without dpkg.

A folder of packages holds `NAME_VERSION_all.deb` and, for each, `NAME_VERSION/` with the files wanted from it and
`files.json`, which is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from engine.errors import AeoliaError
from models.data.copyright import Grant, grants

POOL = "https://deb.debian.org/debian/pool/main/"
TIMEOUT_S = 60.0
"""How long the pool may stay silent."""


@dataclass(frozen=True)
class Package:
    """One version of one package; `sha256` is that of its .deb."""

    name: str
    version: str
    deb: str
    """Path under `POOL`."""
    sha256: str
    root: str
    """Where its files of interest lie; `ARCHIVE.zip!FOLDER/` inside an archive of the zip format."""
    source: str
    """The same place in the paths of its copyright file."""

    @property
    def full_name(self) -> str:
        """Name and version, as the index tells it."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Unpacked:
    """The files wanted from a package."""

    package: Package
    folder: Path
    files: tuple[str, ...]
    """Paths under the package's `root`, sorted; each lies under `folder / "files"`."""
    sha256: tuple[str, ...]
    grants: tuple[Grant, ...]

    def path(self, file: str) -> Path:
        """Where a file lies."""
        return self.folder / "files" / file


def fetch(package: Package, folder: Path, pool: str = POOL) -> Path:
    """The .deb of a package in `folder`: kept, else by apt where there is apt, else from the Debian pool.

    An interrupted download from the pool goes on where it stopped. Raises AeoliaError when it can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deb = folder / f"{package.name}_{package.version}_all.deb"
    if deb.exists() and _sha256(deb) == package.sha256:
        return deb
    deb.unlink(missing_ok=True)
    if pool == POOL and _apt(package, folder):
        return deb
    part = deb.with_suffix(".part")
    try:
        _download(pool + package.deb, part)
    except (OSError, ValueError) as error:
        raise AeoliaError(f"{package.name}: can't be fetched from {pool}: {error}") from None
    found = _sha256(part)
    if found != package.sha256:
        part.unlink()
        raise AeoliaError(f"{package.name}: sha256 of what was fetched is {found}; must be {package.sha256}")
    os.replace(part, deb)
    return deb


def _apt(package: Package, folder: Path) -> bool:
    """Whether apt-get could fetch this very version."""
    apt = shutil.which("apt-get")
    if apt is None:
        return False
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [apt, "download", "--quiet", "--quiet", f"{package.name}={package.version}"]
        done = subprocess.run(command, cwd=place, capture_output=True, check=False)
        found = list(Path(place).glob("*.deb"))
        if done.returncode or len(found) != 1 or _sha256(found[0]) != package.sha256:
            return False
        os.replace(found[0], folder / f"{package.name}_{package.version}_all.deb")
    return True


def _download(url: str, part: Path) -> None:
    """Adds to `part` what it lacks of `url`."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer,
            part.open("ab" if answer.status == 206 else "wb") as out,
        ):
            shutil.copyfileobj(answer, out, 1 << 20)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is lacking
            raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(package: Package, deb: Path, folder: Path, globs: tuple[str, ...]) -> Unpacked:
    """The files of a .deb that match one of `globs` (paths under its root), unpacked once.

    Raises AeoliaError for a file that is no Debian package.
    """
    place = folder / f"{package.name}_{package.version}"
    listing = place / "files.json"
    wanted = {"sha256": package.sha256, "root": package.root, "globs": sorted(globs)}
    kept = json.loads(listing.read_text()) if listing.exists() else {}
    if any(kept.get(key) != value for key, value in wanted.items()):
        shutil.rmtree(place, ignore_errors=True)
        (place / "files").mkdir(parents=True)
        try:
            kept = {**wanted, "files": dict(sorted(_extract(package, deb, place, globs)))}
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError) as error:
            raise AeoliaError(f"{deb}: can't be unpacked: {error}") from None
        part = listing.with_suffix(".part")
        part.write_text(json.dumps(kept, indent=1))
        os.replace(part, listing)
    notice = place / "copyright"
    found = grants(notice.read_text(errors="replace")) if notice.exists() else []
    files: dict[str, str] = kept["files"]
    return Unpacked(package, place, tuple(files), tuple(files.values()), tuple(found))


def _extract(package: Package, deb: Path, place: Path, globs: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Writes the copyright file and the wanted files; yields the path and sha256 of each wanted one."""
    archive, inside, folder = package.root.partition("!")
    with deb.open("rb") as file:
        _to_data(file)
        with tarfile.open(fileobj=file, mode="r|*", bufsize=1 << 20) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                content = tar.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                if name == f"usr/share/doc/{package.name}/copyright":
                    (place / "copyright").write_bytes(content.read())
                elif inside and name == archive:
                    yield from _unzip(content, folder, place, globs)
                elif not inside and name.startswith(archive):
                    path = name.removeprefix(archive)
                    if matches(path, globs):
                        yield path, _write(content.read(), place, path)


def _to_data(file: IO[bytes]) -> None:
    """Moves to the tar archive of a .deb, the last member of an ar archive (deb(5))."""
    if file.read(8) != b"!<arch>\n":
        raise ValueError("no Debian package")
    while header := file.read(60):
        if header[:16].startswith(b"data.tar"):
            return
        size = int(header[48:58])
        file.seek(size + size % 2, os.SEEK_CUR)
    raise ValueError("no data in it")


def _unzip(content: IO[bytes], folder: str, place: Path, globs: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryFile(dir=place) as whole:  # zip files are read from their end
        shutil.copyfileobj(content, whole, 1 << 20)
        with zipfile.ZipFile(whole) as members:
            for name in members.namelist():
                path = name.removeprefix(folder)
                if name.startswith(folder) and matches(path, globs):
                    yield path, _write(members.read(name), place, path)


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Whether a path is one that the globs ask for; a wildcard stays within its folder."""
    parts = path.split("/")
    wanted = (glob.split("/") for glob in globs)
    return any(len(w) == len(parts) and all(map(fnmatchcase, parts, w)) for w in wanted)


def _write(content: bytes, place: Path, path: str) -> str:
    if ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leads out of the package")
    target = place / "files" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
