"""All measures by their names, in the order of the report."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from models.evaluate import (
    adherence,
    classes,
    codec_fad,
    contrasts,
    cost,
    dials,
    diversity,
    drift,
    loudness,
    originality,
    presets,
    seams,
    teacher,
    tonal,
)
from models.evaluate.context import Context
from models.evaluate.result import Finding, MissingError, Row

Measure = Callable[[Context], Finding]

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "codec": codec_fad.measure,
        "adherence": adherence.measure,
        "classes": classes.measure,
        "contrasts": contrasts.measure,
        "dials": dials.measure,
        "teacher": teacher.measure,
        "seams": seams.measure,
        "drift": drift.measure,
        "diversity": diversity.measure,
        "originality": originality.measure,
        "tonal": tonal.measure,
        "loudness": loudness.measure,
        "presets": presets.measure,
        "cost": cost.measure,
    }
)


def take(name: str, context: Context) -> Finding:
    """One measure; what it needs and has not got is a row that says so."""
    try:
        return MEASURES[name](context)
    except MissingError as error:
        return Finding((Row(name.capitalize(), None, note=str(error)),))
