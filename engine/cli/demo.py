"""`aeolia demo`: 30 seconds in which words, emotions and panning move, heard and as a file with its spectrogram."""

import argparse
import os
import sys
import threading
from pathlib import Path

import soundfile
from tqdm import tqdm

from engine.audio import NULL, find_device
from engine.bundle import Bundle, load_bundle
from engine.cli import score, sounds, spectrogram
from engine.cli.main import Subparsers
from engine.cli.options import add_bundle, sound_file
from engine.cli.ports import sound_devices
from engine.cli.progress import followed
from engine.control import Values
from engine.errors import AeoliaError
from engine.offline import performing
from engine.params import EMOTIONS
from engine.record import part_of
from engine.session import Session

AHEAD_S = 0.5
"""Events are posted so long before their time: few wait at once, none is late."""
SOUNDING_S = 30.0


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia demo`."""
    parser = subparsers.add_parser(
        "demo", description="A 30 s performance, to the speakers where there are any, and into a file with a picture."
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=sound_file,
        default=Path("aeolia-demo.flac"),
        help="replaced if there (aeolia-demo.flac)",
    )
    parser.add_argument("--device", metavar="D", help="sound device; null: only into the file, as fast as it goes")
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Performs, then draws; prints the names of the two files."""
    path = sounds.writable(args.output)
    picture = sounds.writable(path.with_suffix(".png"))
    bundle = load_bundle(args.bundle)
    silent = args.device == NULL or (args.device is None and not has_sound_card())
    if silent:
        offline(bundle, path)
    else:
        live(bundle, args.device, path)
    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    spectrogram.save(spectrogram.draw(sound, rate_hz, f"{path.name}: aeolia demo", score.words(), lanes()), picture)
    print(path)
    print(picture)
    if silent:
        program = sys.argv[0] if Path(sys.argv[0]).name == "aeolia" else "aeolia"
        print(f"next: {program} serve --device null   (README.md says how to steer it)", file=sys.stderr)
    return 0


def has_sound_card() -> bool:
    """Whether there is a default device; says on stderr why not."""
    try:
        find_device(None, sound_devices())
    except AeoliaError as error:
        print(f"aeolia: {error}; playing into the file only", file=sys.stderr)
        return False
    return True


def opening() -> Values:
    """What everything is set to before the first event: the first words already, and next to silence."""
    values = Values.defaults().set("/level", -60.0)
    for move in score.SCORE:
        if move.at_s == 0 and move.address != "/level":
            values = values.set(move.address, *move.args)
    return values


def offline(bundle: Bundle, path: Path) -> None:
    """As fast as the machine goes, into the file."""
    rate_hz = bundle.manifest.sample_rate
    samples = round(score.SECONDS * rate_hz)
    blocks = performing(bundle, opening(), score.events(rate_hz), score.SECONDS)
    comment = f"aeolia demo (bundle {bundle.manifest.name})"
    sounds.write(path, followed(blocks, samples, rate_hz, "demo"), samples, 2, rate_hz, comment)


def live(bundle: Bundle, device: str | None, path: Path) -> None:
    """To the speakers, and what is heard into the file."""
    part = part_of(path)
    session = Session(bundle, opening(), device=device)
    try:
        try:
            session.start()
            if not session.wait_sounding(SOUNDING_S):
                raise AeoliaError(f"sound: none within {SOUNDING_S:g} s; `aeolia doctor` looks for what is wrong")
            session.command("/record/start", (str(part),))
            steer(session)
            said = session.command("/record/stop", ())
        except AeoliaError as error:
            raise AeoliaError(str(error).replace(str(part), str(path))) from error
        finally:
            session.stop(0.2)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    print(f"played on {session.output_name}, recorded {said.replace(str(part), str(path))}", file=sys.stderr)


def steer(session: Session) -> None:
    """Plays the score from the present moment on; returns at its end."""
    pause = threading.Event()
    start = session.snapshot().meters.position + session.state.block
    coming = score.events(session.rate_hz, start)[::-1]
    with tqdm(total=score.SECONDS, desc="demo", unit="s", disable=None) as bar:
        while (position := session.snapshot().meters.position) < start + score.SECONDS * session.rate_hz:
            while coming and coming[-1].sample < position + AHEAD_S * session.rate_hz:
                session.post(coming.pop())
            bar.update(round(max(0.0, (position - start) / session.rate_hz), 1) - bar.n)
            pause.wait(0.05)


def lanes() -> list[spectrogram.Lane]:
    """What moves, as curves under the spectrogram."""
    emotions = [(emotion, score.curve(f"/emotion/{emotion}"), (0.0, 10.0), ("0", "10")) for emotion in EMOTIONS]
    return [
        ("morph", score.curve("/morph"), (0.0, 1.0), ("a", "b")),
        *emotions,
        (
            "pan azimuth",
            score.curve("/pan/azimuth"),
            (-90.0, 90.0),
            ("-90° left", "90° right"),
        ),
        ("pan motion", score.curve("/pan/motion/depth"), (0.0, 90.0), ("0°", "90°")),
        ("level", score.curve("/level"), (-60.0, 0.0), ("-60 dB", "0 dB")),
    ]
