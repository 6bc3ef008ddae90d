"""`aeolia`: finds the command, runs it, and turns every error into one line on stderr, and each of its notes into one
more.

A command is a module with `register(subparsers)`; it adds its parser and sets `run`, a function of the parsed
arguments that returns the exit code. Commands that need torch are found by name in the entry point group
`aeolia.commands` and loaded only when they are asked for. Exit codes: 0 fine, 1 failed, 2 wrong use.
"""

import argparse
import contextlib
import importlib
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points, version
from types import FrameType
from typing import NoReturn, Protocol

from engine.cli.words import apart, installing
from engine.errors import AeoliaError

OWN = {
    "play": "start the instrument",
    "serve": "the engine alone, steered over OSC and MIDI",
    "generate": "words to sound files, offline",
    "render": "a performance's journal to a sound file, offline and sample-exact",
    "demo": "a 30 s performance in which words, emotions and pan move",
    "params": "every parameter: address, range, unit, default, latency class",
    "devices": "sound devices and MIDI ports",
    "doctor": "what is missing on this machine, and how to get it",
    "bundles": "the models that are there, verified by checksum",
    "bench": "speed, latency and memory on this machine",
}
GROUP = "aeolia.commands"
TRAIN_PACKAGES = {"torch", "onnx", "onnxscript", "onnx_ir", "safetensors", "scipy"}


class Subparsers(Protocol):
    """Where a command adds its parser: what `ArgumentParser.add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str = ..., description: str = ...) -> argparse.ArgumentParser:
        """A parser for the command `name`."""
        ...


class Parser(argparse.ArgumentParser):
    """Wrong use is one line on stderr and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """One line, then exit code 2."""
        self.exit(2, f"aeolia: error: {one_line(message)} ({self.prog} --help tells more)\n")


def one_line(error: object) -> str:
    """The text of an error without line breaks."""
    return " ".join(str(error).split())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Never raises for what a person can cause."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    interrupted = threading.Event()
    try:
        with signals_interrupt(interrupted):
            args = parser(arguments).parse_args(apart(arguments))
            code: int = args.run(args)
            sys.stdout.flush()
            return code
    except AeoliaError as error:
        return failed(error, debug)
    except ModuleNotFoundError as error:
        return failed(missing_module(error), debug)
    except KeyboardInterrupt:
        return failed(AeoliaError("interrupted"), debug)
    except BrokenPipeError:  # the reader of our output has gone: nothing more to say, not even at exit
        sys.stdout = None
        return 1
    except OSError as error:
        return failed(AeoliaError(f"{error.filename or 'system'}: {error.strerror or error}"), debug)
    except MemoryError as error:
        return failed(AeoliaError(f"not enough memory: {str(error) or 'ask for less'}"), debug)
    except Exception as error:  # noqa: BLE001  the last resort: a bug is one line too, --debug shows where
        if interrupted.is_set():  # libraries that are interrupted while they load raise what they like
            return failed(AeoliaError("interrupted"), debug)
        return failed(AeoliaError(f"internal error, {type(error).__name__}: {error}; --debug shows where"), debug)


@contextlib.contextmanager
def signals_interrupt(interrupted: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does, so that it takes its unfinished files with it; each sets
    `interrupted`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    numbers = [number for name in ("SIGTERM", "SIGINT", "SIGHUP") if (number := getattr(signal, name, None))]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)


def failed(error: Exception, debug: bool) -> int:
    """Say it in one line, and one for each of its notes, with the traceback before it only when asked for; returns exit
    code 1.
    """
    if debug:
        traceback.print_exc()
    for said in (error, *getattr(error, "__notes__", ())):
        print(f"aeolia: error: {one_line(said)}", file=sys.stderr)
    return 1


def missing_module(error: ModuleNotFoundError) -> AeoliaError:
    """The one line for a library that is not installed, with the extra that brings it."""
    if (error.name or "").partition(".")[0] in TRAIN_PACKAGES:
        needs = "this command needs the [train] extra; in Aeolia's folder"
        return AeoliaError(f"no module {error.name}: {needs}: {installing('train')}")
    return AeoliaError(str(error))


def command_in(arguments: Sequence[str]) -> str:
    """The command: the first argument that is no option."""
    return next((argument for argument in arguments if not argument.startswith("-")), "")


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these arguments: only the module of the command that is asked for is loaded."""
    top = Parser(prog="aeolia", description="An instrument that words, feelings and space play.")
    top.add_argument("--version", action="version", version=f"aeolia {version('aeolia')}")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    wanted = command_in(arguments)
    if wanted in OWN:
        importlib.import_module(f"engine.cli.{wanted}").register(subparsers)
    else:
        models = {point.name: point for point in entry_points(group=GROUP)}
        if wanted in models:
            models[wanted].load()(subparsers)
        else:
            for name, text in OWN.items():
                subparsers.add_parser(name, help=text)
            for name in models:
                subparsers.add_parser(name, help="model pipeline: needs the [train] extra")
    for sub in set(subparsers.choices.values()):
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return top
