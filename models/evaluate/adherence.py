"""Does the sound obey words it never saw? A classifier trained on source sounds only tells which of the 22 descriptions
it hears in what was generated from held-out captions.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.captions import WORDS
from models.data.descriptions import DESCRIPTIONS, RECIPES, Recipe
from models.data.index import Entry
from models.data.layers import LAYERS
from models.evaluate.codec_fad import Codec
from models.evaluate.context import Context
from models.evaluate.learned import Classifier
from models.evaluate.plots import matrix
from models.evaluate.result import Finding, MissingError, Plot, Row, Table
from models.evaluate.source import is_apart, spread
from models.evaluate.studio import Piece

GOAL = 0.90
LEAST_PER_CLASS = 3
K = len(DESCRIPTIONS)

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """Descriptions that were asked for and heard, both (n,)."""

    wanted: Labels
    heard: Labels

    @property
    def right(self) -> float:
        """The share that was heard as it was asked for; NaN for none."""
        return float((self.wanted == self.heard).mean()) if len(self.wanted) else float("nan")

    def only(self, descriptions: tuple[int, ...]) -> "Asked":
        """Those of some descriptions."""
        chosen = np.isin(self.wanted, descriptions)
        return Asked(self.wanted[chosen], self.heard[chosen])

    def shares(self) -> NDArray[np.float64]:
        """(K, K): of what was asked for (row), the share heard as (column)."""
        counts = np.zeros((K, K))
        np.add.at(counts, (self.wanted, self.heard), 1)
        return np.asarray(counts / counts.sum(1, keepdims=True).clip(1))


def says_all(caption: str, recipe: Recipe) -> bool:
    """Whether a caption names every layer and every attribute of a recipe, by any of their words: only then can the
    description be told from it.
    """
    text = caption.lower()

    def named(*forms: tuple[str, ...]) -> bool:
        return any(re.search(rf"\b{re.escape(stem(word))}", text) for words in forms for word in words)

    words = (WORDS[name] for name in recipe.attributes)
    layers = (LAYERS[name] for name in recipe.layers)
    return all(named(w.adjectives, w.with_, w.that, w.held_out) for w in words) and all(
        named(layer.nouns, layer.adjectives, layer.held_out_nouns) for layer in layers
    )


def stem(phrase: str) -> str:
    """A phrase as captions hold it: a verb in front may stand in the plural."""
    verb, blank, rest = phrase.lower().partition(" ")
    return rest if blank and verb in ("is", "has", "goes") else verb.removesuffix("s") + blank + rest


def captions(entries: tuple[Entry, ...], whole: bool, each: int) -> list[tuple[int, str]]:
    """Up to `each` held-out captions a description, with its number: those that say all of it, or the others."""
    found = []
    for number, recipe in enumerate(RECIPES):
        texts = dict.fromkeys(t for e in entries if e.description == number for t in e.held_out_captions)
        chosen = [text for text in texts if says_all(text, recipe) == whole]
        found += [(number, text) for text in chosen[:each]]
    return found


def train(context: Context) -> tuple[Classifier, Asked]:
    """The classifier, and how it does on source sounds that it was not trained on: the ceiling of adherence.

    MissingError where a description has too few sounds.
    """
    described = [entry for entry in context.source.procedural if entry.description >= 0]
    shown, apart = ([e for e in described if is_apart(e) == side] for side in (False, True))
    each_shown, each_apart = context.count(10_000, 14), context.count(10_000, 5)
    shown, apart = a_few(shown, each_shown), a_few(apart, each_apart)
    labels = np.array([entry.description for entry in shown], np.int64)
    if np.bincount(labels, minlength=K).min() < LEAST_PER_CLASS or not apart:
        raise MissingError(f"needs at least {LEAST_PER_CLASS} procedural sounds of each description in the data")
    classifier = Classifier.fit(context.source.summaries(shown)[:, :-1], labels, K)
    heard = classifier(context.source.summaries(apart)[:, :-1])
    return classifier, Asked(np.array([entry.description for entry in apart], np.int64), heard)


def through_codec(context: Context, classifier: Classifier) -> Asked | None:
    """How the classifier does on the sounds apart after encoder and decoder: what the codec alone loses. None where the
    bundle has no encoder.
    """
    try:
        codec = Codec(context)
    except MissingError:
        return None
    apart = a_few([e for e in context.source.procedural if e.description >= 0 and is_apart(e)], context.count(5, 1))
    rows = [
        context.source.summary(codec(context.source.sound(entry)))[:-1]
        for entry in tqdm(apart, "source sounds through the codec", disable=None)
    ]
    return Asked(np.array([entry.description for entry in apart], np.int64), classifier(np.stack(rows)))


def a_few(entries: list[Entry], each: int) -> list[Entry]:
    """At most `each` of every description."""
    return [e for number in range(K) for e in spread([e for e in entries if e.description == number], each)]


def ask(context: Context, classifier: Classifier, wanted: list[tuple[int, str]], what: str) -> Asked:
    """Generates each text with a seed of its own and hears what became of it."""
    pieces = [Piece(text, seed) for seed, (_, text) in enumerate(wanted)]
    rows = [context.source.summary(sound)[:-1] for sound in context.studio.each(pieces, what)]
    heard = classifier(np.stack(rows)) if rows else np.zeros(0, np.int64)
    return Asked(np.array([number for number, _ in wanted], np.int64), heard)


def whole_captions(context: Context) -> list[tuple[int, str]]:
    """The held-out captions by which adherence is measured."""
    return captions(context.source.procedural, True, context.count(20, 2))


def measure(context: Context) -> Finding:
    """The share of right answers, and where the wrong ones lie."""
    classifier, source = train(context)
    chance, goal = 1 / K, f"at least {GOAL:.0%} (listeners of the source thesis: 79 %)"
    entries = context.source.procedural
    word_for_word = [(k, DESCRIPTIONS[k]) for k in range(K) for _ in range(context.count(5, 1))]
    held = ask(context, classifier, whole_captions(context), "held-out captions")
    parts = ask(context, classifier, captions(entries, False, context.count(5, 1)), "incomplete captions")
    verbatim = ask(context, classifier, word_for_word, "descriptions")
    rows = [
        row("Adherence: held-out captions that say all, right among 22", held, chance, source.right, goal),
        row("Adherence: held-out captions that leave something out", parts, chance, source.right),
        row("Adherence: the 22 descriptions, word for word", verbatim, chance, source.right),
    ]
    if coded := through_codec(context, classifier):
        rows.append(row("Adherence: source sounds through the codec", coded, chance, source.right))
    each = Table(
        "Adherence by description (share right)",
        ("description", "source sounds, held out", "held-out captions", "word for word"),
        tuple((DESCRIPTIONS[k], *(percent(a.only((k,)).right) for a in (source, held, verbatim))) for k in range(K)),
    )
    plot = Plot(
        "adherence", "What was heard where a description was asked for, in per cent; held-out captions",
        matrix(held.shares(), [text[:60] for text in DESCRIPTIONS], "adherence"),
    )  # fmt: skip
    remark = (
        "The classifier (linear discriminant on statistics of engine.features, level left out) was trained on source "
        f"sounds only; the ceiling is its score on {len(source.wanted)} source sounds apart. The dials are at 0."
    )
    return Finding(tuple(rows), (each,), (plot,), (remark,))


def row(name: str, asked: Asked, floor: float, ceiling: float, goal: str = "") -> Row:
    """A row of shares; a goal is GOAL."""
    count = len(asked.wanted)
    if not count:
        return Row(name, None, floor=floor, ceiling=ceiling, goal=goal, note="no such captions in the data")
    reached = asked.right >= GOAL if goal else None
    return Row(name, asked.right, "share", floor, ceiling, goal, reached, count)


def percent(share: float) -> str:
    """A share as a whole per cent; a dash for NaN."""
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"
