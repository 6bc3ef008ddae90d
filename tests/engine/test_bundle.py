"""Bundles: what is loaded, and everything that is refused."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import bundle
from engine.bundle import (
    EXTRA_ROLES,
    FORMAT,
    INPUTS,
    MOST_MANIFEST_BYTES,
    ROLES,
    Bundle,
    File,
    Manifest,
    find_bundle,
    list_bundles,
    load_bundle,
    onnx_session,
    read_manifest,
    write_manifest,
)
from engine.errors import AeoliaError

REMOVED = object()


def contents(role: str) -> bytes:
    return f"the {role}".encode()


def valid() -> dict[str, Any]:
    """The manifest of `folder`, as it is read from JSON."""
    files = {role: {"name": f"{role}.onnx", "sha256": hashlib.sha256(contents(role)).hexdigest()} for role in ROLES}
    return {
        "format": FORMAT,
        "name": "small",
        "sample_rate": 48_000,
        "channels": 2,
        "latent_channels": 8,
        "hop_samples": 1024,
        "chunk_frames": 16,
        "context_frames": 4,
        "overlap_frames": 2,
        "emotions": ["happiness", "sadness", "fear", "anger"],
        "sampler": "consistency",
        "default_steps": 2,
        "default_guidance": 3.0,
        "files": files,
        "licence": "MIT",
        "credits": ["us"],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle of files that are no nets: what the format asks, and no more."""
    made = tmp_path / "small"
    made.mkdir()
    for role in ROLES:
        (made / f"{role}.onnx").write_bytes(contents(role))
    (made / "manifest.json").write_text(json.dumps(valid()))
    return made


def refusal(folder: Path) -> str:
    with pytest.raises(AeoliaError) as caught:
        load_bundle(str(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def test_a_valid_bundle_loads(folder: Path) -> None:
    loaded = load_bundle(str(folder))
    assert loaded.manifest.emotions == ("happiness", "sadness", "fear", "anger")
    assert loaded.manifest.latent_rate_hz == 46.875
    assert loaded.path("student") == folder / "student.onnx"


@pytest.mark.parametrize("role", ROLES)
def test_a_changed_file_is_refused(folder: Path, role: str) -> None:
    (folder / f"{role}.onnx").write_bytes(contents(role) + b".")
    assert "damaged" in refusal(folder)
    assert f"{role}.onnx" in refusal(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "decoder.onnx").unlink()
    assert refusal(folder).endswith("file 'decoder.onnx' is missing")


def test_a_folder_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "decoder.onnx").unlink()
    (folder / "decoder.onnx").mkdir()
    assert "is missing" in refusal(folder)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    assert "cannot read manifest.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format":' * 50_000,
        b"9" * 10_000,
        b'{"format": 1}x',
        b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"format": ' + b"[" * 900 + b"]" * 900 + b"}",
        b"null",
        b"[]",
        b'"text"',
        b" " * (MOST_MANIFEST_BYTES + 1),
    ],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_what_is_no_manifest_is_refused(folder: Path, text: bytes) -> None:
    (folder / "manifest.json").write_bytes(text)
    assert "manifest.json" in refusal(folder)


def put(manifest: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    place = manifest
    for key in path[:-1]:
        place = place[key]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return manifest


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("format",), 2, "format 2"),
        (("format",), "1", "format '1'"),
        (("format",), True, "format True"),
        (("format",), REMOVED, "format None"),
        (("colour",), "red", "unknown key 'colour'"),
        *((((key,), REMOVED, f"key '{key}' is missing")) for key in valid() if key != "format"),
        (("name",), "", "name"),
        (("name",), 3, "name 3"),
        (("sample_rate",), 0, "sample_rate 0"),
        (("chunk_frames",), 16.0, "chunk_frames 16.0"),
        (("default_steps",), True, "default_steps True"),
        (("default_steps",), 99, "default_steps 99: must be a whole number in 1..8"),
        (("hop_samples",), 512, "hop_samples 512: must be 1024"),
        (("sample_rate",), 48_000.0, "sample_rate 48000.0: must be 48000"),
        (("channels",), 3, "channels 3: must be 2"),
        (("channels",), [2], "channels list: must be 2"),
        (("sampler",), "x", "sampler 'x': must be 'consistency'"),
        (("emotions",), ["joy"], "emotions ['joy']: must be ['happiness', 'sadness', 'fear', 'anger']"),
        (("emotions",), ["x" * 9999], "xx: must be ['happiness'"),
        (("name",), "a\nb", "name 'a\\nb': must be one line"),
        (("name",), " ", "name ' ': must be one line"),
        (("hop_samples",), 10**400, "hop_samples 1000"),
        (("default_guidance",), float("nan"), "default_guidance nan"),
        (("default_guidance",), True, "default_guidance True"),
        (("default_guidance",), 11, "default_guidance 11"),
        (("context_frames",), 14, "must be less than chunk_frames"),
        (("emotions",), "fear", "emotions"),
        (("credits",), [1], "credits"),
        (("training",), [], "training"),
        (("files",), [], "files"),
        (("files", "student"), REMOVED, "no 'student'"),
        (("files", "virus"), {}, "unknown role 'virus'"),
        (("files", "student"), "student.onnx", "files: student"),
        (("files", "student", "extra"), 1, "files: student"),
        (("files", "student", "sha256"), "0" * 63, "64 hexadecimal digits"),
        (("files", "student", "sha256"), "Z" * 64, "64 hexadecimal digits"),
        *(
            (("files", "student", "name"), name, "plain file name")
            for name in ("../student.onnx", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\0b", "C:x", "x\n", 3, ["x"])
        ),
    ],
    ids=repr,
)
def test_a_wrong_value_is_named(folder: Path, path: tuple[str, ...], value: Any, said: str) -> None:
    (folder / "manifest.json").write_text(json.dumps(put(valid(), path, value)))
    assert said in refusal(folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
paths = st.sampled_from(
    [(key,) for key in valid()]
    + [("files", role) for role in ROLES + EXTRA_ROLES]
    + [("files", role, key) for role in ROLES for key in ("name", "sha256")]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(paths, json_values), min_size=1, max_size=2), st.data())
def test_any_change_is_refused_or_understood(
    tmp_path: Path, changes: list[tuple[tuple[str, ...], Any]], data: st.DataObject
) -> None:
    manifest = valid()
    for path, value in sorted(changes, key=lambda change: -len(change[0])):
        put(manifest, path, value)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    try:
        read = read_manifest(tmp_path / "manifest.json")
    except AeoliaError:
        return
    assert set(ROLES) <= set(read.files)
    assert all((tmp_path / file.name).parent == tmp_path for file in read.files.values())
    assert read.context_frames + read.overlap_frames < read.chunk_frames


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(AeoliaError):
        read_manifest(tmp_path / "manifest.json")


names = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,20}", fullmatch=True)
manifests = st.builds(
    Manifest,
    format=st.just(FORMAT),
    name=st.text(min_size=1).filter(lambda name: name.isprintable() and name.strip()),
    sample_rate=st.just(48_000),
    channels=st.just(2),
    latent_channels=st.integers(1, 512),
    hop_samples=st.just(1024),
    chunk_frames=st.integers(200, 1000),
    context_frames=st.integers(1, 99),
    overlap_frames=st.integers(1, 99),
    emotions=st.just(("happiness", "sadness", "fear", "anger")),
    sampler=st.just("consistency"),
    default_steps=st.integers(1, 8),
    default_guidance=st.floats(0, 10),
    files=st.fixed_dictionaries(
        {role: st.builds(File, names, st.from_regex(r"[0-9a-f]{64}", fullmatch=True)) for role in ROLES}
    ),
    licence=st.text(min_size=1),
    credits=st.lists(st.text(), max_size=3).map(tuple),
    training=st.dictionaries(st.text(), st.integers() | st.text(), max_size=3),
    measured=st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(manifests)
def test_what_is_written_is_read_again(tmp_path: Path, manifest: Manifest) -> None:
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path / "manifest.json") == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.fixture
def shipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder` as the one bundle that came with Aeolia."""
    monkeypatch.setattr(bundle, "SHIPPED", folder.parent)
    monkeypatch.setattr(bundle, "DEFAULT", "small")
    return folder


def test_shipped_bundles_are_found_by_name_and_by_any_path(
    shipped: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_bundles() == ["small"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert find_bundle(None) == find_bundle("small") == find_bundle(str(shipped)) == shipped
    monkeypatch.chdir(shipped)
    assert find_bundle(".").samefile(shipped)
    assert find_bundle("../small").samefile(shipped)


@pytest.mark.parametrize("wanted", ["none", "../none", "small/../none", "\0", "x" * 5000, "~"])
def test_a_bundle_that_is_not_there_names_those_that_are(shipped: Path, wanted: str) -> None:
    with pytest.raises(AeoliaError, match="shipped bundles are: small"):
        find_bundle(wanted)


def test_a_net_that_is_none_is_named(folder: Path) -> None:
    with pytest.raises(AeoliaError, match=r"student\.onnx: no net"):
        load_bundle(str(folder)).session("student")


@pytest.mark.parametrize("role", ["text", "student", "decoder", "emotion"])
def test_every_net_of_a_bundle_is_playable(tiny_bundle: Bundle, role: str) -> None:
    session = tiny_bundle.session(role)
    assert session.get_inputs()
    assert session.get_session_options().intra_op_num_threads == 1
    assert onnx_session(tiny_bundle.path(role)).get_providers()[-1] == "CPUExecutionProvider"


@pytest.fixture
def foreign(shipped_bundle: Bundle, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with the files of the shipped bundle, and its manifest as JSON has it, to be written there."""
    for file in shipped_bundle.manifest.files.values():
        (tmp_path / file.name).symlink_to(shipped_bundle.folder / file.name)
    return tmp_path, json.loads((shipped_bundle.folder / "manifest.json").read_text())


def misfit(folder: Path, manifest: dict[str, Any], role: str) -> str:
    """What is said when the net of a bundle with this manifest is loaded."""
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AeoliaError) as caught:
        load_bundle(str(folder)).session(role)
    assert str(caught.value).startswith(f"bundle {folder}: file ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"bundle {folder}: ")


@pytest.mark.parametrize(
    ("role", "key", "value", "said"),
    [
        (
            "student",
            "latent_channels",
            31,
            "input 'x' of shape (1, 48, 64): must be (1, latent_channels 31, chunk_frames 64)",
        ),
        (
            "student",
            "chunk_frames",
            65,
            "input 'x' of shape (1, 48, 64): must be (1, latent_channels 48, chunk_frames 65)",
        ),
        (
            "decoder",
            "latent_channels",
            31,
            "input 'latents' of shape (1, 48): must be (1, latent_channels 31)",
        ),
        (
            "emotion",
            "latent_channels",
            31,
            "input 'latents' of shape (1, 48, free): must be (1, latent_channels 31, free)",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_a_net_is_refused(
    foreign: tuple[Path, dict[str, Any]], role: str, key: str, value: int, said: str
) -> None:
    folder, manifest = foreign
    assert misfit(folder, {**manifest, key: value}, role) == f"file '{role}.onnx', the {role} net: {said}"


def test_swapped_nets_are_refused(foreign: tuple[Path, dict[str, Any]]) -> None:
    folder, manifest = foreign
    files = manifest["files"]
    files["student"], files["decoder"] = files["decoder"], files["student"]
    said = misfit(folder, manifest, "student")
    assert said.startswith("file 'decoder.onnx', the student net: inputs 'latents', 'before', 'past': must be 'x', 't'")
    assert misfit(folder, manifest, "decoder").endswith(": must be 'latents', 'before', 'past'")


@pytest.mark.parametrize("role", INPUTS)
def test_every_shipped_net_fits_its_manifest(shipped_bundle: Bundle, role: str) -> None:
    assert [node.name for node in shipped_bundle.session(role).get_inputs()] == list(INPUTS[role])


def test_a_net_with_a_free_size_must_not_be_a_fixed_one(shipped_bundle: Bundle) -> None:
    fixed = {"latents": [1, 48, 1], "delta": [1, 4]}
    said = bundle._misfit(fixed, INPUTS["emotion"], shipped_bundle.manifest)
    assert said == "input 'latents' of shape (1, 48, 1): must be (1, latent_channels 48, free)"
    anything = {"x": [1, "C", "T"], "t": [1], "context": ["B", "C", 64], "mask": [1, 1, None]}
    anything |= {"text": [1, 384], "tokens": [1, 24, 384], "tokens_mask": [1, 24], "emotion": [1, 4], "guidance": [1]}
    assert bundle._misfit(anything, INPUTS["student"], replace(shipped_bundle.manifest, latent_channels=7)) == ""
