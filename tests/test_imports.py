"""What importing a part brings along, seen in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "PySide6", "onnx", "models", "export", "gui")


def loaded_by(module: str) -> set[str]:
    """The modules of a fresh interpreter after importing one."""
    script = f"import {module}, sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize(
    "module", ["engine.session", "engine.offline", "engine.osc", "engine.midi", "engine.cli.serve"]
)
def test_the_engine_brings_neither_torch_nor_qt_nor_what_is_above_it(module: str) -> None:
    assert not loaded_by(module) & set(HEAVY)


@pytest.mark.parametrize("module", ["engine.offline", "engine.cli.generate", "engine.cli.render"])
def test_making_files_needs_no_sound_library(module: str) -> None:
    assert "sounddevice" not in loaded_by(module)


def test_the_command_line_itself_is_light() -> None:
    assert not loaded_by("engine.cli.main") & {"numpy", "numba", "onnxruntime", *HEAVY}
