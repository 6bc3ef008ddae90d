"""Whose recordings a data set holds: CREDITS.md, and the report of a build."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models.data.gathering import Gathered
from models.data.index import Entry

_HEAD = """# Credits

The recordings and instruments below were cut, placed in stereo and levelled, and a model learned from them. They come
from packages of Debian, whose copyright files name authors and licences.
Licence texts: <https://creativecommons.org/licenses/>, <https://opensource.org/license/mit>.
"""


def credits_of(entries: Iterable[Entry]) -> str:
    """CREDITS.md: every file that a sound was made of, by package, with author and licence."""
    origins = sorted({o for entry in entries for o in entry.origins}, key=lambda o: (o.package, o.file))
    lines, package = [_HEAD], ""
    for origin in origins:
        if origin.package != package:
            package = origin.package
            lines.append(f"\n## {package}\n\n| file | author | licence |\n|---|---|---|\n")
        cells = (cell.replace("|", "\\|") for cell in (origin.file, origin.author, origin.licence))
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def credit_lines(entries: Iterable[Entry]) -> tuple[str, ...]:
    """One line for each package: its authors and licences, as a bundle tells them."""
    origins = {o for entry in entries for o in entry.origins}
    lines = []
    for package in sorted({o.package for o in origins}):
        authors = "; ".join(sorted({o.author for o in origins if o.package == package}))
        licences = ", ".join(sorted({o.licence for o in origins if o.package == package}))
        lines.append(f"Sounds of the Debian package {package} ({licences}) by {authors}.")
    return tuple(lines)


def report(train: list[Entry], held_out: list[Entry], seconds: float, gathered: Gathered) -> dict[str, Any]:
    """Counts of a finished build as JSON values; `seconds` is the length of each sound."""
    both = [*train, *held_out]
    return {
        "sounds": dict(Counter(entry.source for entry in train)),
        "held_out": dict(Counter(entry.source for entry in held_out)),
        "hours": {
            source: round(n * seconds / 3600, 3) for source, n in Counter(entry.source for entry in both).items()
        },
        "by_package": dict(Counter(package for entry in both for package in {o.package for o in entry.origins})),
        "by_kind": dict(Counter(entry.kind for entry in both if entry.kind).most_common()),
        "files": len({o for entry in both for o in entry.origins}),
        "captions": len({text for entry in both for text in entry.captions}),
        "packages": gathered.packages,
        "left_out": gathered.left_out,
    }


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all; one that holds just this keeps its time."""
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_suffix(f".{os.getpid()}.part")
    temporary.write_text(text)
    os.replace(temporary, path)
