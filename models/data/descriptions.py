"""The 22 descriptions of the first vocabulary, each with the recipe that makes its words true.

The wording is that of the listening test in the thesis "Transformers for emotional sound"; it is kept verbatim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "register": ("deep", "light"),
        "space": ("spatial", "close"),
        "mood": ("gloomy", "scary"),
        "order": ("stable", "regular"),
        "tempo": ("rapid", "slow"),
        "loudness": ("soft", "subtle", "heavy"),
        "character": ("synthetic", "sci_fi", "digital", "processed"),
        "pitch": ("rising", "falling", "rising_falling", "varying_pitch"),
        "modulation": ("frequency_modulation",),
        "envelope": ("long_pitch_envelope", "slow_pitch_envelope"),
        "panorama": ("static_panorama", "slight_panorama", "slow_panorama", "moving_panorama"),
        "timbre": ("hollow", "atonal"),
    }
)
"""Attributes by what they exclude: a free composition takes at most one of each group."""

ATTRIBUTES: tuple[str, ...] = tuple(a for group in GROUPS.values() for a in group)


@dataclass(frozen=True)
class Recipe:
    """Layers (names in `models.data.layers.LAYERS`) and attributes (names in `ATTRIBUTES`) that are really rendered."""

    layers: tuple[str, ...]
    attributes: tuple[str, ...]
    gains_db: tuple[float, ...] = ()
    """Extra gain for each layer, for "slightly" and "heavy"; empty is 0 dB each."""


_TABLE: tuple[tuple[str, Recipe], ...] = (
    ("continuous glitchy elements with moving panorama", Recipe(("glitch",), ("moving_panorama",))),
    ("continuous hum with pitch and frequency modulation", Recipe(("hum",), ("varying_pitch", "frequency_modulation"))),
    ("continuous, deep and spatial, stable and rumbly", Recipe(("rumble",), ("deep", "spatial", "stable"))),
    ("continuous, deep, spatial and gloomy", Recipe(("drone", "rumble"), ("deep", "spatial", "gloomy"), (0.0, -9.0))),
    ("continuous, hollow, humming with ascending and descending pitch", Recipe(("hum",), ("hollow", "rising_falling"))),
    ("continuous, humming with regular low impulse", Recipe(("hum", "impulses"), ("regular",), (-3.0, 0.0))),
    (
        "continuous, rapid and glitchy elements with long pitch envelope",
        Recipe(("glitch",), ("rapid", "long_pitch_envelope")),
    ),
    ("continuous, rapid elements with slowly moving panorama", Recipe(("elements",), ("rapid", "slow_panorama"))),
    ("continuous, rapid, glitchy buzzing elements", Recipe(("buzz", "glitch"), ("rapid",), (0.0, -4.0))),
    ("continuous, rapid, sizzling elements", Recipe(("sizzle", "elements"), ("rapid",), (4.0, -8.0))),
    (
        "continuous, scary sizzling cymbals with varying pitch",
        Recipe(("cymbals", "sizzle"), ("scary", "varying_pitch"), (0.0, -3.0)),
    ),
    ("continuous, soft noise, alarm-like effect", Recipe(("noise", "alarm"), ("soft",), (0.0, 1.0))),
    (
        "continuously stridulating, buzzing and sizzling sound of processed crickets",
        Recipe(("crickets", "buzz", "sizzle"), ("processed",), (5.0, -10.0, 0.0)),
    ),
    ("digital, continuous humming with varying pitch", Recipe(("hum",), ("digital", "varying_pitch"))),
    (
        "light, atonal ring of shredded glassy elements like an insect swarm",
        Recipe(("glass", "swarm"), ("light", "atonal"), (3.0, -4.0)),
    ),
    ("sci-fi, continuous, slightly sizzling elements", Recipe(("sizzle", "elements"), ("sci_fi",), (1.0, -9.0))),
    ("sci-fi, squishy humming", Recipe(("squish", "hum"), ("sci_fi",), (0.0, -4.0))),
    (
        "spatial, continuous, glitchy element with modulation and panning movements",
        Recipe(("glitch",), ("spatial", "frequency_modulation", "moving_panorama")),
    ),
    (
        "spatial, deep, synthetic with continuous frequency modulation",
        Recipe(("drone",), ("spatial", "deep", "synthetic", "frequency_modulation")),
    ),
    (
        "subtle, softly sizzling element with moving panorama",
        Recipe(("sizzle",), ("subtle", "soft", "moving_panorama")),
    ),
    (
        "synthetic sci-fi with a sixth interval and slight moving panorama",
        Recipe(("sixth",), ("synthetic", "sci_fi", "slight_panorama")),
    ),
    (
        "synthetic sci-fi with glitchy, slowly varying pitch envelope and heavy low rumbling",
        Recipe(("glitch", "rumble"), ("synthetic", "sci_fi", "slow_pitch_envelope", "heavy"), (-3.0, 2.0)),
    ),
)

DESCRIPTIONS: tuple[str, ...] = tuple(words for words, _ in _TABLE)
RECIPES: tuple[Recipe, ...] = tuple(recipe for _, recipe in _TABLE)

HELD_OUT_COMBINATIONS: frozenset[tuple[str, str]] = frozenset(
    {
        ("gloomy", "crickets"),
        ("spatial", "squish"),
        ("rapid", "impulses"),
        ("hollow", "buzz"),
        ("digital", "drone"),
        ("moving_panorama", "hum"),
        ("falling", "glass"),
        ("sci_fi", "alarm"),
    }
)
"""(attribute, layer) pairs that training never renders: an evaluation can ask for words never heard together."""


def is_held_out(recipe: Recipe) -> bool:
    """Whether a recipe contains a held-out pair."""
    return any((a, layer) in HELD_OUT_COMBINATIONS for a in recipe.attributes for layer in recipe.layers)
