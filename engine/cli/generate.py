"""`aeolia generate`: words to sound files, offline."""

import argparse
import shlex
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.bundle import Bundle, load_bundle
from engine.cli import sounds
from engine.cli.main import Subparsers
from engine.cli.options import MAX_SECONDS, add_bundle, emotion, sound_file, value_of, whole, within
from engine.control import Values
from engine.errors import AeoliaError
from engine.offline import perform
from engine.params import BY_ADDRESS

Sound = NDArray[np.float32]

LEAD_IN_S = 0.2
"""What a loop leaves out at the start: sound that is still fading in."""
FADE_OUT_S = 0.02


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia generate`."""
    parser = subparsers.add_parser("generate", description="Words to sound files, offline. Same options, same bytes.")
    parser.add_argument("words", metavar="WORDS", type=value_of("/prompt/a/text"), help="what it is to sound like")
    parser.add_argument("-o", "--output", metavar="FILE", type=sound_file, required=True, help=".flac or .wav")
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
    for k, path in enumerate(paths):
        seed = args.seed + k
        values = Values.defaults().set("/prompt/a/text", args.words).set("/generator/seed", seed)
        values = values.set("/generator/steps", args.steps or bundle.manifest.default_steps)
        values = values.set("/generator/guidance", bundle.manifest.default_guidance).set("/pan/azimuth", args.pan)
        for address, value in args.emotion:
            values = values.set(address, value)
        sound = (loop if args.loop else piece)(bundle, values, args.seconds, path.name)
        sounds.write(path, sound, bundle.manifest.sample_rate, described(args, seed, bundle.manifest.name))
        print(path)
    return 0


def names(output: Path, count: int) -> list[Path]:
    """One file keeps its name; several are numbered from 1."""
    if count == 1:
        return [output]
    digits = len(str(count))
    return [output.with_stem(f"{output.stem}-{k:0{digits}}") for k in range(1, count + 1)]


def piece(bundle: Bundle, values: Values, seconds: float, name: str) -> Sound:
    """(N, 2) from silence to a short fade."""
    sound = performed(bundle, values, seconds, name)
    fade = min(len(sound), round(FADE_OUT_S * bundle.manifest.sample_rate))
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return sound


def loop(bundle: Bundle, values: Values, seconds: float, name: str) -> Sound:
    """(N, 2) whose last frame goes on in its first: what would follow the end is crossfaded, with equal power, into the
    beginning. N is exact to the sample.
    """
    rate_hz = bundle.manifest.sample_rate
    fade_s = min(1.0, seconds / 2)
    lead, fade, frames = round(LEAD_IN_S * rate_hz), round(fade_s * rate_hz), round(seconds * rate_hz)
    sound = performed(bundle, values, LEAD_IN_S + seconds + fade_s + 1 / rate_hz, name)[lead:]
    angle = np.linspace(0, np.pi / 2, fade, endpoint=False, dtype=np.float32)[:, None]
    beginning = sound[:fade] * np.sin(angle) + sound[frames : frames + fade] * np.cos(angle)
    return np.asarray(np.clip(np.concatenate([beginning, sound[fade:frames]]), -1, 1), np.float32)


def performed(bundle: Bundle, values: Values, seconds: float, name: str) -> Sound:
    """(N, 2) of these values, with a progress bar on a terminal."""
    with tqdm(total=round(seconds, 1), desc=name, unit="s", disable=None) as bar:

        def progress(done: int, _: int) -> None:
            bar.update(round(done / bundle.manifest.sample_rate, 1) - bar.n)

        return perform(bundle, values, (), seconds, seed=int(values.number("/generator/seed")), progress=progress)


def described(args: argparse.Namespace, seed: int, bundle: str) -> str:
    """The command that makes this file again, and the model it was made with; goes into the file."""
    words = ["aeolia", "generate", args.words, "--seconds", f"{args.seconds:g}", "--seed", str(seed)]
    for address, value in args.emotion:
        words += ["--emotion", f"{address.rpartition('/')[2]}={value:g}"]
    words += ["--pan", f"{args.pan:g}"] if args.pan else []
    words += ["--steps", str(args.steps)] if args.steps else []
    words += ["--loop"] if args.loop else []
    return f"{shlex.join(words)} (bundle {bundle})"
