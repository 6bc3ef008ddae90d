"""`aeolia export`: trained stages to a bundle, and the sentence encoder to ONNX.

What needs the [train] extra is imported where the command runs: it explains itself without.
"""

import argparse
import logging
import shutil
import warnings
from pathlib import Path

from engine.bundle import DEFAULT, SHIPPED


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser("export", help="trained nets to a bundle", description=_export.__doc__)
    parser.add_argument("--work", type=Path, default=Path("training"), help="work folder (default ./training)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the bundle's folder; one there is replaced")
    parser.add_argument("--name", default=DEFAULT, help=f"the bundle's name (default {DEFAULT})")
    parser.add_argument("--words", type=Path, default=SHIPPED / DEFAULT, help="folder of text.onnx")
    parser.add_argument("--text", action="store_true", help="export only the sentence encoder (needs its package)")
    parser.add_argument("--tiny", action="store_true", help="the nets were trained with --tiny")
    parser.set_defaults(run=_export)


def _export(args: argparse.Namespace) -> int:
    """Writes every net as ONNX, checks it against torch, and makes a bundle with a manifest and checksums."""
    from export.bundle import Options, write_bundle
    from models.work import Recipe, Work

    logging.getLogger().setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        if args.text:
            export_text(args.output)
            print(f"text encoder: {args.output}")
            return 0
        work = Work(args.work, Recipe.tiny() if args.tiny else Recipe())
        bundle = write_bundle(work, args.words, args.output, Options(args.name))
    for net, found in bundle.manifest.measured["parity"].items():
        print(f"{net}: {found}")
    print(f"bundle: {bundle.folder}")
    return 0


def export_text(folder: Path) -> None:
    """Writes text.onnx (int8) and tokenizer.json of the pretrained sentence encoder to `folder`."""
    import torch

    from export.onnx import export, quantize
    from models.sentences import pretrained

    folder.mkdir(parents=True, exist_ok=True)
    net, tokenizer = pretrained()
    ids = torch.tensor([[101, 2784, 13589, 102]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    dynamic = {name: {1: "tokens"} for name in inputs}
    export(net, inputs, ["sentence_embedding", "token_embeddings"], folder / "text.onnx", dynamic)
    quantize(folder / "text.onnx")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
