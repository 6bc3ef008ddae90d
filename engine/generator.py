"""The generator's thread: takes the most urgent request, samples, hands the latents back; and who watches over it.

The render thread says what is wanted (`want`), fetches what is done (`results`) and, at each hop, has a look whether
the worker lives (`tend`). A worker that died or hangs is left behind, whatever it still makes is ignored, and a new one
takes its place.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from engine.bundle import Bundle
from engine.player import Request
from engine.priority import GENERATOR_NICE, prefer_this_thread
from engine.sampler import sample
from engine.text import TextEncoder
from engine.voice import Float

Make: TypeAlias = Callable[[Request], Float]
"""Request to latents (C, T), a pure function."""

STUCK_S: Final = 2.0
"""A request that takes longer than this is taken for a hang."""
LOADING_STUCK_S: Final = 20.0
"""The same for loading the nets."""
MOST_BACKOFF_S: Final = 60.0
"""Longest wait between two restarts, when one does not help."""

_MOST_RESULTS: Final = 16

_log = logging.getLogger(__name__)


def sampler_of(bundle: Bundle) -> Make:
    """The text encoder and the student of a bundle as one function. One thread at a time."""
    words, student, manifest = TextEncoder(bundle), bundle.session("student"), bundle.manifest

    def make(request: Request) -> Float:
        return sample(
            student,
            manifest,
            text=words.condition(request.prompt),
            emotion=request.emotion,
            context=request.context,
            seed=request.seed,
            steps=request.steps,
            guidance=request.guidance,
        )

    return make


class _KilledError(Exception):
    """Ends a worker as a fault would."""


class _Worker(threading.Thread):
    """One life of the generator. Shared with the render thread, and guarded by `changed`: all attributes."""

    def __init__(
        self, make: Make | None, load: Callable[[], Make], wanted: list[Request], now_ns: Callable[[], int]
    ) -> None:
        super().__init__(name="generator", daemon=True)
        self.changed = threading.Condition()
        self.wanted = wanted
        self.done: deque[tuple[int, Float]] = deque(maxlen=_MOST_RESULTS)
        self.last_done = 0
        self.since_ns = now_ns()  # when the work at hand began; 0 while there is none
        self.busy_ns = 0
        self.make = make
        self.ending = self.killed = False
        self._finished: set[int] = set()
        self._load, self._now_ns = load, now_ns

    def run(self) -> None:
        prefer_this_thread(GENERATOR_NICE)
        try:
            make = self.make or self._load()
            with self.changed:
                self.make = make
            while request := self._take():
                before_ns = time.thread_time_ns()
                latents = make(request)
                with self.changed:
                    self.busy_ns += time.thread_time_ns() - before_ns
                    self.since_ns = 0
                    self.last_done = request.id
                    self._finished.add(request.id)
                    self.done.append((request.id, latents))
        except _KilledError:
            pass
        except Exception:  # noqa: BLE001  whatever it was: the thread ends, `tend` sees it and starts another
            _log.exception("generator")

    def _take(self) -> Request | None:
        """Waits for the most urgent request that isn't done; None at the end."""
        with self.changed:
            self.since_ns = 0
            while True:
                if self.killed:
                    raise _KilledError
                if self.ending:
                    return None
                self._finished &= {request.id for request in self.wanted}
                for request in self.wanted:
                    if request.id not in self._finished:
                        self.since_ns = self._now_ns()
                        return request
                self.changed.wait()


class Generator:
    """`load` gives the function that workers sample with; it is called at once, and again, on the new worker's thread,
    only after one hung in it: loading stalls other threads for longer than there is sound ahead. `now_ns` is a
    monotonic clock. All methods from one thread, but for `kill`, from any. Raises what `load` raises.
    """

    def __init__(self, load: Callable[[], Make], now_ns: Callable[[], int]) -> None:
        self._load, self._now_ns = load, now_ns
        self._wanted: list[Request] = []
        self._ids: tuple[int, ...] = ()
        self.restarts = 0
        self._busy_before_ns = 0
        self._backoff_s = 0.0
        self._not_before_ns = 0
        self._progress = 0
        self._worker = self._new_worker(load())

    def want(self, requests: list[Request]) -> None:
        """What is to be made, the most urgent first; takes the place of what was wanted before."""
        ids = tuple(request.id for request in requests)
        if ids == self._ids:
            return
        self._ids, self._wanted = ids, requests
        with self._worker.changed:
            self._worker.wanted = requests
            self._worker.changed.notify()

    def results(self) -> list[tuple[int, Float]]:
        """What was made since the last call: number of the request, latents."""
        worker = self._worker
        with worker.changed:
            done = list(worker.done)
            worker.done.clear()
        return done

    def tend(self) -> None:
        """Starts another worker where this one is dead or stuck; less often, each time it does not help."""
        worker, now_ns = self._worker, self._now_ns()
        with worker.changed:
            since_ns, make, progress = worker.since_ns, worker.make, worker.last_done
        if progress != self._progress:
            self._progress, self._backoff_s = progress, 0.0
        limit_s = STUCK_S if make is not None else LOADING_STUCK_S
        stuck = since_ns > 0 and now_ns - since_ns > limit_s * 1e9
        if (worker.is_alive() and not stuck) or now_ns < self._not_before_ns:
            return
        _log.warning("the generator %s; starting another", "is stuck" if worker.is_alive() else "ended")
        self._busy_before_ns += worker.busy_ns
        with worker.changed:  # should it ever wake up
            worker.ending = True
            worker.changed.notify()
        self._backoff_s = min(max(1.0, 2 * self._backoff_s), MOST_BACKOFF_S)
        self._not_before_ns = now_ns + int(self._backoff_s * 1e9)
        self._progress = 0
        self.restarts += 1
        self._worker = self._new_worker(None if stuck else make)

    @property
    def alive(self) -> bool:
        return self._worker.is_alive()

    @property
    def busy_ns(self) -> int:
        """Processor time spent making latents, in all."""
        return self._busy_before_ns + self._worker.busy_ns

    def kill(self) -> None:
        """Ends the worker's thread as a fault would, for tests of what happens then. Any thread."""
        worker = self._worker
        with worker.changed:
            worker.killed = True
            worker.changed.notify()

    def stop(self) -> None:
        """Ends the worker; waits for what it is at, as long as that is not stuck."""
        with self._worker.changed:
            self._worker.ending = True
            self._worker.changed.notify()
        self._worker.join(STUCK_S)

    def _new_worker(self, make: Make | None) -> _Worker:
        worker = _Worker(make, self._load, self._wanted, self._now_ns)
        worker.start()
        return worker
