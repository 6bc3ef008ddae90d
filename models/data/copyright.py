"""Who made a file of a Debian package and under which licence: its machine-readable copyright file, DEP-5.

https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FREE = (
    "CC0", "CC0-1.0", "public-domain", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-3.0+", "CC-BY-SA-4.0",
    "MIT", "Expat", "Zlib",
)  # fmt: skip
"""Licences of sounds that may be trained on; together they allow weights under CC-BY-SA-4.0."""


@dataclass(frozen=True)
class Grant:
    """One paragraph of the copyright file."""

    patterns: tuple[str, ...]
    author: str
    licence: str
    """As written: an SPDX-like expression."""

    def covers(self, path: str) -> bool:
        """Whether a path of the source package falls under it."""
        return any(_regex(pattern).fullmatch(path) for pattern in self.patterns)


def _regex(pattern: str) -> re.Pattern[str]:
    """DEP-5 wildcards: `*` any characters, slashes too; `?` one character."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _fields(paragraph: str) -> Iterator[tuple[str, str]]:
    for field in re.split(r"\n(?=\S)", paragraph.strip("\n")):
        name, _, value = field.partition(":")
        yield name.strip().lower(), value.strip()


def grants(text: str) -> list[Grant]:
    """The Files paragraphs of a copyright file, in its order; none where it isn't machine-readable."""
    found = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = dict(_fields(paragraph))
        if "files" in fields and "license" in fields:
            author = "; ".join(dict.fromkeys(line.strip() for line in fields.get("copyright", "").splitlines()))
            found.append(Grant(tuple(fields["files"].split()), author, fields["license"].splitlines()[0].strip()))
    return found


def grant_of(path: str, found: Sequence[Grant]) -> Grant | None:
    """The grant of a path: the last paragraph that covers it, as DEP-5 has it."""
    return next((grant for grant in reversed(found) if grant.covers(path)), None)


def free_licence(expression: str) -> str | None:
    """The licence out of `FREE` that an expression offers ("GPL-2+ or CC-BY-3.0"), or None."""
    names = {name.lower(): name for name in FREE}
    offers = (names.get(offer.strip().lower()) for offer in re.split(r",?\s+or\s+", expression, flags=re.IGNORECASE))
    return next((offer for offer in offers if offer), None)
