"""`aeolia devices`: the sound devices and MIDI ports that there are."""

import argparse
import sys

from engine.audio import NULL, find_device
from engine.cli.main import Subparsers
from engine.cli.ports import midi_inputs, sound_devices
from engine.cli.tables import aligned
from engine.errors import AeoliaError

HEADER = ("device", "name", "through", "channels", "rate", "")


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia devices`."""
    parser = subparsers.add_parser("devices", description="Sound devices and MIDI ports.")
    parser.add_argument(
        "--default", action="store_true", help="only the default sound device's name; fails without one"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the lists; what can't be listed is said on stderr and does not stop the rest."""
    if args.default:
        print(find_device(None, sound_devices()).name)
        return 0
    rows = [(NULL, "keeps time without a sound card", "", "1..64", "any", "")]
    try:
        rows[:0] = [
            (str(d.index), d.name, d.host, f"1..{d.channels}", f"{d.rate_hz} Hz", "default" if d.default else "")
            for d in sound_devices()
            if d.channels > 0
        ]
    except AeoliaError as error:
        print(f"aeolia: {error}", file=sys.stderr)
    print(aligned(HEADER, rows))
    try:
        ports = midi_inputs()
    except AeoliaError as error:
        print(f"aeolia: {error}", file=sys.stderr)
    else:
        print("\nMIDI inputs: " + (", ".join(ports) or "none"))
    return 0
