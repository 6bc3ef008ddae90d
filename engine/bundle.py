"""A bundle: manifest.json and the ONNX files it lists, each with its checksum. The one definition of the format.

Nothing in a bundle is trusted before it is checked: unknown formats, unknown or missing keys, files that are missing,
of another checksum or outside the folder, values that this engine can't play with and nets with other inputs than the
manifest says are refused with the reason.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias

import onnxruntime

from engine.errors import AeoliaError
from engine.params import BY_ADDRESS, EMOTIONS
from engine.timing import HOP, SAMPLE_RATE_HZ

FORMAT = 1
ROLES = ("text", "tokenizer", "student", "decoder", "emotion")
"""The files that every bundle has: four nets and the tokenizer.json of the text encoder."""

EXTRA_ROLES = ("encoder", "sound")
"""Files that a bundle may have."""

DEFAULT = "aeolia-textures"
SHIPPED = Path(__file__).resolve().parent.parent / "models" / "bundles"

MOST_MANIFEST_BYTES = 1_000_000

PLAYED: Final[Mapping[str, Any]] = {
    "sample_rate": SAMPLE_RATE_HZ,
    "channels": 2,
    "hop_samples": HOP,
    "sampler": "consistency",
    "emotions": list(EMOTIONS),
}
"""The only values, as JSON has them, that this engine plays with."""


class Size(Enum):
    """A dimension of a net's input that no manifest says: of any size at each call, or any that is fixed."""

    FREE = "free"
    FIXED = "fixed"


Dimension: TypeAlias = int | str | Size
"""A number, the key of the manifest that says it, or a Size."""

CONDITION_TOKENS: Final = 24
"""Tokens of a text that a net is conditioned on one by one; those after them are heard in the whole sentence alone."""

_CHUNK: Final = (1, "latent_channels", "chunk_frames")
_LATENTS: Final = (1, "latent_channels", Size.FREE)

INPUTS: Final[Mapping[str, Mapping[str, tuple[Dimension, ...]]]] = {
    "text": {"input_ids": (1, Size.FREE), "attention_mask": (1, Size.FREE)},
    "student": {
        "x": _CHUNK,
        "t": (1,),
        "context": _CHUNK,
        "mask": (1, 1, "chunk_frames"),
        "text": (1, 384),
        "tokens": (1, CONDITION_TOKENS, 384),
        "tokens_mask": (1, CONDITION_TOKENS),
        "emotion": (1, len(EMOTIONS)),
        "guidance": (1,),
    },
    "decoder": {"latents": (1, "latent_channels"), "before": (1, Size.FIXED), "past": (Size.FIXED,) * 2},
    "encoder": {"features": (1, Size.FIXED, Size.FREE)},
    "sound": {"latents": _LATENTS},
    "emotion": {"latents": _LATENTS, "delta": (1, len(EMOTIONS))},
}
"""The inputs of each net, in their order, and their shapes."""


@dataclass(frozen=True)
class File:
    """A file of a bundle by its name in the folder."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """manifest.json, field by field. Frames are latent frames; a hop is one latent frame of sound."""

    format: int
    name: str
    sample_rate: int
    channels: int
    latent_channels: int
    hop_samples: int
    chunk_frames: int
    context_frames: int
    overlap_frames: int
    emotions: tuple[str, ...]
    sampler: str
    default_steps: int
    default_guidance: float
    files: dict[str, File]
    licence: str
    credits: tuple[str, ...]
    training: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def latent_rate_hz(self) -> float:
        """Latent frames a second."""
        return self.sample_rate / self.hop_samples


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have all been verified."""

    folder: Path
    manifest: Manifest

    def path(self, role: str) -> Path:
        """The file of a role; KeyError where the bundle has none."""
        return self.folder / self.manifest.files[role].name

    def session(self, role: str) -> onnxruntime.InferenceSession:
        """A new inference session of a net, on one thread. Sessions are cheap to call from any one thread at a time.

        AeoliaError where the net is none, or its inputs are not what the manifest says.
        """
        session = onnx_session(self.path(role))
        found = {node.name: node.shape for node in session.get_inputs()}
        if problem := _misfit(found, INPUTS[role], self.manifest):
            raise AeoliaError(f"bundle {self.folder}: file {self.path(role).name!r}, the {role} net: {problem}")
        return session


def onnx_session(path: Path) -> onnxruntime.InferenceSession:
    """An inference session of one thread that never spins, on the best provider there is.

    AeoliaError where the file holds no net that onnxruntime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers())
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no narrower class in common
        raise AeoliaError(f"{path}: no net that onnxruntime {onnxruntime.__version__} can run: {error}") from None


def providers() -> list[str]:
    """Execution providers in order of preference, of those that this onnxruntime offers; the CPU is always last."""
    offered = onnxruntime.get_available_providers()
    wanted = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "DmlExecutionProvider", "CPUExecutionProvider")
    return [name for name in wanted if name in offered]


def sha256(path: Path) -> str:
    """The checksum of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_bundles() -> list[str]:
    """Names of the bundles that came with Aeolia."""
    return sorted(p.parent.name for p in SHIPPED.glob("*/manifest.json"))


def find_bundle(name_or_path: str | None) -> Path:
    """The folder of a shipped bundle by name (the default for None) or of any bundle by path."""
    wanted, shipped = name_or_path or DEFAULT, list_bundles()
    if wanted in shipped:
        return SHIPPED / wanted
    if os.path.isdir(wanted):
        return Path(wanted)
    raise AeoliaError(f"bundle {wanted!r}: no such folder; shipped bundles are: {', '.join(shipped) or 'none'}")


def load_bundle(name_or_path: str | None = None) -> Bundle:
    """Reads and verifies a bundle, every file against its checksum (about 0.1 s); AeoliaError with the reason."""
    folder = find_bundle(name_or_path)
    manifest = read_manifest(folder / "manifest.json")
    for file in manifest.files.values():
        path = folder / file.name
        if not path.is_file():
            raise AeoliaError(f"bundle {folder}: file {file.name!r} is missing")
        if sha256(path) != file.sha256:
            raise AeoliaError(f"bundle {folder}: file {file.name!r} is damaged: its checksum is not the manifest's")
    return Bundle(folder, manifest)


def read_manifest(path: Path) -> Manifest:
    """Parses and checks a manifest; AeoliaError names the key that is wrong."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_MANIFEST_BYTES + 1)
        if len(text) > MOST_MANIFEST_BYTES:
            raise AeoliaError(f"bundle {path.parent}: manifest.json: must be at most {MOST_MANIFEST_BYTES} bytes")
        raw = json.loads(text.decode())
    except OSError as error:
        raise AeoliaError(f"bundle {path.parent}: cannot read manifest.json: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AeoliaError(f"bundle {path.parent}: manifest.json is not JSON: {error}") from None
    try:
        return _checked(raw)
    except ValueError as error:
        raise AeoliaError(f"bundle {path.parent}: manifest.json: {error}") from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest.json of a folder in one step."""
    part = folder / "manifest.json.part"
    part.write_text(json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, folder / "manifest.json")


def _checked(raw: Any) -> Manifest:
    if not isinstance(raw, dict):
        raise ValueError("must be an object")
    if not _is_whole(raw.get("format")) or raw["format"] != FORMAT:
        raise ValueError(f"format {_shown(raw.get('format'))}: this Aeolia reads format {FORMAT}")
    known = {f.name: f for f in fields(Manifest)}
    for key in raw:
        if key not in known:
            raise ValueError(f"unknown key {_shown(key)}")
    optional = {"training", "measured"}
    for name in known:
        if name not in raw and name not in optional:
            raise ValueError(f"key {name!r} is missing")
    for key in ("name", "licence"):
        if not isinstance(raw[key], str) or not raw[key]:
            raise ValueError(f"{key} {_shown(raw[key])}: must be a text")
    if not raw["name"].isprintable() or not raw["name"].strip():
        raise ValueError(f"name {_shown(raw['name'])}: must be one line of printable characters, not all blank")
    for key in ("latent_channels", "chunk_frames", "context_frames", "overlap_frames"):
        if not _is_whole(raw[key]) or not 1 <= raw[key] <= 1_000_000:
            raise ValueError(f"{key} {_shown(raw[key])}: must be a whole number in 1..1000000")
    (least,), (most,) = (BY_ADDRESS["/generator/steps"].minimum, BY_ADDRESS["/generator/steps"].maximum)
    if not _is_whole(raw["default_steps"]) or not least <= raw["default_steps"] <= most:
        raise ValueError(f"default_steps {_shown(raw['default_steps'])}: must be a whole number in {least:g}..{most:g}")
    guidance = raw["default_guidance"]
    if not (_is_whole(guidance) or isinstance(guidance, float)) or not 0 <= guidance <= 10:
        raise ValueError(f"default_guidance {_shown(guidance)}: must be 0..10")
    if raw["context_frames"] + raw["overlap_frames"] >= raw["chunk_frames"]:
        raise ValueError("context_frames + overlap_frames must be less than chunk_frames")
    for key in ("emotions", "credits"):
        if not isinstance(raw[key], list) or not all(isinstance(item, str) for item in raw[key]):
            raise ValueError(f"{key}: must be a list of texts")
    for key, played in PLAYED.items():
        if type(raw[key]) is not type(played) or raw[key] != played:
            shown = repr(raw[key])[:80] if key == "emotions" else _shown(raw[key])
            raise ValueError(f"{key} {shown}: must be {played!r}")
    for key in ("training", "measured"):
        if not isinstance(raw.get(key, {}), dict):
            raise ValueError(f"{key}: must be an object")
    files = _checked_files(raw["files"])
    return Manifest(**{**raw, "files": files, "emotions": tuple(raw["emotions"]), "credits": tuple(raw["credits"])})


def _misfit(found: Mapping[str, list[Any]], wanted: Mapping[str, tuple[Dimension, ...]], manifest: Manifest) -> str:
    """What is wrong with a net's inputs, or nothing. Where a size is known, a net may also leave it free."""
    if list(found) != list(wanted):
        return f"inputs {', '.join(map(repr, found))[:200]}: must be {', '.join(map(repr, wanted))}"
    for name, dimensions in wanted.items():
        sizes = [getattr(manifest, size) if isinstance(size, str) else size for size in dimensions]
        if len(found[name]) != len(sizes) or not all(map(_fits, found[name], sizes)):
            shape = ", ".join(str(size) if isinstance(size, int) else "free" for size in found[name])
            asked = ", ".join(
                f"{key} {size}" if isinstance(key, str) else size.value if isinstance(size, Size) else str(size)
                for key, size in zip(dimensions, sizes, strict=True)
            )
            return f"input {name!r} of shape ({shape[:80]}): must be ({asked})"
    return ""


def _fits(found: Any, wanted: int | Size) -> bool:
    """Whether a dimension, a number or what onnxruntime calls a free one, is as wanted."""
    if isinstance(wanted, Size):
        return isinstance(found, int) == (wanted is Size.FIXED)
    return not isinstance(found, int) or found == wanted


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    """A value from a hostile file, short enough for one line; containers by their kind alone."""
    return type(value).__name__ if isinstance(value, dict | list) else repr(value)[:80]


def _checked_files(raw: Any) -> dict[str, File]:
    if not isinstance(raw, dict):
        raise ValueError("files: must be an object of role: {name, sha256}")
    for role in ROLES:
        if role not in raw:
            raise ValueError(f"files: no {role!r}; roles are {', '.join(ROLES)}")
    files = {}
    for role, entry in raw.items():
        if role not in ROLES + EXTRA_ROLES:
            raise ValueError(f"files: unknown role {_shown(role)}; roles are {', '.join(ROLES + EXTRA_ROLES)}")
        if not isinstance(entry, dict) or set(entry) != {"name", "sha256"}:
            raise ValueError(f"files: {role}: must be an object with name and sha256")
        name, checksum = entry["name"], entry["sha256"]
        if not isinstance(name, str) or re.fullmatch(r"[A-Za-z0-9_-][\w.-]*", name) is None:
            raise ValueError(f"files: {role}: name {_shown(name)}: must be a plain file name in the bundle's folder")
        if not isinstance(checksum, str) or re.fullmatch(r"[0-9a-f]{64}", checksum) is None:
            raise ValueError(f"files: {role}: sha256 {_shown(checksum)}: must be 64 hexadecimal digits")
        files[role] = File(name, checksum)
    return files
