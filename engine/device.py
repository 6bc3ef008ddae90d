"""The sound device while it is played to: opened, watched, and opened again after it was lost.

A device whose callback stands still is lost. What PortAudio does with a dead device may block for minutes, so a thread
of its own does it, for which nobody waits longer than PATIENCE_S. Meanwhile the null device keeps time: journal,
recording and timed events go on, unheard.

A JACK server that ended can't be played to again by the same process: PortAudio has one JACK client for as long as the
process lives, and waits ten minutes for its dead streams to stop (`RealStop`, `WaitCondition` in
https://github.com/PortAudio/portaudio/blob/master/src/hostapi/jack/pa_jack.c). One that only stalled can.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from engine.audio import NullOutput, Output, leave_behind
from engine.callback import CallbackState
from engine.errors import AeoliaError

Open: TypeAlias = Callable[[bool], Output]
"""Opens the device; True has PortAudio look anew for what there is. AeoliaError where it can't be had."""

STALL_S: Final = 1.0
"""A callback that stands still for so long is dead."""
FIRST_BLOCK_S: Final = 5.0
"""The same before the first block: wireless loudspeakers are slow to begin."""
PATIENCE_S: Final = 1.0
"""How long PortAudio may take to let go of a device before it is left behind."""
RETRY_S: Final = 2.0

_log = logging.getLogger(__name__)


class DeviceKeeper:
    """Plays `state` on the device that `open_` opens, at once; AeoliaError where it can't be had.

    `start` and `stop`: one thread, once each; `keep`: one thread, in between; what it tells: any thread. `now_s` is
    time.monotonic.
    """

    def __init__(self, state: CallbackState, open_: Open) -> None:
        self._state, self._open = state, open_
        self._output = open_(False)
        self._ended, self._released = threading.Event(), threading.Event()
        self._bringing_back: threading.Thread | None = None
        self._lost_name = ""
        self._position, self._dead_at_s, self._stuck_at_s = 0, 0.0, 0.0
        self._told_stuck = False
        self._running = False
        self._problem: str | None = None

    @property
    def name(self) -> str:
        """Of what is played to now."""
        return self._output.name

    @property
    def latency_s(self) -> float:
        """Of what is played to now, as in Output."""
        return self._output.latency_s

    @property
    def running(self) -> bool:
        """Whether blocks are being asked for, as far as is known."""
        return self._running

    @property
    def problem(self) -> str | None:
        """Why nothing is heard, one line; None while all is well."""
        return self._problem

    def start(self, now_s: float) -> None:
        """AeoliaError where the device refuses."""
        self._output.start()
        self._dead_at_s = now_s + FIRST_BLOCK_S
        self._running = True

    def keep(self, now_s: float) -> None:
        """Has a look at the device; to be called some 20 times a second. Never blocks."""
        position = self._state.snapshot().position
        if self._bringing_back is not None:
            if self._bringing_back.is_alive():
                self._tell_if_stuck(now_s)
            else:
                self._bringing_back = None
                self._position, self._dead_at_s = position, now_s + FIRST_BLOCK_S
        elif position != self._position:
            self._position, self._dead_at_s = position, now_s + STALL_S
        elif now_s > self._dead_at_s:
            self._lose(now_s)

    def stop(self) -> None:
        """Frees the device; one that doesn't let itself be freed within PATIENCE_S is left behind."""
        self._ended.set()
        self._running = False
        bringing_back = self._bringing_back
        if bringing_back is not None:
            bringing_back.join(PATIENCE_S)
            if bringing_back.is_alive():
                leave_behind()
                if not isinstance(self._output, NullOutput):
                    return
        output = self._output
        closing = threading.Thread(target=output.stop, name="device", daemon=True)
        closing.start()
        closing.join(PATIENCE_S)
        if closing.is_alive():
            leave_behind()
            _log.warning("sound device %s: PortAudio does not let go of it, it is left behind", output.name)

    def _lose(self, now_s: float) -> None:
        lost = self._output
        self._lost_name = lost.name
        self._tell(f"sound device {lost.name} was lost: it takes no sound; time and recording go on without it")
        self._running = False
        self._released.clear()
        self._told_stuck, self._stuck_at_s = False, now_s + PATIENCE_S
        self._bringing_back = threading.Thread(target=self._bring_back, args=(lost,), name="device", daemon=True)
        self._bringing_back.start()

    def _tell_if_stuck(self, now_s: float) -> None:
        if now_s > self._stuck_at_s and not self._told_stuck and not self._released.is_set():
            self._told_stuck = True
            self._tell(
                f"sound device {self._lost_name} was lost and PortAudio does not let go of it: it may not sound again "
                "before Aeolia is started anew"
            )

    def _tell(self, problem: str) -> None:
        self._problem = problem
        _log.warning("%s", problem)

    # -- the thread that brings a lost device back; any of its calls into PortAudio may block --------------------------

    def _bring_back(self, lost: Output) -> None:
        if not lost.active:  # its callback has ended for good, so the state is free
            self._stand_in()
        lost.stop()
        self._released.set()
        if not self._running:
            self._stand_in()
        while not self._ended.is_set():
            try:
                self._change_to(self._open(True))
            except AeoliaError as error:
                self._problem = str(error)
            except Exception as error:  # noqa: BLE001  whatever PortAudio makes of it: the next try may be better
                self._problem = f"opening the sound device again: {error}"
            else:
                return
            self._ended.wait(RETRY_S)

    def _stand_in(self) -> None:
        if not self._ended.is_set():
            output = NullOutput(self._state, self._state.block)
            output.start()
            self._output, self._running = output, True

    def _change_to(self, output: Output) -> None:
        self._output.stop()
        try:
            output.start()
        except AeoliaError:
            output.stop()
            self._stand_in()
            raise
        self._output, self._problem = output, None
        _log.warning("sound device %s is open again", output.name)
        if self._ended.is_set():
            output.stop()
