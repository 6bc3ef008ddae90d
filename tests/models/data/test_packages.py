"""Packages are fetched once, checked, resumed and unpacked; what can't be had is one line."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.errors import AeoliaError
from models.data.packages import Package, fetch, matches, unpack
from models.data.recordings import read_table


class Ranged(http.server.SimpleHTTPRequestHandler):
    """A server of a folder that knows ranges from a byte to the end, and remembers them."""

    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        path = Path(self.translate_path(self.path))
        if not path.exists():
            self.send_error(404)
            return
        content = path.read_bytes()
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers["Range"] else 0
        self.send_response(206 if start else 200)
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def served(little: Path) -> Iterator[tuple[str, list[str | None]]]:
    """Address of the pool on loopback, and the ranges that were asked for."""
    asked: list[str | None] = []
    handler = type("Handler", (Ranged,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(little / "pool"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def package(little: Path) -> Package:
    return read_table(little / "table.toml").packages["little"]


def test_a_package_is_fetched_once(served: tuple[str, list[str | None]], package: Package, tmp_path: Path) -> None:
    pool, asked = served
    first = fetch(package, tmp_path, pool)
    assert fetch(package, tmp_path, pool) == first
    assert asked == [None]


def test_an_interrupted_download_goes_on(
    served: tuple[str, list[str | None]], package: Package, little: Path, tmp_path: Path
) -> None:
    pool, asked = served
    whole = (little / "pool" / package.deb).read_bytes()
    (tmp_path / "little_1.0-1_all.part").write_bytes(whole[:1000])
    assert fetch(package, tmp_path, pool).read_bytes() == whole
    assert asked == ["bytes=1000-"]


def test_what_is_not_there_is_named(served: tuple[str, list[str | None]], package: Package, tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match=r"little: can't be fetched from http://127\.0\.0\.1.*404"):
        fetch(replace(package, deb="l/other.deb"), tmp_path, served[0])


def test_another_content_is_refused(served: tuple[str, list[str | None]], package: Package, tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match=r"little: sha256 .* must be 1234"):
        fetch(replace(package, sha256="1234"), tmp_path, served[0])
    assert not list(tmp_path.iterdir())


def test_only_what_is_wanted_is_unpacked(little: Path, package: Package, tmp_path: Path) -> None:
    place = unpack(package, little / "pool" / package.deb, tmp_path, ("clicks/*.wav", "l*.wav"))
    assert place.files == ("clicks/0.wav", "clicks/1.wav", "clicks/2.wav", "long.wav")
    assert all(place.path(file).is_file() for file in place.files)
    assert len(place.grants) == 3
    stamp = place.path("long.wav").stat().st_mtime_ns
    assert unpack(package, Path("gone.deb"), tmp_path, ("clicks/*.wav", "l*.wav")) == place
    assert place.path("long.wav").stat().st_mtime_ns == stamp


def test_a_file_that_is_no_package_is_named(package: Package, tmp_path: Path) -> None:
    (tmp_path / "odd.deb").write_bytes(b"odd")
    with pytest.raises(AeoliaError, match=r"odd\.deb: can't be unpacked: no Debian package"):
        unpack(package, tmp_path / "odd.deb", tmp_path, ("*",))


def test_a_wildcard_stays_in_its_folder() -> None:
    assert matches("a/b1.ogg", ("a/b*.ogg",))
    assert matches("a/b1.ogg", ("x", "*/b[12].ogg"))
    assert not matches("a/b/c.ogg", ("a/*.ogg",))
