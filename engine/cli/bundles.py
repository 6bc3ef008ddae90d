"""`aeolia bundles`: the models that are there, each file verified by its checksum."""

import argparse

from engine.bundle import DEFAULT, Manifest, find_bundle, list_bundles, load_bundle
from engine.cli.main import Subparsers
from engine.cli.tables import aligned
from engine.errors import AeoliaError

HEADER = ("bundle", "state", "sound", "latents", "size", "licence", "folder")


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia bundles`."""
    parser = subparsers.add_parser("bundles", description="The models that are there, verified by checksum.")
    parser.add_argument("folder", nargs="*", help="also these bundle folders")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints a line a bundle; 1 when there is none, or one is damaged."""
    names = [*list_bundles(), *args.folder]
    if not names:
        raise AeoliaError("no bundle came with this installation; give the folder of one: aeolia bundles FOLDER")
    rows, problems = [], []
    for name in names:
        try:
            rows.append(row(name, load_bundle(name).manifest, "verified"))
        except AeoliaError as error:
            problems.append(str(error))
            rows.append((name, "BROKEN", "", "", "", "", ""))
    print(aligned(HEADER, rows))
    if problems:
        raise AeoliaError("; ".join(problems))
    return 0


def row(name: str, manifest: Manifest, state: str) -> tuple[str, ...]:
    """What a manifest says about a bundle, and how large its files are."""
    folder = find_bundle(name)
    size = sum((folder / file.name).stat().st_size for file in manifest.files.values())
    return (
        manifest.name + (" (default)" if name == DEFAULT else ""),
        state,
        f"{manifest.sample_rate / 1000:g} kHz, {manifest.channels} channels",
        f"{manifest.latent_channels} at {manifest.latent_rate_hz:g} Hz",
        f"{size / 1e6:.1f} MB",
        manifest.licence,
        str(folder),
    )
