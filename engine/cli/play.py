"""`aeolia play`: the instrument, with the lines that say how to steer it."""

import argparse

from engine.cli.main import Subparsers
from engine.cli.options import add_instrument
from engine.cli.serve import serve
from engine.osc import OscServer


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia play`."""
    parser = subparsers.add_parser("play", description="Starts the instrument. It is steered over OSC and MIDI.")
    add_instrument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plays until told to end."""
    return serve(args, explain)


def explain(server: OscServer) -> None:
    """What to type in another terminal."""
    _, port = server.address
    print(
        f"""Playing. Steer it from another terminal (Debian: liblo-tools), or from any program that sends OSC:
  oscsend localhost {port} /prompt/a/text s "light sizzling crickets"
  oscsend localhost {port} /emotion/fear f 8
  oscsend localhost {port} /pan/azimuth f -45
`aeolia params` lists all that can be steered. Ctrl-C ends.""",
        flush=True,
    )
