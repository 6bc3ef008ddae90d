"""`aeolia bench`: speed, latency and memory on this machine, as a table with the targets beside them.

Speed is timed on the nets alone. The rest is measured from outside: `aeolia serve` runs as a process of its own on a
private JACK server, is steered over OSC, and what it plays is captured and searched for the changes (`engine.cli.rig`
says how without JACK).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.bundle import load_bundle, providers
from engine.cli import sounds
from engine.cli.main import Subparsers
from engine.cli.onset import Ramp, pan_onset, sound_onset
from engine.cli.options import add_bundle, whole
from engine.cli.rig import RATE_HZ, Rig, rig
from engine.cli.tables import aligned
from engine.decoder import HopDecoder
from engine.params import Args
from engine.record import part_of
from engine.sampler import sample
from engine.text import TextEncoder

DARK, BRIGHT = "deep, spatial and gloomy rumble", "light sizzling crickets"
LATENCY_BLOCK, SOAK_BLOCK = 128, 256
CLEAR: Final = 2.0
"""A change less clear than this, see `engine.cli.onset.Ramp`, can't be timed and is left out and counted."""

Moves = Sequence[tuple[str, Args]]
Find = Callable[[NDArray[np.float32], int], Ramp]
"""Finds the change in (N, 2) that was sent at a frame."""


@dataclass(frozen=True)
class Result:
    """One line of the table. `now` and `goal` are the targets: at the latest now, and where it must get."""

    what: str
    unit: str
    median: float
    p99: float | None = None
    count: int = 1
    now: str = ""
    goal: str = ""


def register(subparsers: Subparsers) -> None:
    """Adds `aeolia bench`."""
    parser = subparsers.add_parser("bench", description="Speed, latency and memory on this machine.")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the results there")
    parser.add_argument("--trials", type=whole(2, 1000), default=40, metavar="N", help="changes of each class (40)")
    parser.add_argument(
        "--soak", type=whole(1, 86_400), default=60, metavar="S", help="seconds beside a busy core (60)"
    )
    add_bundle(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures everything, prints the table, writes the file."""
    if args.json:
        sounds.writable(args.json)
    tell("speed, about a minute")
    results = list(speed(args.bundle))
    tell("latencies, about three minutes")
    with rig(args.bundle, LATENCY_BLOCK) as found:
        results += latencies(found, args.trials)
    tell(f"{args.soak} s beside a busy core")
    with rig(args.bundle, SOAK_BLOCK) as found:
        results += soak(found, args.soak)
    print(machine())
    header = ("what", "unit", "median", "p99", "count", "at the latest now", "where it must get")
    print(aligned(header, [cells(result) for result in results]))
    if args.json:
        report = {"machine": machine(), "bundle": args.bundle or "default", "results": [asdict(r) for r in results]}
        part = part_of(args.json)
        part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        os.replace(part, args.json)
    return 0


def tell(what: str) -> None:
    """What is measured now, where no progress bars are shown."""
    if not sys.stderr.isatty():
        print(f"aeolia: measuring {what}", file=sys.stderr)


def cells(result: Result) -> tuple[str, ...]:
    """A result as a row."""
    p99 = "" if result.p99 is None else f"{result.p99:.3g}"
    return (result.what, result.unit, f"{result.median:.3g}", p99, str(result.count), result.now, result.goal)


def summed(what: str, unit: str, values: Sequence[float], now: str = "", goal: str = "") -> Result:
    """Median and 99th percentile of some measurements."""
    if not values:
        return Result(what, unit, float("nan"), None, 0, now, goal)
    return Result(
        what, unit, float(np.median(values)), float(np.percentile(values, 99)), len(values), now=now, goal=goal
    )


def machine() -> str:
    """The machine in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    libraries = f"Python {platform.python_version()}, {providers()[0]}"
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {libraries}"


def speed(bundle_name: str | None, repeats: int = 40) -> Iterator[Result]:
    """Seconds of work per second of sound: generating chunks at the default steps, decoding hop by hop.

    All of it is work of this thread, so the thread's processor time is taken: what else runs doesn't count.
    """
    bundle = load_bundle(bundle_name)
    m = bundle.manifest
    student, words, decoder = bundle.session("student"), TextEncoder(bundle), HopDecoder(bundle, 0)
    text, emotion = words.encode(DARK), np.full(4, 3.0, np.float32)
    hop_s = m.hop_samples / m.sample_rate
    chunk_s = (m.chunk_frames - m.context_frames - m.overlap_frames) * hop_s
    generating, decoding, both = [], [], []
    context = None
    for seed in tqdm(range(repeats + 2), "speed", disable=None):
        start = time.thread_time()
        latents = sample(
            student,
            m,
            text=text,
            emotion=emotion,
            context=context,
            seed=seed,
            steps=m.default_steps,
            guidance=m.default_guidance,
        )
        generated = time.thread_time()
        for k in range(m.context_frames, m.chunk_frames):
            decoder.decode(latents[:, k : k + 1])
        decoded = time.thread_time()
        context = latents[:, -m.context_frames :]
        if seed >= 2:  # the first ones also compile and allocate
            generating.append((generated - start) / chunk_s)
            decoding.append((decoded - generated) / ((m.chunk_frames - m.context_frames) * hop_s))
            both.append(generating[-1] + decoding[-1])
    yield summed("generation", "s per s of sound", generating)
    yield summed("decoding, hop by hop", "s per s of sound", decoding)
    yield summed("generation + decoding", "s per s of sound", both, "0.10", "0.03")


def latencies(rig: Rig, trials: int) -> Iterator[Result]:
    """Start-up, memory, and the time from a message to its change in captured sound, for each latency class."""
    drawn = np.random.default_rng(0)
    steering, ear = rig.steering, rig.ear
    yield Result("`aeolia serve` to first sound", "s", rig.start_s, now="4", goal="2")
    steering.send("/prompt/a/text", DARK)
    steering.send("/prompt/b/text", BRIGHT)
    steering.send("/pan/width", 0.0)
    ear.hear(3.0)

    def measure(
        name: str, find: Find, moves: Sequence[tuple[str, Args]], before_s: float, after_s: float
    ) -> list[float]:
        found = []
        for k in tqdm(range(trials), f"latency, {name}", disable=None):
            ear.hear(before_s / 2 + drawn.uniform(0, 0.02))
            ear.take()
            ear.hear(before_s)
            address, args = moves[k % len(moves)]
            sent_ns = steering.send(address, *args)
            ear.hear(after_s)
            heard = ear.take()
            sent = heard.frame_at(sent_ns)
            ramp = find(heard.sound, sent)
            if ramp.clearness >= CLEAR:
                found.append((ramp.start - sent) / RATE_HZ * 1000)
        return found

    steering.send("/pan/azimuth", -60.0)
    block = measure("block", pan_onset, [("/pan/azimuth", (60.0,)), ("/pan/azimuth", (-60.0,))], 0.1, 0.25)
    steering.send("/pan/azimuth", 0.0)
    yield summed(f"pan to captured sound, block {LATENCY_BLOCK}", "ms", block, "p99 10", "p99 2 blocks, 5.3")
    timbre = partial(sound_onset, rate_hz=RATE_HZ)
    hop = measure("hop", timbre, [("/morph", (1.0, 0.0)), ("/morph", (0.0, 0.0))], 0.6, 1.0)
    yield summed("morph to captured sound", "ms", hop, "p99 120", "p99 60")
    texts: Moves = [("/prompt/a/text", (BRIGHT,)), ("/prompt/a/text", (DARK,))]
    model = measure("model", timbre, texts, 0.6, 1.4)
    yield summed("new words to captured sound", "ms", model, "p99 250", "p99 120")
    yield Result("memory of the engine process", "MB", rig.memory_mb(), now="600", goal="350")


def soak(rig: Rig, seconds: int) -> Iterator[Result]:
    """Blocks that lacked sound while another process keeps a core busy and somebody keeps steering."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    drawn = np.random.default_rng(1)
    steering = rig.steering
    try:
        for _ in tqdm(range(seconds), "beside a busy core", disable=None):
            steering.send("/morph", float(drawn.uniform()), float(drawn.uniform()))
            steering.send("/emotion/fear", float(drawn.uniform(0, 10)))
            rig.ear.hear(1.0)
        rig.ear.take()
        (empty,), (late,), (load,) = (
            steering.ask(address) for address in ("/meter/empty", "/generator/late", "/generator/load")
        )
    finally:
        busy.kill()
        busy.wait()
    what = f"in {seconds} s at block {SOAK_BLOCK}, another core busy"
    yield Result(f"empty callback reads {what}", "blocks", float(empty), now="0 in 60 s", goal="0 in an hour")
    yield Result(f"late generator {what}", "times", float(late))
    yield Result(f"load {what}", "s per s of sound", float(load))
