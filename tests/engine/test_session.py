"""The live instrument on the null device: real threads, real nets, real time."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine import record
from engine.bundle import Bundle
from engine.control import NOW, Event, Values
from engine.errors import AeoliaError
from engine.example import Example
from engine.generator import Make, sampler_of
from engine.journal import END, GATE, SPLICE, read_journal
from engine.offline import replay
from engine.params import VOICES, Args, Latency
from engine.player import Request
from engine.protocol import timetag_at
from engine.session import Session
from engine.voice import Float

BOUND_S = 30.0


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + BOUND_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end, "the state did not come"
        pause.wait(0.002)


def at_frame(session: Session, frame: int) -> None:
    until(lambda: session.snapshot().meters.position >= frame)


def post(session: Session, address: str, *args: float | str | bool, sample: int = NOW) -> None:
    session.post(Event(sample, address, args, "test", time.monotonic_ns()))


class Listener:
    """Collects what a session puts out, on a thread of its own."""

    def __init__(self, session: Session) -> None:
        self._session, self._ended, self._heard = session, threading.Event(), [np.zeros((0, 2), np.float32)]
        session.state.tap_start()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.wait(0.05):
            self._heard.append(self._session.state.tap_read())

    def all(self) -> Float:
        """After the session's end."""
        self._ended.set()
        self._thread.join()
        return np.concatenate([*self._heard, self._session.state.tap_read()])


@pytest.fixture
def open_session(shipped_bundle: Bundle) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def open_one(**options: object) -> Session:
        # What is tested here is not how fast a shared machine is: there is more sound ahead than people play with.
        session = Session(shipped_bundle, Values.defaults(), device="null", **{"lead_frames": 4096, **options})
        opened.append(session)
        return session

    yield open_one
    for session in opened:
        session.stop(0.0)


def sounding(session: Session) -> Session:
    session.start()
    assert session.wait_sounding(BOUND_S)
    return session


def test_silence_that_is_asked_for_is_ready(open_session: Callable[..., Session]) -> None:
    session = open_session()
    for voice in VOICES:
        session.post(Event(NOW, f"/prompt/{voice}/weight", (0.0,), "test"))
    session.start()
    assert session.wait_sounding(BOUND_S)
    assert session.snapshot().meters.position > 0


def test_waiting_for_sound_can_be_given_up(open_session: Callable[..., Session]) -> None:
    session, given_up = open_session(), threading.Event()
    given_up.set()
    assert not session.wait_sounding(BOUND_S, given_up)


def test_replay_equals_live(open_session: Callable[..., Session], shipped_bundle: Bundle, tmp_path: Path) -> None:
    session = open_session(block=128, journal=tmp_path / "j.jsonl")
    listener = Listener(session)
    sounding(session)

    def play() -> None:
        moves: list[tuple[str, Args]] = [
            ("/prompt/b/text", ("light sizzling crickets",)),
            ("/morph", (0.5, 0.2)),
            ("/emotion/fear", (7.5,)),
            ("/pan/azimuth", (-45.0,)),
            ("/pan/motion/rate", (1.5,)),
            ("/pan/motion/depth", (60.0,)),
            ("/generator/guidance", (5.0,)),
            ("/freeze", (True,)),
            ("/prompt/a/text", ("sci-fi, squishy humming",)),
            ("/freeze", (False,)),
            ("/panic", ()),
            ("/level", (-6.0,)),
            ("/generator/seed", (11,)),
            ("/prompt/a/weight", (0.0,)),
            ("/pan/azimuth", (170.0,)),
            ("/emotion/fear", (0.0,)),
        ]
        for k, (address, args) in enumerate(moves):
            at_frame(session, 8_000 + 6_000 * k)
            post(session, address, *args)
            if k == 5:
                session.kill_generator()

    thread = threading.Thread(target=play)
    thread.start()
    thread.join()
    at_frame(session, 120_000)
    session.stop(0.2)
    live, meters = listener.all(), session.snapshot().meters
    assert session.snapshot().restarts == 1
    journal = read_journal(tmp_path / "j.jsonl")
    assert {SPLICE, GATE, END, "/panic", "/pan/azimuth"} <= {event.address for event in journal.events}
    assert journal.end == len(live) - meters.empty_frames
    replayed = replay(journal, shipped_bundle)
    assert np.array_equal(replayed, replay(journal, shipped_bundle))
    if meters.empty_reads:
        pytest.skip(f"the machine was too busy: {meters.empty_reads} empty reads, so there is nothing to compare")
    assert np.array_equal(live, replayed)


def test_a_file_becomes_a_prompt_and_the_replay_needs_it_no_more(
    open_session: Callable[..., Session], shipped_bundle: Bundle, tmp_path: Path
) -> None:
    asked: list[Request] = []

    def load() -> Make:
        make = sampler_of(shipped_bundle)
        return lambda request: (asked.append(request), make(request))[1]

    session = sounding(open_session(journal=tmp_path / "j.jsonl", load=load))
    file, drawn = tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 44_100)
    soundfile.write(file, drawn, 44_100)
    assert session.command("/prompt/a/audio", (str(file),)) == "noise.wav"
    assert session.values.texts()[0] == "noise.wav"
    until(lambda: any(not isinstance(request.prompt, str) for request in asked))
    at_frame(session, session.snapshot().meters.position + 10_000)
    session.stop(0.1)
    file.unlink()
    journal = read_journal(tmp_path / "j.jsonl")
    (heard,) = (event for event in journal.events if event.address == "/prompt/a/example")
    replayed = replay(journal, shipped_bundle)
    other = replace(heard, args=Example("other.wav", -Example.parse(heard.args).embedding).args)
    others = replace(journal, events=tuple(other if event is heard else event for event in journal.events))
    assert np.array_equal(replayed, replay(journal, shipped_bundle))
    after = slice(heard.sample + 8 * 1024, None)
    assert not np.array_equal(replayed[after], replay(others, shipped_bundle)[after])


def test_a_file_that_is_no_sound_changes_nothing(open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = open_session()
    before = session.values
    with pytest.raises(AeoliaError, match="must be a sound file"):
        session.command("/prompt/b/audio", (str(tmp_path / "none.wav"),))
    assert session.values == before


def test_sound_has_no_gap_but_of_empty_reads_and_ends_in_a_fade(open_session: Callable[..., Session]) -> None:
    session = open_session()
    listener = Listener(session)
    sounding(session)
    at_frame(session, 96_000)
    session.stop(0.1)
    loud = np.abs(listener.all()).max(axis=1)
    begin = np.flatnonzero(loud)[0]
    windows = loud[begin + 2_000 : 90_000][: (90_000 - begin - 2_000) // 480 * 480].reshape(-1, 480)
    silent = 480 * np.count_nonzero(windows.max(axis=1) == 0)
    assert silent <= session.snapshot().meters.empty_frames  # none at all, where the machine is not too busy
    assert loud[-100:].max() < 1e-6


def test_every_class_is_measured_from_its_stamp(open_session: Callable[..., Session]) -> None:
    session = sounding(open_session(lead_frames=1024, block=128))
    until(lambda: session._clock.settled)
    posted = 0
    while posted < 5 or min(onset.count for onset in session.snapshot().onsets.values()) < 5:
        assert (
            posted < 50
        )  # a busy machine may miss some: its clock jumps, or new words come before the last ones sound
        for address, value in (("/pan/azimuth", posted), ("/emotion/fear", posted % 10), ("/prompt/a/text", posted)):
            post(session, address, f"words {value}" if address.endswith("text") else value)
        posted += 1
        frame = session.snapshot().meters.position
        at_frame(session, frame + 12_000)
    onsets = session.snapshot().onsets
    assert set(onsets) == set(Latency)
    assert all(onset.count <= posted for onset in onsets.values())
    assert 0 < onsets[Latency.BLOCK].p50_ms < onsets[Latency.HOP].p50_ms < onsets[Latency.MODEL].p50_ms < 10_000


def test_onsets_count_once_the_clock_has_settled_and_never_below_zero(open_session: Callable[..., Session]) -> None:
    session = open_session()
    for k in range(48_000 // 1024):
        session._clock.update(k * 1024, 10**12 + round(k * 1024e9 / 48_000))
        before = session._clock.settled
        session._heard(Latency.HOP, 10**12, k * 1024)
        assert (Latency.HOP in session.snapshot().onsets) == before
    count = session.snapshot().onsets[Latency.HOP].count
    session._heard(Latency.HOP, 2 * 10**12, 0)
    assert session.snapshot().onsets[Latency.HOP].count == count


def test_values_are_what_was_posted_and_the_last_weights_win(open_session: Callable[..., Session]) -> None:
    session = sounding(open_session())
    post(session, "/morph", 0.0, 1.0)
    post(session, "/prompt/c/weight", 0.25)
    post(session, "/level", -12.0)
    assert session.values.weights().tolist() == [0.0, 0.0, 0.25, 0.0]
    assert session.values.number("/level") == -12.0


@pytest.mark.parametrize(
    ("address", "args"),
    [("/emotion/fear", (11.0,)), ("/level", (float("nan"),)), ("/no/such", ()), ("/record/start", ("x",))],
)
def test_what_is_wrong_is_refused_counted_and_changes_nothing(
    open_session: Callable[..., Session], address: str, args: Args
) -> None:
    session = open_session()
    before = dict(session.values)
    with pytest.raises(AeoliaError, match=address):
        session.post(Event(NOW, address, args, "test"))
    assert dict(session.values) == before
    session.count_refusals(lambda: 5)
    assert session.readings()["/control/refused"] == (6,)


def test_timed_events_take_effect_at_their_sample(open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = sounding(open_session(journal=tmp_path / "j.jsonl"))
    due = session.snapshot().meters.position + 20_000
    for address, args in (("/pan/azimuth", (90.0,)), ("/morph", (1.0, 0.0)), ("/panic", ()), ("/level", (-1.0,))):
        post(session, address, *args, sample=due)
    assert session.values.number("/pan/azimuth") == 0.0
    at_frame(session, due + 20_000)
    assert session.values.number("/pan/azimuth") == 90.0
    assert session.values.number("/level") == -1.0
    assert session.values.weights()[1] == 1.0
    session.stop(0.0)
    empty = session.snapshot().meters.empty_frames
    found = {event.address: event.sample for event in read_journal(tmp_path / "j.jsonl").events}
    assert abs(found["/pan/azimuth"] - due) <= 16 + empty
    assert abs(found["/morph"] - due) <= 512 + empty


def test_a_timetag_is_a_frame_on_the_sample_clock(open_session: Callable[..., Session]) -> None:
    session = open_session()
    with pytest.raises(AeoliaError, match="has not begun"):
        session.sample_at(timetag_at(time.time_ns()))
    sounding(session)
    at_frame(session, 10_000)
    found = session.sample_at(timetag_at(time.time_ns() + 10**9)) - session.snapshot().meters.position
    assert 40_000 < found < 56_000


def test_a_generator_that_hangs_is_replaced_while_sound_goes_on(
    open_session: Callable[..., Session], shipped_bundle: Bundle
) -> None:
    hanging, release = threading.Event(), threading.Event()

    def load() -> Make:
        make = sampler_of(shipped_bundle)

        def sometimes(request: Request) -> Float:
            if request.prompt == "hang" and not hanging.is_set():
                hanging.set()
                release.wait()
            return make(request)

        return sometimes

    session = open_session(load=load)
    listener = Listener(session)
    sounding(session)
    post(session, "/prompt/a/text", "hang")
    assert hanging.wait(BOUND_S)
    hung_at = session.snapshot().meters.position
    until(lambda: session.snapshot().restarts == 1)
    until(lambda: session.snapshot().onsets.get(Latency.MODEL) is not None)  # the new words were heard
    back_at = session.snapshot().meters.position
    release.set()
    session.stop(0.0)
    assert session.snapshot().late >= 1
    sound = listener.all()[hung_at:back_at]
    assert np.abs(sound[: len(sound) // 4800 * 4800]).reshape(-1, 4800 * 2).max(axis=1).min() > 1e-4


def test_a_fault_in_a_hop_does_not_end_the_sound(open_session: Callable[..., Session]) -> None:
    session = sounding(open_session())

    def fails() -> Float:
        raise RuntimeError("a fault")

    session._stream.hop = fails  # type: ignore[method-assign]
    until(lambda: session.snapshot().faults == 1)
    frame = session.snapshot().meters.position
    at_frame(session, frame + 48_000)
    until(lambda: max(session.snapshot().meters.rms) > 1e-3)
    assert session.snapshot().faults == 1


def test_a_stall_is_counted_and_then_more_is_kept_ready(open_session: Callable[..., Session]) -> None:
    session = sounding(open_session(lead_frames=1024))
    lead_ms = max(session.readings()["/meter/lead"][0] for _ in range(100))
    hop, stalled = session._stream.hop, threading.Event()

    def stalls() -> Float:
        if not stalled.is_set():
            until(lambda: session.snapshot().meters.empty_reads > 0)
            stalled.set()
        return hop()

    session._stream.hop = stalls  # type: ignore[method-assign]
    assert stalled.wait(BOUND_S)
    until(lambda: session.readings()["/meter/lead"][0] > lead_ms)


def test_a_device_that_goes_away_is_opened_again(
    open_session: Callable[..., Session], caplog: pytest.LogCaptureFixture
) -> None:
    session = sounding(open_session())
    session._device._output.stop()
    until(lambda: "sound device null is open again" in caplog.text)
    assert "sound device null was lost" in caplog.text
    until(lambda: session.snapshot().problems == ())
    frame = session.snapshot().meters.position
    at_frame(session, frame + 24_000)
    until(lambda: max(session.snapshot().meters.rms) > 1e-3)


def test_recording_is_what_was_heard(open_session: Callable[..., Session], tmp_path: Path) -> None:
    import soundfile

    session = sounding(open_session())
    said = session.command("/record/start", (str(tmp_path / "take.wav"),))
    assert "take.wav" in said
    frame = session.snapshot().meters.position
    at_frame(session, frame + 24_000)
    assert "take.wav" in session.command("/record/stop", ())
    sound, rate_hz = soundfile.read(tmp_path / "take.wav")
    assert rate_hz == 48_000
    assert len(sound) >= 20_000
    assert np.abs(sound).max() > 1e-3
    with pytest.raises(AeoliaError, match="nothing is being recorded"):
        session.command("/record/stop", ())


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file may grow beyond half a second or so."""
    monkeypatch.setitem(record.MOST_BYTES, ".wav", 500_000)


@pytest.mark.usefixtures("small_disk")
def test_a_recording_that_ends_by_itself_is_told_until_the_next_one_starts(
    open_session: Callable[..., Session], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = sounding(open_session())
    session.command("/record/start", (str(tmp_path / "one.wav"),))
    until(lambda: session.snapshot().problems != ())
    (problem,) = session.snapshot().problems
    assert "one.wav ended early" in problem
    assert caplog.text.count(problem) == 1
    session.command("/record/start", (str(tmp_path / "two.wav"),))
    assert session.snapshot().problems == ()


@pytest.mark.usefixtures("small_disk")
def test_a_recording_that_ended_by_itself_is_told_at_the_end_too(
    open_session: Callable[..., Session], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = sounding(open_session())
    with session._recording:  # the keeper can't fetch it
        session._recorder.start(tmp_path / "one.wav")
        until(lambda: not session._recorder.recording)
        session._stopping.set()
    session._end_threads()
    session._stopping.clear()
    session.stop(0.0)
    assert caplog.text.count("one.wav ended early") == 1


@pytest.mark.parametrize("failing", ["_fade_out", "_read_back", "_finish_recording"])
def test_what_fails_at_the_end_is_logged_and_the_rest_is_done(
    open_session: Callable[..., Session],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    session = sounding(open_session(journal=tmp_path / "j.jsonl"))

    def fail(*_: object) -> None:
        session._end_threads()
        raise AeoliaError("a disk that failed")

    monkeypatch.setattr(session, failing, fail)
    session.stop(0.1)
    assert caplog.text.count("a disk that failed") == 1
    assert END in {event.address for event in read_journal(tmp_path / "j.jsonl").events}
    assert not session._device.running


def test_a_rate_the_bundle_does_not_have_is_refused(open_session: Callable[..., Session]) -> None:
    with pytest.raises(AeoliaError, match="44100 Hz"):
        open_session(rate_hz=44_100)


def test_an_unknown_device_is_refused_and_leaves_no_journal(shipped_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match="no-such-card"):
        Session(shipped_bundle, Values.defaults(), device="no-such-card", journal=tmp_path / "j.jsonl")
    assert not (tmp_path / "j.jsonl").exists()


def test_a_journal_that_is_there_is_refused_and_kept(open_session: Callable[..., Session], tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text("precious")
    with pytest.raises(AeoliaError, match="choose a new name"):
        open_session(journal=tmp_path / "j.jsonl")
    assert (tmp_path / "j.jsonl").read_text() == "precious"
