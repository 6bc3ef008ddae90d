"""The compiled callback: what it must do to the sound, whatever it is told and however it is fed."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import kernel
from engine.callback import CEILING, DELAY_FRAMES, MOST_LATER, CallbackState, Slot, default_speakers, process
from engine.errors import AeoliaError

RATE = 48_000
Sound = NDArray[np.float32]


def noise(frames: int, level: float = 0.2, seed: int = 0) -> Sound:
    return (level * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


def steady(frames: int, left: float, right: float) -> Sound:
    return np.repeat(np.array([[left], [right]], np.float32), frames, axis=1)


def by_portaudio(state: CallbackState, stereo: Sound) -> Sound:
    """The same as process, through the C function pointer that PortAudio gets."""
    call: Callable[..., int] = kernel.portaudio_callback.ctypes
    out = np.empty((stereo.shape[1], state.channels), np.float32)
    for start in range(0, stereo.shape[1], state.block):
        piece = stereo[:, start : start + state.block]
        state.write(piece)
        at = out[start : start + state.block]
        assert call(None, at.ctypes.data, piece.shape[1], None, 0, state.words.ctypes.data) == 0
    return out


def test_as_generated_when_nothing_is_turned() -> None:
    state = CallbackState()
    sound = noise(24_000)
    out = process(state, sound)
    late = out[DELAY_FRAMES:]
    np.testing.assert_allclose(late[kernel.FADE_IN :], sound.T[kernel.FADE_IN : len(late)], atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_portaudio_callback_equals_offline(channels: int) -> None:
    sound = noise(9_600, level=0.7)
    outs = []
    for play in (process, by_portaudio):
        state = CallbackState(RATE, 128, channels)
        for slot, value, due in [
            (Slot.AZIMUTH_DEG, 75.0, 2_000),
            (Slot.LEVEL_DB, 6.0, 3_100),
            (Slot.WIDTH, 1.7, 5_000),
        ]:
            state.send(slot, value, due)
        state.send(Slot.MOTION_RATE_HZ, 3.0)
        state.send(Slot.MOTION_DEPTH_DEG, 60.0)
        outs.append(play(state, sound))
    np.testing.assert_array_equal(outs[0], outs[1])


@pytest.mark.parametrize("block", [16, 100, 256, 1024, 4096])
def test_sound_does_not_depend_on_block_size(block: int) -> None:
    sound = noise(20_000, level=0.6)

    def play(block: int) -> Sound:
        state = CallbackState(RATE, block, 2, 8192)
        state.send(Slot.MOTION_RATE_HZ, 2.0)
        state.send(Slot.MOTION_DEPTH_DEG, 90.0)
        state.send(Slot.AZIMUTH_DEG, -140.0, 7_777)
        state.send(Slot.GATE, 0.0, 15_001)
        return process(state, sound)

    np.testing.assert_array_equal(play(block), play(128))


def test_same_input_gives_same_bytes() -> None:
    sound = noise(4_800, 2.0)
    assert process(CallbackState(), sound).tobytes() == process(CallbackState(), sound).tobytes()


@given(azimuth=st.floats(-180.0, 180.0), channels=st.integers(2, 12), left=st.booleans())
@settings(max_examples=60, deadline=None)
def test_pan_keeps_power(azimuth: float, channels: int, left: bool) -> None:
    state = CallbackState(RATE, 512, channels)
    state.send(Slot.AZIMUTH_DEG, azimuth)
    out = process(state, steady(512, 0.5 * left, 0.5 * (not left)))
    assert np.sum(out[-1] ** 2) == pytest.approx(0.25, rel=1e-5)


@pytest.mark.parametrize(
    ("azimuth", "gains"),
    [(0.0, (1, 0)), (60.0, (0, 1)), (90.0, (0, 1)), (-60.0, (1, 0)), (180.0, (0, 1)), (30.0, (0.5**0.5,) * 2)],
)
def test_left_side_lands_where_the_stereo_law_says(azimuth: float, gains: Sequence[float]) -> None:
    state = CallbackState()
    state.send(Slot.AZIMUTH_DEG, azimuth)
    np.testing.assert_allclose(process(state, steady(512, 0.5, 0.0))[-1], 0.5 * np.array(gains), atol=1e-6)


@pytest.mark.parametrize("speaker", range(8))
def test_ring_plays_a_source_at_a_speaker_from_that_speaker_alone(speaker: int) -> None:
    angles = default_speakers(8)
    state = CallbackState(RATE, 256, 8, speakers_deg=angles)
    state.send(Slot.AZIMUTH_DEG, angles[speaker] + 30.0)  # the left side sits 30 degrees left of the azimuth
    np.testing.assert_allclose(process(state, steady(512, 0.5, 0.0))[-1], 0.5 * np.eye(8)[speaker], atol=1e-6)


@pytest.mark.parametrize(("width", "expected"), [(0.0, (0.25, 0.25)), (1.0, (0.5, 0.0)), (2.0, (0.75, -0.25))])
def test_width_scales_the_difference_of_the_sides(width: float, expected: tuple[float, float]) -> None:
    state = CallbackState()
    state.send(Slot.WIDTH, width)
    np.testing.assert_allclose(process(state, steady(512, 0.5, 0.0))[-1], expected, atol=1e-6)


STEPS = [
    (Slot.LEVEL_DB, -60.0, 6.0),
    (Slot.LEVEL_DB, 6.0, -60.0),
    (Slot.AZIMUTH_DEG, -60.0, 60.0),
    (Slot.AZIMUTH_DEG, 170.0, -10.0),
    (Slot.WIDTH, 0.0, 2.0),
    (Slot.MOTION_DEPTH_DEG, 0.0, 180.0),
    (Slot.GATE, 1.0, 0.0),
    (Slot.GATE, 0.0, 1.0),
]


@pytest.mark.parametrize(("slot", "before", "after"), STEPS)
@pytest.mark.parametrize("channels", [2, 4])
def test_no_step_of_a_parameter_clicks(slot: Slot, before: float, after: float, channels: int) -> None:
    """On a constant input every change of the output is the parameter's: bounded are its step and its slope's."""
    state = CallbackState(RATE, 128, channels)
    state.send(Slot.MOTION_RATE_HZ, 2.0)
    state.send(slot, before)
    state.send(slot, after, 4_800)
    out = process(state, steady(9_600, 0.3, -0.1))
    jumps = np.abs(np.diff(out[2_000:], axis=0))
    assert jumps.max() < 0.3 * 0.04
    assert np.abs(np.diff(jumps, axis=0)).max() < 0.3 * 0.02  # nor does the slope jump
    assert np.abs(out[-1] - out[4_700]).max() > 0.01  # it did change


def test_gate_closes_to_exact_silence_within_its_time() -> None:
    state = CallbackState()
    state.send(Slot.GATE, 0.0, 4_800)
    out = process(state, noise(9_600))
    closed = 4_800 + 960 + kernel.TICK + DELAY_FRAMES
    assert np.abs(out[4_000:4_800]).max() > 0.1
    assert not out[closed:].any()


def test_azimuth_turns_the_short_way() -> None:
    state = CallbackState(RATE, 128, 4, speakers_deg=(0.0, 90.0, 180.0, -90.0))
    state.send(Slot.AZIMUTH_DEG, 170.0)
    state.send(Slot.AZIMUTH_DEG, -170.0, 4_800)
    out = process(state, steady(9_600, 0.3, 0.3))
    assert np.abs(out[4_000:, 0]).max() < 1e-6  # never through the front


@given(level=st.floats(0.1, 60.0), seed=st.integers(0, 99), gain_db=st.floats(-60.0, 6.0), channels=st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_limiter_never_exceeds_the_ceiling(level: float, seed: int, gain_db: float, channels: int) -> None:
    state = CallbackState(RATE, 256, channels)
    state.send(Slot.LEVEL_DB, gain_db)
    rng = np.random.default_rng(seed)
    bursts = noise(4_800, level, seed) * (rng.random(4_800) < 0.02)
    assert np.abs(process(state, bursts.astype(np.float32))).max() <= CEILING


def test_limiter_reaches_the_ceiling_smoothly_and_leaves_quiet_sound_alone() -> None:
    state = CallbackState()
    t = np.arange(48_000) / RATE
    tone = np.sin(2.0 * np.pi * 200.0 * t) * np.where((t > 0.4) & (t < 0.6), 4.0, 0.5)
    out = process(state, np.stack([tone, tone]).astype(np.float32))[DELAY_FRAMES:, 0]
    np.testing.assert_allclose(out[1_000:19_000], tone[1_000:19_000], atol=1e-6)
    assert out[20_000:28_000].max() == pytest.approx(CEILING, rel=0.02)
    np.testing.assert_allclose(out[-2_000:], tone[len(out) - 2_000 : len(out)], atol=0.01)
    steepest = 4.0 * 2.0 * math.pi * 200.0 / RATE
    assert np.abs(np.diff(out)).max() < steepest + 1.0 / kernel.LOOKAHEAD


def test_controls_apply_exactly_when_due_and_say_so() -> None:
    state = CallbackState(RATE, 128, 2)
    numbers = [state.send(Slot.LEVEL_DB, -20.0, due) for due in (1_600, 800, 805, 0)]
    process(state, noise(1_280))
    assert state.applied() == [
        (numbers[3], Slot.LEVEL_DB, -20.0, 0),
        (numbers[1], Slot.LEVEL_DB, -20.0, 800),
        (numbers[2], Slot.LEVEL_DB, -20.0, 816),  # the next multiple of 16
    ]
    process(state, noise(640))
    assert state.applied() == [(numbers[0], Slot.LEVEL_DB, -20.0, 1_600)]
    late = state.send(Slot.WIDTH, 0.5, 7)
    process(state, noise(128))
    assert state.applied() == [(late, Slot.WIDTH, 0.5, 1_920)]


def test_sound_first_changes_at_the_frame_that_was_reported() -> None:
    def play(controls: bool) -> Sound:
        state = CallbackState(RATE, 128)
        if controls:
            state.send(Slot.LEVEL_DB, -40.0, 2_400)
        out = process(state, steady(4_800, 0.5, 0.5))
        assert [entry[3] for entry in state.applied()] == [2_400] * controls
        return out

    changed = np.flatnonzero(np.any(play(True) != play(False), axis=1))
    assert changed[0] == 2_400 + DELAY_FRAMES + 1


def test_replaying_the_reported_frames_gives_the_same_bytes() -> None:
    sound = noise(9_600)
    live = CallbackState(RATE, 100)
    out = []
    for k in range(96):
        if k % 7 == 0:
            live.send(Slot.AZIMUTH_DEG, 3.0 * k - 120.0)
        out.append(process(live, sound[:, 100 * k : 100 * (k + 1)]))
    again = CallbackState(RATE, 256)
    for _, slot, value, sample in live.applied():
        again.send(slot, value, sample)
    np.testing.assert_array_equal(process(again, sound), np.concatenate(out))


def test_controls_beyond_the_bound_are_refused() -> None:
    state = CallbackState()
    for _ in range(kernel.QUEUE):
        state.send(Slot.WIDTH, 1.0)
    with pytest.raises(AeoliaError, match="at most 256"):
        state.send(Slot.WIDTH, 1.0)
    process(state, noise(256))
    state.send(Slot.WIDTH, 1.0)
    with pytest.raises(AeoliaError, match="finite"):
        state.send(Slot.LEVEL_DB, math.nan)


def test_controls_for_later_never_keep_one_for_now_waiting() -> None:
    state = CallbackState()
    for _ in range(MOST_LATER):
        state.send(Slot.WIDTH, 1.0, 10**9)
        process(state, noise(16))
    with pytest.raises(AeoliaError, match="at most 192 may wait for later"):
        state.send(Slot.WIDTH, 1.0, 10**9)
    for _ in range(3 * kernel.QUEUE):
        number = state.send(Slot.GATE, 0.0)
        process(state, noise(16))
        assert [entry[0] for entry in state.applied()] == [number]


def test_empty_ring_is_filled_faded_counted_and_left_without_a_jump() -> None:
    state = CallbackState(RATE, 128)
    t = np.arange(16_000) / RATE
    tone = np.stack([0.5 * np.sin(2.0 * np.pi * 300.0 * t)] * 2).astype(np.float32)
    out = []
    for written in (tone[:, :5_000], tone[:, 5_000:5_200], tone[:, 5_200:9_000]):
        state.write(written)
        for _ in range(1 + (written.shape[1] + (0 if written.shape[1] > 3_900 else 2_000)) // 128):
            piece = np.full((128, 2), np.nan, np.float32)
            state.render(piece)
            out.append(piece)
    sound = np.concatenate(out)[:, 0]
    assert np.isfinite(sound).all()
    steepest = 0.5 * 2.0 * math.pi * 300.0 / RATE
    assert np.abs(np.diff(sound)).max() < 1.6 * steepest
    meters = state.snapshot()
    assert meters.empty_frames == meters.position - 9_000
    assert 0 < meters.empty_reads <= math.ceil(meters.empty_frames / 128) + 3
    assert np.abs(sound[-1]) < 1e-6  # after the hold, silence


def test_waiting_for_the_first_sound_is_not_counted_as_a_gap() -> None:
    state = CallbackState(RATE, 128)
    quiet = np.full((1_280, 2), np.nan, np.float32)
    state.render(quiet)
    assert not quiet.any()
    assert state.snapshot().empty_reads == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_garbage_from_upstream_is_silence_and_counted(bad: float) -> None:
    state = CallbackState()
    sound = noise(2_048)
    sound[0, 1_000:1_003] = bad
    out = process(state, sound)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= CEILING
    assert state.snapshot().bad_frames == 3


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=80), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_ring_gives_back_what_was_written_in_any_portions(sizes: list[int], seed: int) -> None:
    state = CallbackState(RATE, 64, 2, 301)
    sound = noise(sum(sizes), 0.1, seed)
    at, out = 0, [np.empty((0, 2), np.float32)]
    for size in sizes:
        size = min(size, state.writable())
        state.write(sound[:, at : at + size])
        at += size
        while state.fill() >= 64:
            piece = np.empty((64, 2), np.float32)
            state.render(piece)
            out.append(piece)
    np.testing.assert_allclose(
        np.concatenate(out)[kernel.FADE_IN + DELAY_FRAMES :],
        sound.T[kernel.FADE_IN : max(kernel.FADE_IN, 64 * (len(out) - 1) - DELAY_FRAMES)],
        atol=1e-7,
    )


def test_writing_beyond_the_room_is_refused_and_changes_nothing() -> None:
    state = CallbackState(RATE, 64, 2, 256)
    state.write(noise(200))
    with pytest.raises(ValueError, match="room for 56"):
        state.write(noise(57))
    assert state.fill() == 200


def test_tap_holds_exactly_what_was_put_out() -> None:
    state = CallbackState(RATE, 256, 3)
    process(state, noise(2_560))
    state.tap_start()
    taken, out = [], []
    for k in range(1_100):  # more than its ring holds
        out.append(process(state, noise(256, seed=k)))
        if k % 37 == 0:
            taken.append(state.tap_read())
    state.tap_stop()
    taken.append(state.tap_read())
    process(state, noise(256))
    np.testing.assert_array_equal(np.concatenate(taken), np.concatenate(out))
    assert state.snapshot().tap_lost == 0
    assert len(state.tap_read()) == 0


def test_tap_that_nobody_reads_counts_what_it_loses() -> None:
    state = CallbackState(8_000, 256)
    state.tap_start()
    process(state, noise(50_000))
    assert state.snapshot().tap_lost == 50_000 - state.tap_frames
    assert len(state.tap_read()) == state.tap_frames


def test_meters_measure_the_output() -> None:
    state = CallbackState()
    t = np.arange(96_000) / RATE
    tone = (0.5 * np.sin(2.0 * np.pi * 441.0 * t)).astype(np.float32)
    process(state, np.stack([tone, np.zeros_like(tone)]))
    meters = state.snapshot()
    assert meters.position == 96_000
    assert meters.peak == pytest.approx((0.5, 0.0), abs=0.01)
    assert meters.rms == pytest.approx((0.5 / math.sqrt(2.0), 0.0), abs=0.005)
    assert meters.reduction_db == 0.0
    process(state, np.stack([4.0 * tone, tone]))
    assert state.snapshot().reduction_db == pytest.approx(20.0 * math.log10(2.0 / CEILING), abs=0.5)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"channels": 0}, r"1\.\.64"),
        ({"channels": 65}, r"1\.\.64"),
        ({"channels": 3, "speakers_deg": (0.0, 90.0)}, "one for each of 3"),
        ({"channels": 3, "speakers_deg": (0.0, 90.0, math.nan)}, r"-180\.\.180"),
        ({"channels": 3, "speakers_deg": (0.0, 90.0, 90.5)}, "1 degree apart"),
        ({"channels": 2, "speakers_deg": (-120.0, 120.0)}, "enclose the front"),
        ({"rate_hz": 100}, r"8000\.\.384000"),
        ({"block": 0}, r"16\.\.8192"),
        ({"ring_frames": 100}, "512 or more"),
    ],
)
def test_wrong_layouts_are_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(AeoliaError, match=says):
        CallbackState(**wrong)  # type: ignore[arg-type]
