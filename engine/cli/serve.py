"""`aeolia serve`: the engine alone, steered over OSC and MIDI, until SIGTERM or SIGINT."""

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from engine.audio import left_behind
from engine.bundle import load_bundle
from engine.cli.main import Subparsers
from engine.cli.options import add_instrument
from engine.control import Values
from engine.errors import AeoliaError
from engine.midi import MidiInput
from engine.osc import OscServer
from engine.preset import Preset, load_preset
from engine.session import Session

SOUNDING_S = 30.0
"""Longest wait for the first sound."""
FADE_S = 0.5

Ready = Callable[[OscServer], None]


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia serve`."""
    parser = subparsers.add_parser(
        "serve", description="The engine alone. Prints a line `ready ...` when sound runs; SIGTERM and SIGINT fade out."
    )
    add_instrument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plays until told to end."""
    return serve(args, lambda server: None)


def serve(args: argparse.Namespace, ready: Ready) -> int:
    """Plays until SIGTERM or SIGINT; calls `ready` once sound runs. AeoliaError for what can't be had; then nothing is
    left behind.
    """
    logging.basicConfig(level=logging.INFO if args.debug else logging.WARNING, format="aeolia: %(message)s")
    ended = threading.Event()
    with on_signals(ended.set), contextlib.ExitStack() as closing:
        session, server = instrument(args, closing, ended)
        if not ended.is_set():
            print(ready_line(args, session, server), flush=True)
            ready(server)
            ended.wait()
    if left_behind():
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)
    return 0


def instrument(
    args: argparse.Namespace, closing: contextlib.ExitStack, ended: threading.Event
) -> tuple[Session, OscServer]:
    """A session that sounds, or that was `ended` before, and its OSC server; both end with `closing`, the sound last
    and faded out.
    """
    preset = load_preset(args.preset) if args.preset else None
    bundle = load_bundle(args.bundle or (preset.bundle if preset else None))
    defaults = {
        "/generator/steps": bundle.manifest.default_steps,
        "/generator/guidance": bundle.manifest.default_guidance,
    }
    session = Session(
        bundle,
        preset.values if preset else with_values(Values.defaults(), defaults),
        device=args.device,
        rate_hz=args.rate,
        block=args.block,
        channels=args.channels,
        journal=args.journal,
    )
    with contextlib.ExitStack() as failing:
        if args.journal:
            failing.callback(args.journal.unlink, missing_ok=True)
        failing.callback(session.stop, 0.0)
        host, port = args.osc
        server = OscServer(session, host, port, debugging(session) if args.debug else {})
        failing.callback(server.stop)
        session.count_refusals(lambda: server.refused)
        midi = open_midi(args.midi, session, preset) if args.midi else None
        if midi:
            failing.callback(midi.stop)
        session.start()
        server.start()
        if not session.wait_sounding(SOUNDING_S, ended) and not ended.is_set():
            raise AeoliaError(f"sound: none within {SOUNDING_S:g} s; `aeolia doctor` looks for what is wrong")
        failing.pop_all()
    closing.callback(session.stop, FADE_S)
    closing.callback(server.stop)
    if midi:
        closing.callback(midi.stop)
    return session, server


def with_values(values: Values, more: dict[str, float]) -> Values:
    """The values after some more were set."""
    for address, value in more.items():
        values = values.set(address, value)
    return values


def open_midi(port: str, session: Session, preset: Preset | None) -> MidiInput:
    """A MIDI input whose controllers move what the preset says."""
    routes = preset.midi if preset else ()
    if not routes:
        print(f"aeolia: --midi {port}: moves nothing without a preset that has a [[midi]] map", file=sys.stderr)
    return MidiInput(session, port, routes)


def debugging(session: Session) -> dict[str, Callable[[], str]]:
    """OSC commands that are there with --debug only."""

    def kill_generator() -> str:
        session.kill_generator()
        return "killed"

    return {"/debug/kill_generator": kill_generator}


def ready_line(args: argparse.Namespace, session: Session, server: OscServer) -> str:
    """What programs that start this one wait for; the device's name may hold spaces and stands last."""
    host, port = server.address
    facts = {
        "osc": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "rate": session.rate_hz,
        "block": args.block,
        "channels": args.channels,
        "latency_ms": f"{session.latency_s * 1000:.1f}",
        "device": session.output_name,
    }
    return "ready " + " ".join(f"{name}={value}" for name, value in facts.items())


@contextlib.contextmanager
def on_signals(act: Callable[[], None]) -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP (a closed terminal; unless it is ignored, as under nohup) do `act` and nothing else,
    for as long as the context lasts.
    """
    signals = [signal.SIGTERM, signal.SIGINT]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = [signal.signal(number, lambda *_: act()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
