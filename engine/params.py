"""The one table of what can be steered: address, type, range, unit, default, curve, smoothing, latency class.

Everything that names a parameter derives from it: OSC checks, presets, MIDI maps, journals, widgets, reference docs.
A value that is not in the table does not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import atan2, degrees
from types import MappingProxyType
from typing import Final, TypeAlias

Arg: TypeAlias = float | int | str | bool
Args: TypeAlias = tuple[Arg, ...]

VOICES: Final = ("a", "b", "c", "d")
EMOTIONS: Final = ("happiness", "sadness", "fear", "anger")
MAX_PROMPT_CHARS: Final = 1000
MAX_NAME_CHARS: Final = 1000
"""Longest path, host name or address in a command."""


class Latency(StrEnum):
    """When a new value is heard: BLOCK in the next block of the sound card, HOP with the next latent frame that is
    decoded, MODEL when the generator has made the sound anew.
    """

    BLOCK = "block"
    HOP = "hop"
    MODEL = "model"


class Curve(StrEnum):
    """How the travel of a knob, 0..1, covers a range: evenly, or squared, with finer steps near the minimum."""

    LINEAR = "linear"
    SQUARED = "squared"

    def bend(self, position: float) -> float:
        """The part of the range, 0..1, at a position of the knob, 0..1."""
        return position * position if self is Curve.SQUARED else position


@dataclass(frozen=True, slots=True)
class Param:
    """One row of the table.

    `kinds` has one letter per argument: f float, i integer, s text, b switch (OSC T/F, or i 0/1). `minimum`, `maximum`
    and `default` have one entry per argument; the bounds of a text are its length in characters.
    """

    address: str
    kinds: str
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    unit: str
    default: Args
    curve: Curve
    smoothing_ms: float
    latency: Latency
    description: str

    def at(self, position: float, argument: int = 0, curve: Curve | None = None) -> float:
        """The value of an argument at a position of a knob, 0..1. Only for arguments that are numbers or switches."""
        low, high = self.minimum[argument], self.maximum[argument]
        return low + (high - low) * (curve or self.curve).bend(position)


@dataclass(frozen=True, slots=True)
class Command:
    """An address that does something rather than holding a value. `kinds` as in `Param`; the last `optional` arguments
    may be left out, all or none. `latency` is None where nothing is heard.
    """

    address: str
    kinds: str
    optional: int
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    latency: Latency | None
    description: str


def _number(
    address: str,
    minimum: float,
    maximum: float,
    unit: str,
    default: float,
    latency: Latency,
    description: str,
    *,
    kind: str = "f",
    curve: Curve = Curve.LINEAR,
    smoothing_ms: float = 0.0,
) -> Param:
    value: Arg = float(default) if kind == "f" else bool(default) if kind == "b" else int(default)
    return Param(address, kind, (minimum,), (maximum,), unit, (value,), curve, smoothing_ms, latency, description)


_DEFAULT_TEXTS: Final = (
    "continuous, deep, spatial and gloomy",
    "light, atonal ring of shredded glassy elements like an insect swarm",
    "sci-fi, squishy humming",
    "continuous, rapid, sizzling elements",
)

PARAMS: Final[tuple[Param, ...]] = (
    *(
        Param(
            f"/prompt/{v}/text",
            "s",
            (1,),
            (MAX_PROMPT_CHARS,),
            "characters",
            (text,),
            Curve.LINEAR,
            128.0,
            Latency.MODEL,
            f"the words that voice {v} sounds like; fades in as soon as the sound is made",
        )
        for v, text in zip(VOICES, _DEFAULT_TEXTS, strict=True)
    ),
    Param(
        "/morph",
        "ff",
        (0, 0),
        (1, 1),
        "",
        (0.0, 0.0),
        Curve.LINEAR,
        21.3,
        Latency.HOP,
        "x, y between the voices in the corners a (0, 0), b (1, 0), c (0, 1), d (1, 1): sets the four weights",
    ),
    *(
        _number(
            f"/prompt/{v}/weight",
            0,
            1,
            "",
            v == "a",
            Latency.HOP,
            f"how much of voice {v} is in the mix",
            smoothing_ms=21.3,
        )
        for v in VOICES
    ),
    *(
        _number(f"/emotion/{e}", 0, 10, "", 0, Latency.HOP, f"how much {e} is in the sound", smoothing_ms=21.3)
        for e in EMOTIONS
    ),
    _number(
        "/pan/azimuth",
        -180,
        180,
        "degrees",
        0,
        Latency.BLOCK,
        "direction: 0 in front, positive to the right",
        smoothing_ms=5,
    ),
    _number("/pan/width", 0, 2, "", 1, Latency.BLOCK, "stereo width: 0 mono, 1 as generated", smoothing_ms=5),
    _number(
        "/pan/motion/rate",
        0,
        4,
        "Hz",
        0,
        Latency.BLOCK,
        "how fast the direction swings",
        curve=Curve.SQUARED,
        smoothing_ms=20,
    ),
    _number(
        "/pan/motion/depth",
        0,
        180,
        "degrees",
        0,
        Latency.BLOCK,
        "how far the direction swings to either side",
        smoothing_ms=20,
    ),
    _number("/level", -60, 6, "dB", 0, Latency.BLOCK, "loudness of the whole instrument", smoothing_ms=5),
    _number(
        "/generator/seed",
        0,
        2**31 - 1,
        "",
        0,
        Latency.MODEL,
        "which of the endlessly many sounds of the same words",
        kind="i",
    ),
    _number("/generator/steps", 1, 8, "", 2, Latency.MODEL, "steps of the sampler: more is finer and later", kind="i"),
    _number("/generator/guidance", 0, 10, "", 3, Latency.MODEL, "how strictly the sound follows the words"),
    _number("/generator/variation", 0, 1, "", 0.5, Latency.MODEL, "how far the sound wanders as it goes on"),
    _number("/freeze", 0, 1, "", 0, Latency.HOP, "hold the present sound", kind="b", smoothing_ms=21.3),
)
"""Every value of the instrument, in the order in which it is shown and in which all may be set one after another: the
morph comes before the weights, which it would overwrite. The smoothing of a hop-class value is one hop of
1,024 samples at 48 kHz; of a prompt, the six hops over which the new sound fades in.
"""

BY_ADDRESS: Final[Mapping[str, Param]] = MappingProxyType({p.address: p for p in PARAMS})

_NAME = MAX_NAME_CHARS
COMMANDS: Final[tuple[Command, ...]] = (
    Command(
        "/panic",
        "",
        0,
        (),
        (),
        Latency.BLOCK,
        "fade out at once and flush the tails; the next prompt, weight, morph, level or freeze sounds again",
    ),
    Command(
        "/record/start", "s", 0, (1,), (_NAME,), None, "record what is heard into a .flac or .wav file at this path"
    ),
    *(
        Command(
            f"/prompt/{v}/audio",
            "s",
            0,
            (1,),
            (_NAME,),
            Latency.MODEL,
            f"let voice {v} sound like the sound file at this path, until it is given words",
        )
        for v in VOICES
    ),
    Command("/record/stop", "", 0, (), (), None, "finish the recording"),
    Command(
        "/subscribe",
        "si",
        2,
        (1, 1),
        (255, 65535),
        None,
        "send values, meters and latencies to this host and port (or back to the sender) 30 times a second",
    ),
    Command(
        "/unsubscribe", "si", 2, (1, 1), (255, 65535), None, "stop sending to this host and port, or to the sender"
    ),
    Command("/get", "s", 0, (1,), (_NAME,), None, "answer with the value at this address"),
)
"""What can be done, as against set. Each but `/get`, which answers with the value, answers `/done` or `/fail`."""

COMMANDS_BY_ADDRESS: Final[Mapping[str, Command]] = MappingProxyType({c.address: c for c in COMMANDS})


@dataclass(frozen=True, slots=True)
class Reading:
    """Something that the instrument measures and reports; `kinds` as in `Param`, once for each output channel where
    `per_channel`.
    """

    address: str
    kinds: str
    unit: str
    description: str
    per_channel: bool = False


READINGS: Final[tuple[Reading, ...]] = (
    Reading("/meter/peak", "f", "dBFS", "peak of each output channel, falling 11.8 dB a second", per_channel=True),
    Reading("/meter/rms", "f", "dBFS", "loudness of each output channel over 0.3 s", per_channel=True),
    Reading("/meter/reduction", "f", "dB", "how much the limiter takes away"),
    Reading("/meter/lead", "f", "ms", "sound that is ready ahead of the sound card"),
    Reading("/meter/empty", "i", "", "blocks for which no sound was ready, since there was any"),
    *(
        Reading(f"/latency/{latency}", "ff", "ms", f"measured from message to sound, {latency} class: median, 99 %")
        for latency in Latency
    ),
    Reading("/generator/load", "f", "", "seconds of work per second of sound"),
    Reading("/generator/late", "i", "", "how often the sound was extended because the generator was late"),
    Reading("/generator/restarts", "i", "", "how often the generator was restarted"),
    Reading("/control/refused", "i", "", "messages that were refused since the start"),
    Reading("/problem", "s", "", "what is wrong now, such as a lost sound device or an ended recording; else empty"),
)
"""What is sent to subscribers beside the values, and can be asked for with `/get`."""

READINGS_BY_ADDRESS: Final[Mapping[str, Reading]] = MappingProxyType({r.address: r for r in READINGS})


@dataclass(frozen=True, slots=True)
class Alias:
    """A foreign address whose arguments, all floats in a range, are converted to those of a parameter of the table."""

    address: str
    kinds: str
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    target: str
    description: str

    def convert(self, args: tuple[float, ...]) -> Args:
        """ADM-OSC 1.0: azimuth is positive to the left; x is positive to the right and y to the front."""
        if self.kinds == "fff" and self.address.endswith("xyz"):
            x, y, _ = args
            return (degrees(atan2(x, y)),)
        return (0.0 - args[0],)


_ADM = "/adm/obj/1"
ALIASES: Final[Mapping[str, Alias]] = MappingProxyType(
    {
        alias.address: alias
        for alias in (
            Alias(f"{_ADM}/azim", "f", (-180,), (180,), "/pan/azimuth", "ADM-OSC azimuth in degrees, positive left"),
            Alias(
                f"{_ADM}/aed",
                "fff",
                (-180, -90, 0),
                (180, 90, 1),
                "/pan/azimuth",
                "ADM-OSC azimuth, elevation, distance: of these only the azimuth is heard",
            ),
            Alias(
                f"{_ADM}/xyz",
                "fff",
                (-1, -1, -1),
                (1, 1, 1),
                "/pan/azimuth",
                "ADM-OSC x, y, z: of these only the direction in the plane is heard",
            ),
        )
    }
)
"""Addresses of the ADM-OSC standard (github.com/immersive-audio-live/ADM-OSC) that pan the instrument as object 1."""
