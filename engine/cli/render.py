"""`aeolia render`: a performance's journal to a sound file, offline and sample-exact."""

import argparse
import sys
from pathlib import Path

from engine.bundle import find_bundle, list_bundles, load_bundle, read_manifest
from engine.cli import sounds
from engine.cli.main import Subparsers
from engine.cli.options import add_bundle, sound_file, value_of
from engine.cli.progress import followed
from engine.journal import read_journal
from engine.offline import replaying


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia render`."""
    parser = subparsers.add_parser("render", description="Plays a journal again, offline and sample-exact.")
    parser.add_argument("journal", metavar="JOURNAL", type=Path, help="what `aeolia serve --journal` wrote")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=sound_file, required=True, help=".flac or .wav, replaced if there"
    )
    parser.add_argument("--steps", metavar="K", type=value_of("/generator/steps"), help="sample finer than live, 1..8")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Renders, prints the file's name."""
    path = sounds.writable(args.output)
    journal = read_journal(args.journal)
    if not journal.ended:
        said = "has no /end, as if the performance broke off; rendered up to its last event"
        print(f"aeolia: journal {args.journal}: {said}", file=sys.stderr)
    bundle = load_bundle(args.bundle or shipped(journal.header.bundle))
    rate_hz = bundle.manifest.sample_rate
    blocks = followed(replaying(journal, bundle, steps=args.steps), journal.end, rate_hz, path.name)
    comment = f"aeolia render {args.journal.name} (bundle {bundle.manifest.name})"
    sounds.write(path, blocks, journal.end, journal.header.channels, rate_hz, comment)
    print(path)
    return 0


def shipped(called: str) -> str | None:
    """The name of the shipped bundle that calls itself so; None, the default, where none does."""
    found = (name for name in list_bundles() if read_manifest(find_bundle(name) / "manifest.json").name == called)
    return next(found, None)
