"""What the bundle costs to run: taken over from a file that `aeolia bench --json` wrote on some machine."""

import json
import math
from pathlib import Path
from typing import Any

from engine.errors import AeoliaError
from models.evaluate.context import Context
from models.evaluate.result import Finding, MissingError, Row


def measure(context: Context) -> Finding:
    """A row for each line of the bench, against where it must get."""
    if context.bench is None:
        raise MissingError("needs --bench FILE, written by `aeolia bench --json FILE`")
    report = read(context.bench)
    try:
        rows = tuple(row_of(result) for result in report["results"])
        remark = f"Cost: measured on {report['machine']}, bundle {report['bundle']}."
    except (KeyError, TypeError, ValueError) as error:
        raise AeoliaError(f"bench {context.bench}: not what `aeolia bench --json` writes: {error!r}") from None
    return Finding(rows, remarks=(remark,))


def read(path: Path) -> dict[str, Any]:
    """The file's object. AeoliaError where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AeoliaError(f"bench {path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise AeoliaError(f"bench {path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise AeoliaError(f"bench {path}: must be an object, as `aeolia bench --json` writes it")
    return found


def row_of(result: dict[str, Any]) -> Row:
    """A line of the bench. Goals are texts like "0.03", "p99 60" or "p99 2 blocks, 5.3": the last number counts; one
    that holds for another time than was measured ("0 in an hour") is shown and not judged.
    """
    goal, p99 = str(result["goal"]), result["p99"]
    value = float(p99 if goal.startswith("p99") and p99 is not None else result["median"])
    most = limit(goal)
    name = f"Cost: {result['what']}" + (", p99" if goal.startswith("p99") else "")
    reached = None if most is None or math.isnan(value) else value <= most
    return Row(name, value, str(result["unit"]), goal=goal, reached=reached, count=int(result["count"]))


def limit(goal: str) -> float | None:
    """The number in a goal, None where it can't be told from the bench alone."""
    last = goal.rpartition(" ")[2]
    try:
        return float(last)
    except ValueError:
        return None
