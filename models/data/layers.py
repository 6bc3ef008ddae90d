"""The layers a recipe may name, as one table: how each is made, what it can be, and how people call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.data import grains, noises, tonal
from models.data.kernels import Audio
from models.data.signals import Controls

Make = Callable[[np.random.Generator, int, Controls], Audio]


@dataclass(frozen=True)
class Layer:
    """One kind of sound. `gain_db` is its share in a mix after normalising to unit RMS."""

    make: Make
    gain_db: float
    height: str
    """"low", "mid" or "high": only mid layers (and low ones downwards, high ones upwards) follow deep and light."""
    pitched: bool
    """Pitch attributes (rising, varying, frequency modulation ...) are audible on it."""
    eventful: bool
    """Tempo attributes (rapid, slow) are audible on it."""
    nouns: tuple[str, ...]
    adjectives: tuple[str, ...] = ()
    held_out_nouns: tuple[str, ...] = ()


LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        "hum": Layer(
            tonal.hum, 0.0, "mid", True, False, ("hum", "humming", "humming tone"), ("humming",), ("hummed tone",)
        ),
        "drone": Layer(
            tonal.drone,
            0.0,
            "mid",
            True,
            False,
            ("drone", "droning tone", "sustained drone"),
            ("droning",),
            ("drone bed",),
        ),
        "sixth": Layer(
            tonal.sixth,
            0.0,
            "mid",
            True,
            False,
            ("pad with a sixth interval", "sixth interval", "sustained sixth"),
            (),
            ("chord of a sixth",),
        ),
        "buzz": Layer(
            tonal.buzz,
            -2.0,
            "mid",
            True,
            False,
            ("buzz", "buzzing", "buzzing elements"),
            ("buzzing",),
            ("electric buzz",),
        ),
        "cymbals": Layer(
            tonal.cymbals,
            -2.0,
            "high",
            True,
            False,
            ("cymbals", "bowed cymbals", "metallic cymbals"),
            ("metallic",),
            ("shimmering metal",),
        ),
        "swarm": Layer(
            tonal.swarm,
            -4.0,
            "high",
            True,
            False,
            ("insect swarm", "swarm of insects", "swarm"),
            ("swarming",),
            ("cloud of insects",),
        ),
        "alarm": Layer(
            tonal.alarm,
            -6.0,
            "mid",
            True,
            False,
            ("alarm", "alarm-like effect", "siren"),
            ("alarm-like",),
            ("warning signal",),
        ),
        "rumble": Layer(
            noises.rumble,
            1.0,
            "low",
            False,
            False,
            ("rumble", "rumbling", "low rumbling"),
            ("rumbly", "rumbling"),
            ("earthquake rumble",),
        ),
        "noise": Layer(
            noises.noise,
            -3.0,
            "mid",
            False,
            False,
            ("noise", "breathy noise", "wind-like noise"),
            ("noisy",),
            ("breath of noise",),
        ),
        "sizzle": Layer(
            noises.sizzle,
            -8.0,
            "high",
            False,
            True,
            ("sizzle", "sizzling elements", "sizzling", "hiss and crackle"),
            ("sizzling", "hissing", "crackling"),
            ("frying crackle",),
        ),
        "squish": Layer(
            noises.squish,
            -1.0,
            "mid",
            True,
            True,
            ("squish", "squishy texture", "squelching"),
            ("squishy", "squelchy"),
            ("rubbery wobble",),
        ),
        "crickets": Layer(
            grains.crickets,
            -8.0,
            "high",
            True,
            True,
            ("crickets", "stridulating insects", "chirping crickets"),
            ("stridulating", "chirping"),
            ("night insects",),
        ),
        "glass": Layer(
            grains.glass,
            -6.0,
            "high",
            True,
            True,
            ("glass shards", "glassy elements", "shredded glass"),
            ("glassy",),
            ("splintering glass",),
        ),
        "glitch": Layer(
            grains.glitch,
            -2.0,
            "mid",
            True,
            True,
            ("glitches", "glitchy elements", "digital debris"),
            ("glitchy", "stuttering"),
            ("broken data",),
        ),
        "elements": Layer(
            grains.elements,
            -3.0,
            "mid",
            True,
            True,
            ("elements", "ticks and pops", "small elements"),
            ("ticking",),
            ("little plucks",),
        ),
        "impulses": Layer(
            grains.impulses,
            0.0,
            "low",
            False,
            True,
            ("low impulse", "low thumps", "thudding pulse"),
            ("pulsing", "thumping"),
            ("heartbeat thuds",),
        ),
    }
)
