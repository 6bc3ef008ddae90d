"""Presets: TOML, version 1, what an instrument starts from.

    version = 1
    name = "..."          description = "..."      bundle = "..."     (description and bundle may be left out)
    [prompts]             a, b, c, d               the words of each voice
    [weights]             morph = [x, y]           and a, b, c, d, which win over the morph
    [emotions]            happiness, sadness, fear, anger
    [space]               azimuth, width, motion_rate, motion_depth, level
    [generator]           seed, steps, guidance, variation
    [[midi]]              control, address, and as wished channel, argument, minimum, maximum, curve

What is left out keeps its default. The keys derive from the parameter table. Unknown keys, wrong types and values out
of range are errors that name the file, the line and what is allowed, all of them at once.
"""

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from engine.control import Values, check_as, shown
from engine.errors import AeoliaError
from engine.midi import Route
from engine.params import MAX_NAME_CHARS, PARAMS, Curve

VERSION: Final = 1
FOLDER: Final = Path(__file__).resolve().parent.parent / "presets"
"""Where the presets that come with Aeolia are."""
MAX_BYTES: Final = 1 << 20
MAX_PROBLEMS: Final = 20
"""So many mistakes of a preset are told."""

_TEXTS: Final = ("name", "description", "bundle")


def _keys() -> Iterator[tuple[str, tuple[str, str]]]:
    """Section and key of each parameter that a preset holds. `/freeze` is a moment of a performance, not a start."""
    for param in PARAMS:
        match param.address.strip("/").split("/"):
            case ["prompt", voice, what]:
                yield param.address, (f"{what}s" if what == "weight" else "prompts", voice)
            case ["emotion", emotion]:
                yield param.address, ("emotions", emotion)
            case ["morph"]:
                yield param.address, ("weights", "morph")
            case ["pan", *rest]:
                yield param.address, ("space", "_".join(rest))
            case ["level"]:
                yield param.address, ("space", "level")
            case ["generator", what]:
                yield param.address, ("generator", what)


KEYS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(dict(_keys()))
"""Address -> section and key, the morph before the weights: in this order they are set."""


@dataclass(frozen=True)
class Preset:
    """What an instrument starts from. `bundle` None is the default bundle."""

    name: str
    values: Values = field(default_factory=Values.defaults)
    bundle: str | None = None
    midi: tuple[Route, ...] = ()
    description: str = ""


def list_presets() -> tuple[str, ...]:
    """The names of the presets that come with Aeolia, sorted; `load_preset` takes each."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_preset(name_or_path: str | Path) -> Preset:
    """A preset by the name it comes with, or by its path (which ends in .toml). AeoliaError as of `parse_preset`."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in list_presets():
            there = ", ".join(list_presets())
            raise AeoliaError(
                f"preset {shown(str(name_or_path))}: unknown; must be a path ending in .toml, or one of {there}"
            )
        path = FOLDER / f"{name_or_path}.toml"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AeoliaError(f"preset {path}: too large; must have at most {MAX_BYTES} bytes")
        text = path.read_bytes().decode("utf-8-sig")  # some editors put a byte order mark in front
    except OSError as error:
        raise AeoliaError(f"preset {path}: {error.strerror}; must be a file that can be read") from None
    except ValueError:  # also a path with NUL
        raise AeoliaError(f"preset {shown(str(path))}: must be UTF-8 text") from None
    return parse_preset(text, str(path))


def parse_preset(text: str, where: str = "preset") -> Preset:
    """A preset from its TOML; `where` is named in errors. Raises AeoliaError: the first mistake, those after it as its
    notes (`__notes__`), a line each, in the order of their lines.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise AeoliaError(f"preset {where}: nested too deep; must be TOML") from None
    except ValueError as error:
        raise AeoliaError(f"preset {where}: {error}; must be TOML") from None
    reader = _Reader(text, where)
    version = document.pop("version", None)
    if version != VERSION or isinstance(version, bool):
        found = "missing" if version is None else shown(version)
        reader.wrong(("version",), f"version {found}: must be {VERSION}")
        raise reader.refusal()  # another version may have other keys
    texts = {key: reader.text(key, document.pop(key)) for key in _TEXTS if key in document}
    if "name" not in texts:
        reader.wrong((), 'name missing: must be there, as in name = "Night"')
    midi = reader.routes(document.pop("midi", []))
    values = reader.values(document)
    if reader.problems:
        raise reader.refusal()
    return Preset(texts["name"], values, texts.get("bundle"), midi, texts.get("description", ""))


def save_preset(preset: Preset, path: str | Path) -> None:
    """Write a preset, so that `load_preset` gives the same again (but for `/freeze`). The file is there whole or not at
    all. Raises AeoliaError where it can't be written or a text can't be in TOML.
    """
    target = Path(path)
    document = format_preset(preset)
    parse_preset(document, str(target))
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise AeoliaError(f"preset {target}: {error.strerror}; must be a path that can be written") from None


def format_preset(preset: Preset) -> str:
    """A preset as TOML."""
    lines = [f"version = {VERSION}", f"name = {_toml(preset.name)}"]
    if preset.description:
        lines.append(f"description = {_toml(preset.description)}")
    if preset.bundle is not None:
        lines.append(f"bundle = {_toml(preset.bundle)}")
    sections: dict[str, list[str]] = {}
    for address, (section, key) in KEYS.items():
        args = preset.values[address]
        sections.setdefault(section, []).append(f"{key} = {_toml(args[0] if len(args) == 1 else list(args))}")
    for section, entries in sections.items():
        lines += ["", f"[{section}]", *entries]
    for route in preset.midi:
        held = [(f.name, getattr(route, f.name)) for f in fields(Route)]
        lines += ["", "[[midi]]", *(f"{key} = {_toml(value)}" for key, value in held if value is not None)]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, str):  # JSON's escapes are TOML's, which also wants DEL escaped
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


class _Reader:
    """Takes a parsed document apart; knows the text to name the line of what is wrong. What is wrong is kept, and a
    default stands in for it.
    """

    def __init__(self, text: str, where: str) -> None:
        self._lines = _lines_of_keys(text)
        self._where = where
        self.problems: list[tuple[int, str]] = []
        """Line (0 where there is none) and what is wrong there."""

    def wrong(self, path: tuple[str, ...], problem: str) -> None:
        """Keeps a problem; AeoliaError, the refusal, once there are MAX_PROBLEMS."""
        line = _line_in(self._lines, path)
        self.problems.append((line or 0, f"preset {self._where}{f' line {line}' if line else ''}: {problem}"))
        if len(self.problems) == MAX_PROBLEMS:
            raise self.refusal()

    def refusal(self) -> AeoliaError:
        """All problems, sorted by their line."""
        (_, first), *others = sorted(self.problems, key=lambda problem: problem[0])
        error = AeoliaError(first)
        for _, other in others:
            error.add_note(other)
        return error

    def text(self, key: str, value: object) -> str:
        least = 0 if key == "description" else 1
        if key == "description" and value == "":
            return ""
        try:
            (checked,) = check_as(key, "s", (least,), (MAX_NAME_CHARS,), (value,))
        except AeoliaError as error:
            self.wrong((key,), str(error))
            return ""
        return str(checked)

    def values(self, document: Mapping[str, Any]) -> Values:
        addresses = {key: address for address, key in KEYS.items()}
        sections = tuple(dict.fromkeys(section for section, _ in addresses))
        values, found = Values.defaults(), {}
        for section, entries in document.items():
            if section not in sections:
                allowed = ", ".join(("version", *_TEXTS, *sections, "midi"))
                self.wrong((section,), f"key {shown(section)} unknown: must be one of {allowed}")
                continue
            if not isinstance(entries, dict):
                self.wrong((section,), f"{section} {shown(entries)}: must be a table, [{section}]")
                continue
            for key, value in entries.items():
                if (section, key) not in addresses:
                    allowed = ", ".join(k for s, k in addresses if s == section)
                    self.wrong((section, key), f"key {shown(key)} unknown in [{section}]: must be one of {allowed}")
                else:
                    found[addresses[section, key]] = value
        for address, key in KEYS.items():
            if address in found:
                value = found[address]
                try:
                    values = values.set(address, *(value if isinstance(value, list) else (value,)))
                except AeoliaError as error:
                    self.wrong(key, str(error))
        return values

    def routes(self, midi: object) -> tuple[Route, ...]:
        if not isinstance(midi, list) or not all(isinstance(entry, dict) for entry in midi):
            self.wrong(("midi",), f"midi {shown(midi)}: must be tables, [[midi]]")
            return ()
        routes = [self._route(entry, index) for index, entry in enumerate(midi)]
        return tuple(route for route in routes if route is not None)

    def _route(self, entry: dict[str, object], index: int) -> Route | None:
        problems_before = len(self.problems)
        checked: dict[str, Any] = {}
        for key, value in entry.items():
            if key not in _ROUTE_KINDS:
                allowed = ", ".join(_ROUTE_KINDS)
                self.wrong(("midi", str(index), key), f"key {shown(key)} unknown in [[midi]]: must be one of {allowed}")
                continue
            low, high = (1, MAX_NAME_CHARS) if _ROUTE_KINDS[key] == "s" else (-1e9, 1e9)
            try:
                (checked[key],) = check_as(key, _ROUTE_KINDS[key], (low,), (high,), (value,))
                if key == "curve":
                    checked[key] = _curve(str(value))
            except AeoliaError as error:
                self.wrong(("midi", str(index), key), str(error))
        for needed in [f.name for f in fields(Route) if f.default is MISSING and f.name not in entry]:
            self.wrong(("midi", str(index)), f"{needed} missing in [[midi]]: must be there")
        if len(self.problems) > problems_before:
            return None
        try:
            return Route(**checked)
        except AeoliaError as error:
            self.wrong(("midi", str(index)), str(error))
            return None


_ROUTE_KINDS: Final[Mapping[str, str]] = {
    "control": "i",
    "address": "s",
    "channel": "i",
    "argument": "i",
    "minimum": "f",
    "maximum": "f",
    "curve": "s",
}


def _curve(name: str) -> Curve:
    try:
        return Curve(name)
    except ValueError:
        raise AeoliaError(f"curve {shown(name)}: must be one of {', '.join(Curve)}") from None


_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY: Final = re.compile(r"""\s*((?:[\w\-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w\-]+|"[^"]*"|'[^']*'))*)\s*=""")


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line, from 1, that sets a key; of one in an inline table, the line of the table; None where there is neither.
    Tables of an array count from 0: ("midi", "0", "control").
    """
    return _line_in(_lines_of_keys(text), path)


def _lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {}
    prefix: tuple[str, ...] = ()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            prefix = _parts(header[2])
            if header[1] == "[[":
                seen[header[2]] = seen.get(header[2], -1) + 1
                lines.setdefault(prefix, number)
                prefix = (*prefix, str(seen[header[2]]))
            lines.setdefault(prefix, number)
        elif key := _KEY.match(line):
            lines.setdefault((*prefix, *_parts(key[1])), number)
    return lines


def _line_in(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int | None:
    for length in range(len(path), 0, -1):
        starts = [number for known, number in lines.items() if known[:length] == path[:length]]
        if starts:
            return min(starts)
    return None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
