"""Looking for devices is quiet, and what went wrong is still said."""

import os

import pytest

from engine.audio import Device
from engine.cli import devices, ports
from engine.cli.main import main
from engine.errors import AeoliaError

CARD = Device(0, "Card", "ALSA", 2, 48_000, True)


def noisy(*_: object) -> list[Device]:
    os.write(2, b"ALSA lib pcm.c:2664:(snd_pcm_open_noupdate) Unknown PCM cards.pcm.rear\n")
    return [CARD]


def failing(*_: object) -> list[Device]:
    noisy()
    raise AeoliaError("PortAudio: not installed")


@pytest.mark.parametrize("command", ["devices", "doctor"])
def test_c_libraries_are_not_heard_on_stderr(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(ports, "list_devices", noisy)
    monkeypatch.setattr(ports, "list_ports", lambda: (noisy()[0].name,))
    assert main([command]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "Card" in out


def test_what_went_wrong_is_said_all_the_same(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "list_devices", failing)
    monkeypatch.setattr(ports, "list_ports", failing)
    assert main(["devices"]) == 0
    assert capfd.readouterr().err == "aeolia: PortAudio: not installed\n" * 2
    assert main(["devices", "--default"]) == 1
    assert capfd.readouterr().err == "aeolia: error: PortAudio: not installed\n"


def test_real_devices_are_listed_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    out, err = capfd.readouterr()
    assert out.startswith(devices.HEADER[0])
    assert all(line.startswith("aeolia: ") for line in err.splitlines())


def test_a_process_without_stderr_can_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with ports.c_stderr_silent():
        looked = True
    assert looked
