"""`aeolia doctor`: what is missing on this machine, and the one line that gets it."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from engine.bundle import load_bundle, providers
from engine.cli.main import Subparsers
from engine.cli.ports import midi_inputs, sound_devices
from engine.cli.words import installing
from engine.errors import AeoliaError
from engine.preset import list_presets, load_preset

MAC = sys.platform == "darwin"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found; where something is missing, how to get it. `vital`: nothing plays without."""

    what: str
    found: str
    remedy: str = ""
    vital: bool = False


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia doctor`."""
    parser = subparsers.add_parser("doctor", description="What is missing on this machine, and how to get it.")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the findings; 1 when something is missing without which nothing plays."""
    findings = list(examine())
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        print(f"{'missing' if finding.remedy else 'ok':8} {finding.what:{width}}  {finding.found}")
        if finding.remedy:
            print(f"{'':8} {'':{width}}  to get it: {finding.remedy}")
    broken = [finding.what for finding in findings if finding.remedy and finding.vital]
    if broken:
        raise AeoliaError(f"{', '.join(broken)}: needed to play; how to get it stands above")
    return 0


def examine() -> Iterator[Finding]:
    """Everything that playing, steering or training needs, vital things first."""
    yield Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield tried("model bundle", describe_bundle, "reinstall: pip install --force-reinstall aeolia", vital=True)
    yield tried("presets", describe_presets, "reinstall: pip install --force-reinstall aeolia", vital=True)
    yield Finding("inference", f"onnxruntime {version('onnxruntime')}, {', '.join(providers())}")
    yield sound()
    yield tried("MIDI inputs", lambda: ", ".join(midi_inputs()) or "none connected", midi_remedy())
    yield from programs()
    yield from extras()


def tried(what: str, look: Callable[[], str], remedy: str, *, vital: bool = False) -> Finding:
    """The finding of a look that raises AeoliaError where something is missing."""
    try:
        return Finding(what, look(), vital=vital)
    except AeoliaError as error:
        return Finding(what, str(error), remedy, vital)


def describe_bundle() -> str:
    """The default bundle, once all its checksums are verified."""
    bundle = load_bundle()
    return f"{bundle.manifest.name}, verified"


def describe_presets() -> str:
    """The shipped presets, once all of them are read."""
    names = list_presets()
    for name in names:
        load_preset(name)
    return f"{len(names)}: {', '.join(names)}"


def sound() -> Finding:
    """PortAudio and what it finds. Nothing is vital here: files and the null device need no sound card."""
    remedy = "brew install portaudio" if MAC else "sudo apt install libportaudio2"
    try:
        devices = sound_devices()
    except AeoliaError as error:
        return Finding("sound card", str(error), remedy)
    default = next((device for device in devices if device.default), None)
    if default is None:
        return Finding("sound card", "none", "connect one, or start JACK; meanwhile --device null and -o FILE work")
    return Finding("sound card", f"{default} and {len(devices) - 1} more")


def midi_remedy() -> str:
    """How MIDI ports are had here."""
    if find_spec("rtmidi") is None:
        return installing("midi")
    return "none without ALSA's sequencer; through JACK: MIDO_BACKEND=mido.backends.rtmidi/UNIX_JACK"


def programs() -> Iterator[Finding]:
    """Programs that are good company, none of them needed."""
    for name, use, package in (
        ("jackd", "JACK sound server", "jackd2"),
        ("oscsend", "OSC from a terminal", "liblo-tools"),
    ):
        path = shutil.which(name)
        getting = f"brew install {'jack' if name == 'jackd' else 'liblo'}" if MAC else f"sudo apt install {package}"
        yield Finding(f"{use} (optional)", path or f"no {name}", "" if path else getting)


def extras() -> Iterator[Finding]:
    """The optional parts of the installation."""
    try:
        yield Finding("training (optional)", f"torch {version('torch')}")
    except PackageNotFoundError:
        yield Finding("training (optional)", "no torch", installing("train"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("processor", f"{cores} {'core' if cores == 1 else 'cores'}; the engine uses about one")
