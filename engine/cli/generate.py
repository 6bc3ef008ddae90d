"""`aeolia generate`: words to sound files, offline."""

import argparse
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from engine.bundle import Bundle, load_bundle
from engine.cli import sounds
from engine.cli.main import Subparsers
from engine.cli.options import MAX_SECONDS, add_bundle, emotion, sound_file, value_of, whole, within
from engine.cli.progress import followed
from engine.control import Values
from engine.errors import AeoliaError
from engine.listening import Listener
from engine.offline import Sound, performing
from engine.params import BY_ADDRESS

LEAD_IN_S = 0.2
"""What a loop leaves out at the start: sound that is still fading in."""
FADE_OUT_S = 0.02


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia generate`."""
    about = "Words, or a sound to be like, to sound files, offline. Same options, same bytes."
    parser = subparsers.add_parser("generate", description=about)
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument(
        "words", metavar="WORDS", nargs="?", type=value_of("/prompt/a/text"), help="what it is to sound like"
    )
    prompt.add_argument("--like", metavar="SOUND", type=Path, help="a sound file to be like, instead of words")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=sound_file, required=True, help=".flac or .wav, replaced if there"
    )
    parser.add_argument("--seconds", metavar="S", type=within(0.1, MAX_SECONDS, "s"), default=10.0, help="length (10)")
    parser.add_argument(
        "--emotion", metavar="NAME=0..10", type=emotion, action="append", default=[], help="such as fear=8"
    )
    parser.add_argument(
        "--pan", metavar="DEG", type=value_of("/pan/azimuth"), default=0.0, help="0 front, positive right"
    )
    parser.add_argument("--seed", metavar="N", type=value_of("/generator/seed"), default=0, help="which of many (0)")
    parser.add_argument("--steps", metavar="K", type=value_of("/generator/steps"), help="sampler steps, 1..8")
    parser.add_argument(
        "--count", metavar="N", type=whole(1, 1000), default=1, help="so many files, of seeds N, N+1, ..."
    )
    parser.add_argument("--loop", action="store_true", help="let the end lead into the beginning without a seam")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Makes the files and prints their names."""
    last, most = args.seed + args.count - 1, BY_ADDRESS["/generator/seed"].maximum[0]
    if last > most:
        raise AeoliaError(f"--seed {args.seed} --count {args.count}: the last seed, {last}, must be in range 0..{most}")
    paths = [sounds.writable(path) for path in names(args.output, args.count)]
    bundle = load_bundle(args.bundle)
    start = prompted(bundle, args)
    for k, path in enumerate(paths):
        seed = args.seed + k
        values = start.set("/generator/seed", seed).set("/generator/steps", args.steps or bundle.manifest.default_steps)
        values = values.set("/generator/guidance", bundle.manifest.default_guidance).set("/pan/azimuth", args.pan)
        for address, value in args.emotion:
            values = values.set(address, value)
        rate_hz = bundle.manifest.sample_rate
        samples = round(args.seconds * rate_hz)
        blocks = (loop if args.loop else piece)(bundle, values, args.seconds)
        comment = described(args, seed, bundle.manifest.name)
        sounds.write(path, followed(blocks, samples, rate_hz, path.name), samples, 2, rate_hz, comment)
        print(path)
    return 0


def prompted(bundle: Bundle, args: argparse.Namespace) -> Values:
    """The defaults with the prompt."""
    if args.like is None:
        return Values.defaults().set("/prompt/a/text", args.words)
    return Values.defaults().like(0, Listener(bundle).listen(args.like))


def names(output: Path, count: int) -> list[Path]:
    """One file keeps its name; several are numbered from 1."""
    if count == 1:
        return [output]
    digits = len(str(count))
    return [output.with_stem(f"{output.stem}-{k:0{digits}}") for k in range(1, count + 1)]


def piece(bundle: Bundle, values: Values, seconds: float) -> Iterator[Sound]:
    """(N, 2) in blocks, from silence to a short fade."""
    rate_hz = bundle.manifest.sample_rate
    return faded(performed(bundle, values, seconds), round(seconds * rate_hz), round(FADE_OUT_S * rate_hz))


def faded(blocks: Iterable[Sound], samples: int, fade: int) -> Iterator[Sound]:
    """`samples` frames in blocks, the last `fade` of them down to nothing."""
    fade = min(samples, fade)
    gains = np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    ahead = samples - fade
    for block in blocks:
        fading = between(block, ahead, ahead + fade)
        at = max(-ahead, 0)
        yield np.concatenate([between(block, 0, ahead), fading * gains[at : at + len(fading)]])
        ahead -= len(block)


def between(block: Sound, start: int, stop: int) -> Sound:
    """What of a block lies in start..stop, counted from its beginning; either may lie before it or after it."""
    return block[max(start, 0) : max(stop, 0)]


def loop(bundle: Bundle, values: Values, seconds: float) -> Iterator[Sound]:
    """(N, 2) in blocks, whose last frame goes on in its first. N is exact to the sample."""
    rate_hz = bundle.manifest.sample_rate
    fade_s = min(1.0, seconds / 2)
    lead, fade, samples = round(LEAD_IN_S * rate_hz), round(fade_s * rate_hz), round(seconds * rate_hz)
    return looped(performed(bundle, values, LEAD_IN_S + seconds + fade_s + 1 / rate_hz), lead, fade, samples)


def looped(blocks: Iterable[Sound], lead: int, fade: int, samples: int) -> Iterator[Sound]:
    """A loop of `samples` frames out of lead + samples + fade or more.

    It begins `fade` after the lead. Its end is what comes `samples` after the lead, crossfaded with equal power into
    what stands before its beginning: these two alone wait in memory.
    """
    into, out_of = [], []
    for block in blocks:
        into.append(between(block, lead, lead + fade))
        if len(middle := between(block, lead + fade, lead + samples)):
            yield middle
        out_of.append(between(block, lead + samples, lead + samples + fade))
        lead -= len(block)
    angle = np.linspace(0, np.pi / 2, fade, endpoint=False, dtype=np.float32)[:, None]
    yield np.clip(np.concatenate(into) * np.sin(angle) + np.concatenate(out_of) * np.cos(angle), -1, 1)


def performed(bundle: Bundle, values: Values, seconds: float) -> Iterator[Sound]:
    """(N, 2) of these values in blocks."""
    return performing(bundle, values, (), seconds, seed=int(values.number("/generator/seed")))


def described(args: argparse.Namespace, seed: int, bundle: str) -> str:
    """The command that makes this file again, and the model it was made with; goes into the file."""
    prompt = [args.words] if args.like is None else ["--like", str(args.like)]
    words = ["aeolia", "generate", *prompt, "--seconds", f"{args.seconds:g}", "--seed", str(seed)]
    for address, value in args.emotion:
        words += ["--emotion", f"{address.rpartition('/')[2]}={value:g}"]
    words += ["--pan", f"{args.pan:g}"] if args.pan else []
    words += ["--steps", str(args.steps)] if args.steps else []
    words += ["--loop"] if args.loop else []
    return f"{shlex.join(words)} (bundle {bundle})"
