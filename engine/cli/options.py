"""Command line options that several commands share, and their types: a wrong value is wrong use, exit code 2."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from engine.control import check
from engine.errors import AeoliaError
from engine.params import BY_ADDRESS, EMOTIONS, Arg
from engine.timing import SAMPLE_RATE_HZ

OSC_PORT = 9120
MAX_SECONDS = 3600.0


def value_of(address: str) -> Callable[[str], Arg]:
    """A type for argparse: a text as the only argument of the parameter at `address`, in its range."""
    kind = BY_ADDRESS[address].kinds
    convert: Callable[[str], Arg] = {"s": str, "i": int, "f": float, "b": int}[kind]

    def parse(text: str) -> Arg:
        try:
            return check(address, (convert(text),))[0]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no {'whole ' if kind == 'i' else ''}number") from None
        except AeoliaError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def emotion(text: str) -> tuple[str, Arg]:
    """`fear=8` as the parameter's address and its value."""
    name, equals, value = text.partition("=")
    if not equals or name not in EMOTIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=0..10 with NAME one of {', '.join(EMOTIONS)}")
    address = f"/emotion/{name}"
    try:
        return address, value_of(address)(value)
    except argparse.ArgumentTypeError:
        (low,), (high,) = BY_ADDRESS[address].minimum, BY_ADDRESS[address].maximum
        raise argparse.ArgumentTypeError(f"{text!r}: {name} must be a number in range {low:g}..{high:g}") from None


def named(text: str) -> str:
    """A type for argparse: a text that is not blank."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: must not be empty")
    return text


def within(low: float, high: float, unit: str = "") -> Callable[[str], float]:
    """A type for argparse: a number in low..high."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: must be in range {low:g}..{high:g}{unit and ' ' + unit}")
        return value

    return parse


def some_of(names: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """A type for argparse: some of these names, with commas between; in their own order."""

    def parse(text: str) -> tuple[str, ...]:
        asked = text.split(",")
        if wrong := [name for name in asked if name not in names]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r}: must be some of {','.join(names)}")
        return tuple(name for name in names if name in asked)

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in low..high."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: must be in range {low}..{high}")
        return value

    return parse


def host_port(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `:PORT` or `PORT`; the host is this machine where none is given; an IPv6 host stands in brackets."""
    parts = re.fullmatch(r"(?:\[([^\[\]]+)\]:|([^:\[\]]*):)?([0-9]{1,5})", text)
    if parts is None or int(parts[3]) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r}: must be HOST:PORT with PORT in range 0..65535")
    return parts[1] or parts[2] or "127.0.0.1", int(parts[3])


def sample_rate(text: str) -> int:
    """The one sample rate there is, in Hz."""
    if text != str(SAMPLE_RATE_HZ):
        raise argparse.ArgumentTypeError(f"{text!r}: must be {SAMPLE_RATE_HZ}")
    return SAMPLE_RATE_HZ


def sound_file(text: str) -> Path:
    """A path that ends in .flac or .wav."""
    if any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in text):
        raise argparse.ArgumentTypeError(f"{text!r}: must be valid UTF-8 without NUL")
    path = Path(text)
    if path.suffix.lower() not in (".flac", ".wav"):
        raise argparse.ArgumentTypeError(f"{text!r}: must end in .flac or .wav")
    return path


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """--bundle."""
    parser.add_argument(
        "--bundle", metavar="NAME", type=named, help="a shipped bundle's name or a folder (default: the shipped one)"
    )


def add_instrument(parser: argparse.ArgumentParser) -> None:
    """What `play` and `serve` take."""
    parser.add_argument("--preset", metavar="P", type=named, help="a preset's name or a TOML file")
    parser.add_argument("--device", metavar="D", help="sound device: its number or a part of its name; null: none")
    parser.add_argument("--block", metavar="N", type=whole(16, 8192), default=256, help="frames in a block (256)")
    parser.add_argument("--rate", metavar="HZ", type=sample_rate, help=f"sample rate: {SAMPLE_RATE_HZ}, the only one")
    parser.add_argument("--channels", metavar="N", type=whole(1, 64), default=2, help="loudspeakers (2)")
    parser.add_argument(
        "--osc",
        metavar="HOST:PORT",
        type=host_port,
        default=("127.0.0.1", OSC_PORT),
        help=f"where to listen for OSC (127.0.0.1:{OSC_PORT}; port 0: any free one)",
    )
    parser.add_argument("--midi", metavar="PORT", help="a MIDI input's name, or a part of it")
    parser.add_argument("--journal", metavar="FILE", type=Path, help="log the performance, for `aeolia render`")
    add_bundle(parser)
