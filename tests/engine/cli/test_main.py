"""How every command ends: exit codes, one line, no traceback."""

import json
import signal
import sys
from pathlib import Path

import pytest

from engine.cli.main import OWN, TRAIN_PACKAGES, main
from engine.params import PARAMS


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of a command."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("params", "--format", "xml"),
        ("generate",),
        ("generate", "rain", "-o", "rain.mp3"),
        ("generate", "rain", "-o", "rain.flac", "--emotion", "fear=11"),
        ("generate", "rain", "-o", "rain.flac", "--emotion", "joy=1"),
        ("generate", "rain", "-o", "rain.flac", "--pan", "front"),
        ("generate", "", "-o", "rain.flac"),
        ("generate", "x" * 10_000, "-o", "rain.flac"),
        ("generate", "\N{FIRE}\N{FIRE}", "-o", "rain.flac"),
        ("generate", "rain", "-o", "y\udcff.wav"),
        ("generate", "rain", "-o", "rain.flac", "--bundle", ""),
        ("serve", "--preset", " "),
        ("serve", "--block", "7"),
        ("serve", "--osc", "localhost:99999"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("aeolia: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "rain", "-o", "no/such/folder/rain.flac"),
        ("generate", "rain", "-o", "rain.flac", "--bundle", "nowhere"),
        ("generate", "rain", "-o", "rain.flac", "--seed", "2147483647", "--count", "2"),
        ("render", "no-such.journal", "-o", "x.flac"),
        ("serve", "--device", "no such device"),
        ("serve", "--preset", "no such preset", "--device", "null"),
        ("bundles", "nowhere"),
    ],
)
def test_failure_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("aeolia: error: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_each_mistake_of_a_preset_is_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    preset = tmp_path / "p.toml"
    preset.write_text('version = 1\nname = "x"\n[emotions]\njoy = 1\nfear = 11\n')
    code, _, err = run(capsys, "serve", "--preset", str(preset), "--device", "null")
    assert code == 1
    assert [line.partition(" line ")[2][:2] for line in err.splitlines()] == ["4:", "5:"]
    assert all(line.startswith(f"aeolia: error: preset {preset} line ") for line in err.splitlines())


def test_a_traceback_is_shown_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Traceback" not in run(capsys, "render", "nowhere", "-o", "x.flac")[2]
    assert "Traceback" in run(capsys, "render", "nowhere", "-o", "x.flac", "--debug")[2]


def test_an_emotion_that_is_no_number_names_the_dial_and_its_range(capsys: pytest.CaptureFixture[str]) -> None:
    err = run(capsys, "generate", "rain", "-o", "rain.flac", "--emotion", "fear=abc")[2]
    assert "'fear=abc': fear must be a number in range 0..10" in err


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("engine.cli.params.run", fail)
    code, out, err = run(capsys, "params")
    assert (code, out) == (1, "")
    assert err == "aeolia: error: internal error, ZeroDivisionError: oh no; --debug shows where\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_interrupt(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def end(*_: object) -> int:
        signal.raise_signal(number)
        return 0

    before = signal.signal(number, signal.default_int_handler)
    try:
        monkeypatch.setattr("engine.cli.params.run", end)
        assert run(capsys, "params") == (1, "", "aeolia: error: interrupted\n")
        assert signal.getsignal(number) is signal.default_int_handler
        signal.signal(number, signal.SIG_IGN)  # nohup
        assert run(capsys, "params") == (0, "", "")
    finally:
        signal.signal(number, before)


def test_a_library_interrupted_while_it_loads_is_an_interruption(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise ImportError("numpy failed") from None

    monkeypatch.setattr("engine.cli.params.run", load)
    assert run(capsys, "params") == (1, "", "aeolia: error: interrupted\n")


@pytest.mark.parametrize("command", OWN)
def test_each_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = run(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: aeolia {command}")


@pytest.fixture
def no_train_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment without the [train] extra."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"models", "export", *TRAIN_PACKAGES}]:
        monkeypatch.delitem(sys.modules, name)
    for name in TRAIN_PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("no_train_extra")
@pytest.mark.parametrize("command", ["data", "train", "distill", "export"])
def test_a_model_command_explains_itself_without_torch(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = run(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: aeolia {command}")


@pytest.mark.usefixtures("no_train_extra")
@pytest.mark.parametrize("arguments", ["train --tiny", "distill", "export -o x", "export --text -o x"])
def test_a_model_command_without_torch_names_the_extra(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *arguments.split())
    assert code == 1
    assert "pip install -e '.[train]'" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_params_json_is_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "params", "--format", "json")[1])["parameters"]
    assert [row["address"] for row in found] == [param.address for param in PARAMS]


@pytest.mark.parametrize("form", ["table", "md"])
def test_params_lists_every_address(capsys: pytest.CaptureFixture[str], form: str) -> None:
    out = run(capsys, "params", "--format", form)[1]
    assert all(param.address in out for param in PARAMS)
