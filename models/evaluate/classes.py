"""Natural sounds and instruments: is the right name among the five strongest that an outside judge hears, as often as
in real recordings? And, without a judge, by a classifier of the evaluation's own.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from models.data.index import Entry
from models.evaluate.context import Context
from models.evaluate.judge import TOP, Judge
from models.evaluate.learned import Classifier
from models.evaluate.prompts import tupled
from models.evaluate.result import Finding, MissingError, Row, Table, without_judge
from models.evaluate.source import spread
from models.evaluate.studio import Piece
from models.evaluate.summary import Sound, Vector

TABLE = Path(__file__).with_suffix(".toml")
GOAL = 0.9
MOST_REAL = 12
REAL_SECONDS = 6.0
"""Real recordings are heard whole: an event may come late."""


@dataclass(frozen=True)
class Class:
    """One entry of the table."""

    name: str
    prompts: tuple[str, ...]
    kinds: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True)
class Rate:
    """Hits among sounds."""

    hits: int
    count: int

    @property
    def share(self) -> float:
        """NaN for none."""
        return self.hits / self.count if self.count else float("nan")

    def __str__(self) -> str:
        return f"{self.hits} of {self.count}" if self.count else "–"


@cache
def classes() -> tuple[Class, ...]:
    """The table. TypeError where a key is unknown or missing."""
    raw = tomllib.loads(TABLE.read_text())["classes"]
    return tuple(Class(**tupled(row)) for row in raw)


def measure(context: Context) -> Finding:
    """The judge's hit rates, over those of held-out recordings; and the own classifier's."""
    chosen = classes()[:: context.count(1, 3)]
    goal = f"at least {GOAL} of the ceiling"
    generated = {c.name: list(context.studio.each(pieces(context, c), f"class {c.name}")) for c in chosen}
    real = {c.name: of_kinds(context.source.held_out, c, MOST_REAL) for c in chosen}
    finding = judged(context, context.judge, chosen, generated, real, goal) if context.judge else None
    first = finding.rows if finding else (without_judge("Classes: right name among the judge's five", goal),)
    try:
        own = by_own_ear(context, chosen, generated, real)
    except MissingError as error:
        own = Row("Classes: own classifier, right among its five", None, note=str(error))
    return Finding((*first, own), finding.tables if finding else (), remarks=finding.remarks if finding else ())


def pieces(context: Context, c: Class) -> list[Piece]:
    """What is generated for a class: its prompts in turn, each time with another seed."""
    return [Piece(c.prompts[k % len(c.prompts)], k) for k in range(context.count(12, 2))]


def of_kinds(entries: tuple[Entry, ...], c: Class, most: int) -> tuple[Entry, ...]:
    """At most so many of the entries that are of a class."""
    return spread([entry for entry in entries if entry.kind in c.kinds], most)


def judged(
    context: Context,
    judge: Judge,
    chosen: tuple[Class, ...],
    generated: dict[str, list[Sound]],
    real: dict[str, tuple[Entry, ...]],
    goal: str,
) -> Finding:
    """Hit rates over classes; a class without held-out recordings, or whose recordings the judge never names, is shown
    and not counted.
    """

    def hits(sounds: list[Sound], right: tuple[str, ...]) -> Rate:
        return Rate(sum(bool({*judge.strongest(judge.hear(s))} & {*right}) for s in sounds), len(sounds))

    rows, rates = [], []
    for c in chosen:
        ours = hits(generated[c.name], c.right)
        theirs = hits([context.source.sound(entry, REAL_SECONDS) for entry in real[c.name]], c.right)
        rows.append((c.name, str(ours), str(theirs), ", ".join(c.right[:4]) + (" ..." if len(c.right) > 4 else "")))
        if theirs.hits:
            others = [generated[o.name][0] for o in chosen if o is not c]
            rates.append((ours.share, theirs.share, hits(others, c.right).share, ours.count))
    table = Table(
        "Classes: hits of the judge", ("class", "generated", "held-out recordings", "right names"), tuple(rows)
    )
    if not rates:
        return Finding(
            (Row("Classes: right name among the judge's five", None, goal=goal, note="needs held-out recordings"),),
            (table,),
        )
    value, ceiling, floor = (float(np.mean([rate[k] for rate in rates])) for k in range(3))
    row = Row(
        f"Classes: right name among the judge's five, mean of {len(rates)} classes", value, "share", floor, ceiling,
        goal, value >= GOAL * ceiling, sum(rate[3] for rate in rates), f"{value / ceiling:.2f} of the ceiling",
    )  # fmt: skip
    remark = (
        f"Classes: of {len(chosen)} classes, {len(rates)} have held-out recordings that the judge names at least once "
        f"and are counted, each alike. Held-out recordings are up to {REAL_SECONDS:.0f} s long. Floor: how often the "
        "right names of a class are heard in what was generated for the others."
    )
    return Finding((row,), (table,), remarks=(remark,))


def by_own_ear(
    context: Context, chosen: tuple[Class, ...], generated: dict[str, list[Sound]], real: dict[str, tuple[Entry, ...]]
) -> Row:
    """Top-five rate of the evaluation's own classifier, trained on the training recordings of the classes."""
    known = [c for c in chosen if of_kinds(context.source.entries, c, 3)]
    if len(known) <= TOP:
        raise MissingError(f"needs training recordings of more than {TOP} classes in the data")
    shown = [of_kinds(context.source.entries, c, context.count(60, 6)) for c in known]
    labels = np.repeat(np.arange(len(known)), [len(entries) for entries in shown]).astype(np.int64)
    rows = context.source.summaries([entry for entries in shown for entry in entries])
    classifier = Classifier.fit(rows[:, :-1], labels, len(known))

    def rate(summaries: Vector, label: int) -> float:
        best = np.argsort(classifier.scores(summaries[:, :-1]), axis=1)[:, -TOP:]
        return float((best == label).any(axis=1).mean())

    ours, theirs, count = [], [], 0
    for label, c in enumerate(known):
        if real[c.name]:
            sounds = generated[c.name]
            ours.append(rate(np.stack([context.source.summary(sound) for sound in sounds]), label))
            theirs.append(rate(context.source.summaries(real[c.name]), label))
            count += len(sounds)
    if not ours:
        raise MissingError("needs held-out recordings of the classes in the data")
    return Row(
        f"Classes: own classifier, right among its five, mean of {len(ours)} classes", float(np.mean(ours)), "share",
        TOP / len(known), float(np.mean(theirs)), count=count,
    )  # fmt: skip
