"""How far long work has come: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from tqdm import tqdm

from engine.offline import Sound

SPARSE_S = 5.0
"""Lines come at least so far apart: short work says nothing."""


def followed(
    blocks: Iterable[Sound], samples: int, rate_hz: int, name: str, now_s: Callable[[], float] = time.monotonic
) -> Iterator[Sound]:
    """The blocks of a sound of so many samples, told on stderr as they pass: a bar on a terminal, otherwise a line
    for each tenth, at most one in SPARSE_S seconds.
    """
    done, told, told_at_s = 0, 0, now_s()
    with tqdm(total=round(samples / rate_hz, 1), desc=name, unit="s", disable=None) as bar:
        for block in blocks:
            yield block
            done += len(block)
            bar.update(round(done / rate_hz, 1) - bar.n)
            tenths = 10 * done // samples
            if bar.disable and tenths > told and now_s() - told_at_s >= SPARSE_S:
                told, told_at_s = tenths, now_s()
                percent = 100 * done // samples
                print(f"{name}: {percent} %, {done / rate_hz:.0f} of {samples / rate_hz:.0f} s", file=sys.stderr)
