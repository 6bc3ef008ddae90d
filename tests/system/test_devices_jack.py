"""Programs that look at a sound server and play nothing leave it as it was, and end well."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.jack import private_server

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("jackd") is None, reason="jackd not installed (Debian: jackd2)"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The environment of a private server."""
    with private_server(48_000, 256) as environment:
        yield {**os.environ, **environment}


@pytest.mark.parametrize(
    ("words", "code", "out", "error"),
    [
        (("devices", "--default"), 0, "system\n", ""),
        (("doctor",), 0, None, ""),
        (("serve", "--device", "nope"), 1, "", "aeolia: error: unknown sound device 'nope': there is 0: system"),
    ],
)
def test_looking_ends_well(
    server: dict[str, str], words: tuple[str, ...], code: int, out: str | None, error: str
) -> None:
    command = [str(Path(sys.executable).with_name("aeolia")), *words]
    done = subprocess.run(command, env=server, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == code  # -11 where PortAudio's thread outlived the interpreter
    assert out is None or done.stdout == out
    assert done.stderr.startswith(error)
