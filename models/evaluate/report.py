"""The report: one Markdown file, its plots as PNG beside it, and all numbers as JSON. Each replaced in one step."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.cli.spectrogram import save
from engine.cli.tables import markdown
from engine.record import part_of
from models.evaluate.result import Finding, Row, Table, shown

HEADER = ("measure", "value", "floor", "ceiling", "must be", "reached", "sounds", "note")


LEGEND = (
    "*Ceiling* is the best that can be had, *floor* what chance or the worst that is worth comparing scores. "
    "Written by `aeolia evaluate`."
)


@dataclass(frozen=True)
class Header:
    """What was measured, on what, with what."""

    bundle: str
    checksum: str
    data: str
    judge: str | None
    quick: bool
    left: tuple[str, ...] = ()
    """Measures that are still to be taken."""


def write(path: Path, header: Header, findings: Mapping[str, Finding]) -> list[Path]:
    """Writes the report to `path`, `path` with .json and plots named after both; returns the files."""
    plots = [(path.with_name(f"{path.stem}-{p.name}.png"), p) for f in findings.values() for p in f.plots]
    for file, plot in plots:
        save(plot.picture, file)
    numbers = path.with_suffix(".json")
    rows = {name: [plain(row) for row in finding.rows] for name, finding in findings.items()}
    tables = {name: [asdict(table) for table in finding.tables] for name, finding in findings.items()}
    remarks = {name: finding.remarks for name, finding in findings.items()}
    whole = {"header": asdict(header), "rows": rows, "tables": tables, "remarks": remarks}
    replace(numbers, json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    replace(path, text(path, header, findings))
    return [path, numbers, *(file for file, _ in plots)]


def plain(row: Row) -> dict[str, object]:
    """A row as JSON has it, which knows neither infinity nor NaN."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(row).items()}


def replace(path: Path, contents: str) -> None:
    """Writes a text file under a temporary name and renames it."""
    part = part_of(path)
    try:
        part.write_text(contents, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def text(path: Path, header: Header, findings: Mapping[str, Finding]) -> str:
    """The Markdown."""
    rows = [row for finding in findings.values() for row in finding.rows]
    asked = [row for row in rows if row.reached is not None]
    judge = f"judged by {header.judge}" if header.judge else "without an outside judge"
    lines = [
        "# Quality",
        f"Bundle `{header.bundle}`, checksum {header.checksum[:16]}; data: {header.data}; {judge}.",
    ]
    if header.quick:
        lines.append("**Quick: a small subset of every measure, for trying out. These numbers decide nothing.**")
    if header.left:
        lines.append(f"**Unfinished: not measured yet: {', '.join(header.left)}.**")
    lines += [
        f"Of {len(asked)} goals that could be measured, {sum(row.reached or False for row in asked)} are reached. "
        + LEGEND,
        markdown(HEADER, [cells(row, header.quick) for row in rows]),
    ]
    if remarks := [remark for finding in findings.values() for remark in finding.remarks]:
        lines += ["## How to read it", "\n".join(f"- {remark}" for remark in remarks)]
    for finding in findings.values():
        for plot in finding.plots:
            lines += [f"## {plot.title}", f"![{plot.title}]({path.stem}-{plot.name}.png)"]
        lines += [section(table) for table in finding.tables]
    return "\n\n".join(lines) + "\n"


def section(table: Table) -> str:
    """A table under its title."""
    return f"## {table.title}\n\n{markdown(table.header, table.rows)}"


def cells(row: Row, quick: bool) -> tuple[str, ...]:
    """A row of the main table; what a quick try reached stands in brackets."""
    value = f"{shown(row.value)} {row.unit if row.unit != 'share' else ''}".strip()
    reached = {True: "yes", False: "**no**", None: ""}[row.reached]
    reached = f"({reached})" if quick and reached else reached
    return (
        row.measure, value or "–", shown(row.floor), shown(row.ceiling), row.goal, reached,
        str(row.count or ""), row.note,
    )  # fmt: skip
