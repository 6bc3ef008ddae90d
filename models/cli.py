"""`aeolia data`, `aeolia train` and `aeolia distill`: one command for each step of making the models.

What needs the [train] extra is imported where a command runs: each explains itself without.
"""

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from engine.bundle import DEFAULT, SHIPPED
from engine.cli.options import some_of
from engine.errors import AeoliaError
from models.data.index import SOURCES

STAGES = ("encoder", "decoder", "clasp", "teacher")
"""What `aeolia train` trains, in order."""
SOUNDS = 3000
"""Procedural sounds of 6 s in the default data set, 5 hours."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the three commands."""
    data = subparsers.add_parser("data", help="make the training sounds", description=_data.__doc__)
    what = f"some of {','.join(SOURCES)} (default: all; the last two fetch 3.4 GB from Debian once)"
    data.add_argument("--sources", type=some_of(SOURCES), default=SOURCES, help=what)
    data.add_argument("--count", type=positive, default=SOUNDS, help=f"procedural sounds (default {SOUNDS})")
    data.add_argument("--seconds", type=seconds, default=6.0, help="length of each, 2 to 600 (default 6)")
    data.add_argument("--seed", type=int, default=1, help="same seed, same sounds (default 1)")
    data.add_argument("--workers", type=positive, default=os.cpu_count() or 1, help="processes (default: all cores)")
    data.set_defaults(run=_data)
    train = subparsers.add_parser("train", help="train codec and teacher", description=_train.__doc__)
    train.add_argument("stage", nargs="*", type=stage, help=f"only these of {', '.join(STAGES)}, in order")
    train.set_defaults(run=_train)
    distill = subparsers.add_parser("distill", help="distil the teacher", description=_distill.__doc__)
    distill.set_defaults(run=_distill)
    for parser in (train, distill):
        parser.add_argument("--threads", type=positive, default=os.cpu_count() or 1, help="cores (default: all)")
        parser.add_argument("--words", type=Path, default=SHIPPED / DEFAULT, help="folder of text.onnx")
    for parser in (data, train, distill):
        parser.add_argument("--work", type=Path, default=Path("training"), help="work folder (default ./training)")
        parser.add_argument("--tiny", action="store_true", help="seconds instead of hours, to see it work")


def positive(text: str) -> int:
    """A whole number from 1 as an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: must be a whole number from 1")
    return number


def stage(text: str) -> str:
    """One of STAGES as an argument (`choices` would refuse none at all, on Python 3.11)."""
    if text not in STAGES:
        raise argparse.ArgumentTypeError(f"{text!r}: must be one of {', '.join(STAGES)}")
    return text


def seconds(text: str) -> float:
    """The length of a training sound as an argument; shorter ones have no room for a chunk with its context."""
    number = float(text)
    if not 2 <= number <= 600:
        raise argparse.ArgumentTypeError(f"{number:g}: must be 2 to 600 seconds")
    return number


def _data(args: argparse.Namespace) -> int:
    """Makes the training sounds with captions in WORK/data: procedural ones, crops of free recordings, notes of
    instruments. Packages are kept in WORK/packages. Resumable; same seed, same sounds. --tiny: procedural ones only.
    """
    from models.data.build import DataConfig, build

    folder = args.work / "data"
    if args.tiny:
        config = DataConfig.tiny(folder)
    else:
        config = DataConfig(folder, args.count, args.seconds, args.seed, args.workers, sources=args.sources)
    try:
        build(config)
    except ValueError as error:  # the folder holds other sounds
        raise AeoliaError(str(error)) from None
    report = json.loads((folder / "report.json").read_text())
    for line in report["left_out"]:
        print(f"left out: {line}", file=sys.stderr)
    for source, hours in report["hours"].items():
        apart = report["held_out"].get(source, 0)
        print(f"{source}: {report['sounds'].get(source, 0)} sounds, {apart} held out, {hours:.2f} h")
    print(f"data: {folder}" + (f", {len(report['left_out'])} left out" if report["left_out"] else ""))
    return 0


def _train(args: argparse.Namespace) -> int:
    """Trains encoder, decoder, CLASP and teacher, one after the other. Run again, it goes on from its checkpoint."""
    return _run_stages(args, tuple(s for s in STAGES if not args.stage or s in args.stage))


def _distill(args: argparse.Namespace) -> int:
    """Distils the trained teacher to a student of 1 to 4 steps. Run again, it goes on from the last checkpoint."""
    return _run_stages(args, ("student",))


def _run_stages(args: argparse.Namespace, stages: tuple[str, ...]) -> int:
    import torch

    from engine.text import TextEncoder
    from models.sentences import Words
    from models.stages import run
    from models.work import Recipe, Work

    torch.set_num_threads(args.threads)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    work = Work(args.work, Recipe.tiny() if args.tiny else Recipe())
    words = Words(args.words)
    if not words.path("text").exists():
        raise AeoliaError(f"{words.path('text')}: no text encoder there; --words names a folder with text.onnx")
    if not (work.data / "index.jsonl").exists():
        raise AeoliaError(f"{work.data}: no training sounds; run `aeolia data --work {args.work}` first")
    encoder = TextEncoder(words)
    for name in stages:
        run(work, name, encoder)
        print(f"{name}: {work.path(name)}")
    return 0
