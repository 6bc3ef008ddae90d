"""The instrument while it is played: the threads around the stream, and the messages between them.

Who owns what: the render thread owns the stream, keeps the audio ring filled and talks to the generator; the generator
thread samples; the keeper thread reads back what the callback applied, for the journal and the latencies, looks after
the sound device (`engine.device`) and fetches a recording that ended by itself. Posting threads reach the callback
through its control ring and the render thread through two queues. All that decides how it sounds is in `engine.stream`,
which knows of no threads.
"""

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from engine.audio import open_output
from engine.bundle import Bundle, providers
from engine.callback import SMOOTHING_MS, CallbackState, Slot
from engine.clock import SampleClock, monotonic_of
from engine.control import NOW, Event, EventQueue, Values, check
from engine.device import DeviceKeeper
from engine.errors import AeoliaError
from engine.example import EXAMPLES
from engine.generator import Generator, Make, sampler_of
from engine.journal import END, FORMAT, GATE, SPLICE, Header, JournalWriter, checksums
from engine.lead import DEFAULT_LEAD_FRAMES, Lead
from engine.listening import Listener
from engine.offline import SLOTS, hop_before, set_all
from engine.params import BY_ADDRESS, VOICES, Args, Latency
from engine.priority import RENDER_NICE, prefer_this_thread
from engine.record import Recorder, RecordResult
from engine.stats import Load, Onsets, Snapshot
from engine.stream import RESUME, RESUMING, Stream, nets_of
from engine.voice import Float

SWITCH_INTERVAL_S: Final = 0.0002
"""How soon Python threads take turns. With the usual 5 ms, one busy thread starves the render thread for whole blocks;
the cost is about a percent of throughput."""

_KEEP_S: Final = 0.05
_LOOK_S: Final = 0.005
_FADE_STEP_S: Final = 0.01
_MOST_FADE_STEPS: Final = 100
_MOST_SENT: Final = 1024
_ENGINE: Final = "engine"
_AUDIO: Final = {f"/prompt/{voice}/audio": f"/prompt/{voice}/example" for voice in VOICES}

_log = logging.getLogger(__name__)


class Session:
    """The instrument on a sound device. `post`, `values`, `command`, `sample_at`, `readings`, `snapshot`,
    `kill_generator`: any thread; `start` and `stop`: one thread, once each.

    `device` as in `engine.audio.open_output`; `journal` is where the performance is written to, a new file; `seed`
    makes all noise but that of the sampler, which is the parameter `/generator/seed`; `lead_frames` of sound are kept
    ready ahead of the device, more where that turns out not to be enough. `load` makes the generator's
    function on the generator's thread. AeoliaError for a device, a rate or a journal that can't be had.
    """

    def __init__(
        self,
        bundle: Bundle,
        values: Values,
        *,
        device: str | int | None = None,
        rate_hz: int | None = None,
        block: int = 256,
        channels: int = 2,
        seed: int = 0,
        lead_frames: int = DEFAULT_LEAD_FRAMES,
        journal: str | Path | None = None,
        load: Callable[[], Make] | None = None,
    ) -> None:
        manifest = bundle.manifest
        self.rate_hz = manifest.sample_rate
        if rate_hz not in (None, self.rate_hz):
            raise AeoliaError(f"sample rate {rate_hz} Hz: bundle {manifest.name} plays at {self.rate_hz} Hz")
        self._bundle, self._values, self._seed = bundle, values, seed
        self._block = block
        self._hop, self._lead = manifest.hop_samples, Lead(self.rate_hz, block, lead_frames)
        ring_frames = self._lead.most + 2 * self._hop + 2 * block
        self.state = CallbackState(self.rate_hz, block, channels, ring_frames=ring_frames)
        self._device = DeviceKeeper(
            self.state,
            lambda refresh: open_output(device, self.rate_hz, block, channels, self.state, refresh=refresh),
        )
        header = Header(
            format=FORMAT,
            versions={"aeolia": version("aeolia"), "onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
            bundle=manifest.name,
            checksums=checksums(bundle),
            seed=seed,
            rate_hz=self.rate_hz,
            block=block,
            channels=channels,
            provider=providers()[0],
            values=values,
        )
        self._journal: JournalWriter | None = None
        self._recorder = Recorder(self.state, self.rate_hz)
        self._listening = threading.Lock()  # guards _listener
        self._listener = Listener(bundle) if {"encoder", "sound"} <= bundle.manifest.files.keys() else None
        self._recording = threading.Lock()  # guards _recorder and _record_problem
        self._record_problem: str | None = None
        self._clock = SampleClock(self.rate_hz)
        self._onsets, self._work = Onsets(), Load()
        self._events, self._timed_controls = EventQueue(), EventQueue()
        self._posting = threading.Lock()  # guards _values, _sent and _refused, and puts all posts in one order
        self._sent: dict[int, Event] = {}
        self._refused = 0
        self._refusals: list[Callable[[], int]] = []
        self._words: dict[int, tuple[int, int]] = {}
        self._faults = 0
        self._stopping, self._sounding = threading.Event(), threading.Event()
        self._inaudible = 0  # empty reads before there was any sound: nothing was missing in them
        self._stream = Stream(nets_of(bundle, seed), values, seed)
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("render", self._render), ("keeper", self._keep))
        ]
        self._generator = Generator(load or (lambda: sampler_of(bundle)), time.monotonic_ns)
        try:
            self._journal = JournalWriter.create(journal, header) if journal is not None else None
        except AeoliaError:
            self._generator.stop()
            self._device.stop()
            raise

    # -- one thread, once ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Sound runs when this returns, at first silent; see `wait_sounding`. AeoliaError where the device refuses.
        Either way it is to be stopped.
        """
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        gc.freeze()  # a full collection would go through all that is imported, tens of milliseconds with the GIL held
        set_all(self.state, self._values)
        while self.state.fill() < self._lead.frames:
            self._make_hop()
        self._device.start(time.monotonic())
        for thread in self._threads:
            thread.start()

    def wait_sounding(self, timeout_s: float, given_up: threading.Event | None = None) -> bool:
        """Waits until there is sound that isn't silence, unless that is what is asked for, and the device has begun to
        take it; False where it takes longer, and when `given_up` is set.
        """
        give_up_s, given_up = time.monotonic() + timeout_s, given_up or self._stopping
        while not (self._sounding.is_set() and self.state.snapshot().position):
            if given_up.wait(_LOOK_S) or time.monotonic() > give_up_s:
                return False
        return True

    def stop(self, fade_s: float = 0.5) -> None:
        """Fades out, ends all threads, closes the device, finishes recording and journal; each of these whatever became
        of those before it. What failed is logged. Again: does nothing.
        """
        if self._stopping.is_set():
            return
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._fade_out(fade_s),
            self._end_threads,
            self._device.stop,
            self._read_back,
            self._generator.stop,
            self._finish_recording,
            self._finish_journal,
        )
        for step in steps:
            try:
                step()
            except Exception as error:  # noqa: BLE001  see above
                _log.error("%s", error if isinstance(error, AeoliaError) else f"ending the session: {error!r}")

    def _fade_out(self, fade_s: float) -> None:
        """Returns when it is silent, or the device is too slow for that."""
        end = self._send_fade(fade_s)
        patience_ns = time.monotonic_ns() + int((fade_s + 1.0) * 1e9)
        while self._device.running and self.state.snapshot().position < end and time.monotonic_ns() < patience_ns:
            self._stopping.wait(0.005)

    def _end_threads(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _finish_recording(self) -> None:
        with self._recording:
            result = self._recorder.stop() if self._recorder.recording else self._recorder.collect()
        if result is not None:
            _log.log(logging.WARNING if result.problem else logging.INFO, "%s", _told(result))

    def _finish_journal(self) -> None:
        if self._journal is not None:
            meters = self.state.snapshot()
            self._note(Event(meters.position - meters.empty_frames, END, (), _ENGINE))
            self._journal.close()

    def _send_fade(self, fade_s: float) -> int:
        """Sends the level down to nothing and closes the gate; returns the frame at which it is silent."""
        start = self.state.snapshot().position + self._block
        steps = min(round(fade_s / _FADE_STEP_S), _MOST_FADE_STEPS)
        level_db = self.values.number("/level")
        fade = round(fade_s * self.rate_hz)
        with self._posting:
            for k in range(1, steps + 1):
                db = level_db + (BY_ADDRESS["/level"].minimum[0] - level_db) * k / steps
                self._send(Event(start + fade * k // steps, "/level", (db,), _ENGINE))
            self._send(Event(start + fade, GATE, (0,), _ENGINE))
        return start + fade + round(2 * SMOOTHING_MS[Slot.GATE] * self.rate_hz / 1000) + self._block

    # -- any thread ----------------------------------------------------------------------------------------------------

    @property
    def values(self) -> Values:
        """What everything is set to now."""
        return self._values

    @property
    def output_name(self) -> str:
        return self._device.name

    @property
    def latency_s(self) -> float:
        """From the callback to the loudspeaker, as the device says."""
        return self._device.latency_s

    def post(self, event: Event) -> None:
        """Takes a parameter's event or `/panic`: block class goes to the callback at once, the rest to the next hop;
        what has a time waits for it. Raises AeoliaError for a wrong one, and where too many wait; nothing changes then.
        """
        try:
            checked = replace(event, args=check(event.address, event.args))
            if event.address not in BY_ADDRESS and event.address != "/panic":
                raise AeoliaError(f"{event.address}: is a command that can't be posted as an event")
            with self._posting:
                self._post(checked)
        except AeoliaError:
            with self._posting:
                self._refused += 1
            raise

    def _post(self, event: Event) -> None:
        steers = event.address in SLOTS or event.address == "/panic"
        if steers and event.sample >= 0:
            self._timed_controls.post(event)
        elif steers:
            self._send(event)
        if event.address not in SLOTS or event.address in RESUMING:
            self._events.post(event)
        if event.sample < 0 and (event.address in BY_ADDRESS or event.address in EXAMPLES):
            self._values = self._values.with_(event)

    def command(self, address: str, args: Args) -> str:
        """`/record/start`, `/record/stop` or `/prompt/{voice}/audio`; returns when it is done, with what is to be said
        of it. AeoliaError where it can't.
        """
        args = check(address, args)
        if address in _AUDIO:
            return self._listen(_AUDIO[address], os.path.expanduser(str(args[0])))
        with self._recording:
            if address == "/record/start":
                path = self._recorder.start(str(args[0]))
                self._record_problem = None
                return str(path)
            if address == "/record/stop":
                return _told(self._recorder.stop())
        raise AeoliaError(f"command {address}: must be one of /record/start, /record/stop, {', '.join(_AUDIO)}")

    def _listen(self, address: str, path: str) -> str:
        """Posts what is heard in a file as an example."""
        with self._listening:
            if self._listener is None:
                raise AeoliaError(f"bundle {self._bundle.manifest.name}: can't listen, so a sound can't be its prompt")
            example = self._listener.listen(path)
        with self._posting:
            self._post(Event(NOW, address, example.args, _ENGINE))
        return example.name

    def sample_at(self, timetag: int) -> int:
        """The frame to be changed so that it is heard at an NTP timetag; AeoliaError while no device runs."""
        if not self._clock.running:
            raise AeoliaError("timetag: the sound device has not begun, so there is no time yet")
        heard_ns = monotonic_of(timetag, time.time_ns(), time.monotonic_ns())
        return self._clock.position(heard_ns - int(self._device.latency_s * 1e9))

    def readings(self) -> Mapping[str, Args]:
        """What is measured now, by the addresses of `engine.params.READINGS`."""
        return self.snapshot().readings()

    def snapshot(self) -> Snapshot:
        """The engine at this moment."""
        meters = self.state.snapshot()
        journal = self._journal.problem if self._journal is not None else None
        problems = self._device.problem, self._record_problem, journal
        return Snapshot(
            meters=meters,
            gaps=meters.empty_reads - self._inaudible if self._sounding.is_set() else 0,
            onsets=self._onsets.summary(),
            load=self._work.value,
            late=self._stream.late,
            restarts=self._generator.restarts,
            faults=self._faults,
            refused=self._refused + sum(count() for count in self._refusals),
            rate_hz=self.rate_hz,
            ahead_frames=self._stream.ahead_frames(),
            problems=tuple(problem for problem in problems if problem),
        )

    def count_refusals(self, refused: Callable[[], int]) -> None:
        """Adds what somebody else refused (a server, before it was posted) to the count in the readings."""
        self._refusals.append(refused)

    def kill_generator(self) -> None:
        """Ends the generator's thread as a fault would; it comes back. For tests of just that."""
        self._generator.kill()

    # -- control ring; under _posting ----------------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        slot, value = (Slot.GATE, 0.0) if event.address == "/panic" else (SLOTS[event.address], float(event.args[0]))
        number = self.state.send(slot, value, max(event.sample, 0))
        self._sent[number] = event
        if len(self._sent) > _MOST_SENT:
            del self._sent[min(self._sent)]

    # -- render thread -------------------------------------------------------------------------------------------------

    def _render(self) -> None:
        prefer_this_thread(RENDER_NICE)
        hop_s = self._hop / self.rate_hz
        while not self._stopping.is_set():
            ahead = self.state.fill() - self._lead.frames
            if ahead > 0:
                self._stopping.wait(max(ahead / self.rate_hz, 0.0005) if self._device.running else _KEEP_S)
                continue
            try:
                self._make_hop()
            except Exception:  # noqa: BLE001  whatever it was: the callback holds and fades, and the next hop is tried
                self._faults += 1
                _log.exception("making a hop of sound")
                self._stopping.wait(hop_s)
                self._recover()

    def _make_hop(self) -> None:
        worked_ns, busy_ns = time.thread_time_ns(), self._generator.busy_ns
        meters = self.state.snapshot()
        if meters.position:
            self._clock.update(meters.position, meters.time_ns)
        position = self._stream.position
        put_out_at = position + meters.empty_frames
        with self._posting:
            for event in self._timed_controls.due(put_out_at + self._hop):
                self._values = self._values if event.address == "/panic" else self._values.with_(event)
                self._send(event)
        spoken = [
            event
            for event in self._events.due(hop_before(put_out_at, self._hop))
            if self._apply(event, position, put_out_at)
        ]
        for number, latents in self._generator.results():
            self._splice(number, latents, position, put_out_at)
        requests = self._stream.requests()
        self._generator.want(requests)
        self._generator.tend()
        self._words |= {
            request.voice: (request.id, event.stamp_ns)
            for event in spoken
            for request in requests
            if event.address == f"/prompt/{VOICES[request.voice]}/text"
        }
        sound = self._stream.hop()
        if self._sounding.is_set():
            self._lead.observe(meters.position, meters.empty_reads, self.state.fill())
        self.state.write(sound)
        if not self._sounding.is_set() and (sound.any() or self._stream.hushed):
            self._inaudible = self.state.snapshot().empty_reads
            self._lead.begin(meters.position, self._inaudible)
            self._sounding.set()
        work_ns = time.thread_time_ns() - worked_ns + self._generator.busy_ns - busy_ns
        self._work.add(max(work_ns, 0) / 1e9, self._hop / self.rate_hz)

    def _apply(self, event: Event, position: int, put_out_at: int) -> bool:
        """Applies an event to the stream at its present position; whether it is one of new words."""
        if event.address in SLOTS:  # the callback has it; the stream only sounds again after a panic
            if not self._stream.silent:
                return False
            event = Event(position, RESUME, (), event.source)
        was_silent = self._stream.silent
        self._stream.apply(event)
        self._note(replace(event, sample=position))
        with self._posting:
            if event.sample >= 0 and event.address in BY_ADDRESS:
                self._values = self._values.with_(event)
            if self._stream.silent != was_silent:
                self._send(Event(put_out_at, GATE, (int(was_silent),), _ENGINE))
        words = event.address.endswith("/text")
        param = BY_ADDRESS.get(event.address)
        if event.stamp_ns and event.sample < 0 and param is not None and param.latency is Latency.HOP:
            self._heard(Latency.HOP, event.stamp_ns, put_out_at)
        return bool(words and event.stamp_ns and event.sample < 0)

    def _splice(self, number: int, latents: Float, position: int, put_out_at: int) -> None:
        voice = self._stream.voice_of(number)
        if voice is None:
            return
        self._note(Event(position, SPLICE, (voice, number), _ENGINE))
        if self._stream.splice(number, latents):
            asked, stamp_ns = self._words.get(voice, (0, 0))
            if number == asked:
                self._heard(Latency.MODEL, stamp_ns, put_out_at)
                del self._words[voice]

    def _recover(self) -> None:
        """A stream of its own nets in place of one that failed; what it asked for before is asked for anew."""
        try:
            nets = nets_of(self._bundle, self._seed)
            self._stream = Stream(nets, self.values, self._seed, *self._stream.counts)
        except Exception:  # noqa: BLE001  tried again at the next fault
            _log.exception("recovering the stream")

    def _heard(self, latency: Latency, stamp_ns: int, put_out_at: int) -> None:
        """Measures, where the clock knows the time well enough; sound before its cause shows that it doesn't."""
        if self._clock.settled:
            heard_ns = self._clock.time_ns(put_out_at) + self._device.latency_s * 1e9
            if heard_ns >= stamp_ns:
                self._onsets.add(latency, (heard_ns - stamp_ns) / 1e6)

    def _note(self, event: Event) -> None:
        if self._journal is not None:
            self._journal.add(event)

    # -- keeper thread -------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stopping.wait(_KEEP_S):
            for look_after in (self._keep_device, self._read_back, self._collect):
                try:
                    look_after()
                except Exception:  # noqa: BLE001  the keeper must outlive whatever it keeps
                    _log.exception("keeping the session")

    def _keep_device(self) -> None:
        self._device.keep(time.monotonic())

    def _collect(self) -> None:
        """Tells what became of a recording that ended by itself; the problem stands until the next one starts."""
        if not self._recording.acquire(blocking=False):  # a command is at it
            return
        try:
            result = self._recorder.collect()
            told = None if result is None else result.problem or _told(result)
        except AeoliaError as error:
            told = str(error)
        finally:
            self._recording.release()
        if told is not None:
            self._record_problem = told
            _log.warning("%s", told)

    def _read_back(self) -> None:
        """Takes what the callback applied, at which frame exactly, to the journal and the latencies."""
        empty = self.state.snapshot().empty_frames
        for number, _, value, frame in self.state.applied():
            with self._posting:
                event = self._sent.pop(number, None)
            if event is None:
                continue
            if event.stamp_ns and event.sample < 0:
                self._heard(Latency.BLOCK, event.stamp_ns, frame)
            known = event if event.address != "/panic" else Event(0, GATE, (int(value),), event.source)
            self._note(replace(known, sample=max(frame - empty, 0)))


def _told(result: RecordResult) -> str:
    lost = f", {result.lost_frames} frames lost" if result.lost_frames else ""
    problem = f", {result.problem}" if result.problem else ""
    return f"{result.path} {result.seconds:.2f} s{lost}{problem}"
