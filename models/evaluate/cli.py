"""`aeolia evaluate`: measures how well a bundle's sound obeys, and writes one report.

What needs the [train] extra is imported where the command runs: its help explains itself without.
"""

import argparse
import logging
import sys
from pathlib import Path

from engine.cli.options import add_bundle, some_of
from engine.cli.sounds import writable
from engine.errors import AeoliaError

NAMES = (
    "codec",
    "adherence",
    "classes",
    "contrasts",
    "dials",
    "teacher",
    "seams",
    "drift",
    "diversity",
    "originality",
    "tonal",
    "loudness",
    "presets",
    "cost",
)
"""The measures, in the order of the report."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser("evaluate", help="measure a bundle", description=_evaluate.__doc__)
    parser.add_argument("--work", metavar="WORK", type=Path, required=True, help="work folder with the data")
    parser.add_argument("--judge", metavar="FOLDER", type=Path, help="an outside tagging net: one *.onnx, one *.csv")
    which = f"some of {', '.join(NAMES)}, with commas between (default: all)"
    parser.add_argument("--only", metavar="MEASURE,...", type=some_of(NAMES), default=NAMES, help=which)
    parser.add_argument("--quick", action="store_true", help="a small subset of each, for trying out")
    parser.add_argument("--bench", metavar="FILE", type=Path, help="costs, as `aeolia bench --json FILE` wrote them")
    parser.add_argument("--before", metavar="FOLDER", type=Path,
                        help="sounds of the presets by an earlier bundle, NAME.flac, to be shown beside")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=markdown_file, default=Path("docs/quality.md"),
                        help="the report, replaced if there (docs/quality.md)")  # fmt: skip
    add_bundle(parser)
    parser.set_defaults(run=_evaluate)


def markdown_file(text: str) -> Path:
    """A path that ends in .md."""
    path = Path(text)
    if path.suffix != ".md":
        raise argparse.ArgumentTypeError(f"{text!r}: must end in .md")
    return path


def _evaluate(args: argparse.Namespace) -> int:
    """Measures a bundle against the sounds in WORK/data and writes a report with plots and all numbers. What is
    generated is kept in WORK/evaluation: run again, it goes on from there.
    """
    import torch

    from engine.bundle import load_bundle
    from models.evaluate.context import Context
    from models.evaluate.judge import load_judge
    from models.evaluate.measures import take
    from models.evaluate.report import Header, write
    from models.evaluate.result import Finding
    from models.evaluate.source import Source
    from models.evaluate.studio import Studio, checksum

    torch.set_num_threads(1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    writable(args.output)
    data, kept = args.work / "data", args.work / "evaluation"
    if not (data / "index.jsonl").exists():
        raise AeoliaError(f"{data}: no training sounds; run `aeolia data --work {args.work}` first")
    judge = load_judge(args.judge) if args.judge else None
    bundle = load_bundle(args.bundle)
    context = Context(
        bundle,
        args.work,
        Source(data, kept / "sources"),
        Studio(bundle, kept / "sounds"),
        judge,
        args.bench,
        args.quick,
        args.before,
    )
    counts = f"{len(context.source.entries)} sounds, {len(context.source.held_out)} held out"
    findings: dict[str, Finding] = {}
    for name in args.only:
        print(f"measuring: {name}", file=sys.stderr)
        findings[name] = take(name, context)
        left = tuple(other for other in args.only if other not in findings)
        judged = f"{judge.name} ({judge.key[:16]})" if judge else None
        header = Header(bundle.manifest.name, checksum(bundle), counts, judged, args.quick, left)
        files = write(args.output, header, findings)  # after each measure: an interrupted run leaves what it has
    for file in files:
        print(file)
    return 0
