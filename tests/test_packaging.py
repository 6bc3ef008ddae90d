"""What gets installed: our packages and nobody else's, with what they need beside them."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]
TOP_LEVEL = sorted({name.partition(".")[0] for name in PACKAGES})


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel that was just built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-c", build, folder], cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("package", TOP_LEVEL)
def test_each_top_level_package_is_ours_alone(package: str) -> None:
    assert set(packages_distributions()[package]) == {"aeolia"}


def test_every_package_folder_is_listed() -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts) for top in TOP_LEVEL for path in (ROOT / top).rglob("*.py")
    }
    assert folders == set(PACKAGES)


def test_wheel_holds_presets_and_bundles(wheel_names: set[str]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "presets", "models/bundles", "models/data/*.toml", "models/evaluate/*.toml"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    wanted = {name for name in tracked.stdout.decode().splitlines() if (ROOT / name).is_file()}
    assert any(name.endswith(".toml") for name in wanted)
    assert any(name.endswith("manifest.json") for name in wanted)
    assert wanted <= wheel_names


def test_wheel_holds_no_tests(wheel_names: set[str]) -> None:
    assert {name.partition("/")[0] for name in wheel_names if ".dist-info/" not in name} == set(TOP_LEVEL)


@pytest.mark.parametrize("package", TOP_LEVEL)
def test_every_library_that_is_imported_is_declared(package: str) -> None:
    project = PROJECT["project"]
    lines = list(project["dependencies"])
    if package in ("models", "export"):
        lines += project["optional-dependencies"]["train"]
    declared = {canonicalize_name(Requirement(line).name) for line in lines} | {"aeolia"}
    distributions = packages_distributions()
    for module in imported(package) - set(sys.stdlib_module_names):
        assert {canonicalize_name(name) for name in distributions[module]} & declared, f"{package} imports {module}"


def imported(package: str) -> set[str]:
    """The top-level modules that a package's files import anywhere."""
    found = set()
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
    return found


def test_constraints_pin_every_requirement_exactly() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}
    assert all(str(pin.specifier).startswith("==") and pin.url is None for pin in pins.values())
    extras = PROJECT["project"]["optional-dependencies"]
    for line in [*PROJECT["project"]["dependencies"], *extras["train"], *extras["dev"]]:
        assert canonicalize_name(Requirement(line).name) in pins
