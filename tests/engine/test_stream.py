"""The stream as a pure state machine, on nets whose sound tells which words made it."""

import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control import NOW, Event, Values
from engine.example import Example
from engine.generator import Make
from engine.offline import perform_blocks
from engine.player import HOLD, NEW_SOUND_FADE, Request
from engine.stream import Nets, Stream
from engine.voice import Float

Fresh = Callable[[], Nets]
CHUNK = 64


def event(address: str, *args: float | str | bool, sample: int = NOW) -> Event:
    return Event(sample, address, args, "test")


def values(**texts: str) -> Values:
    found = Values.defaults()
    for voice, text in texts.items():
        found = found.set(f"/prompt/{voice}/text", text)
    return found


class Played:
    """A stream with a generator that answers at once, while `working`; keeps the latents that were decoded."""

    def __init__(self, nets: Nets, start: Values, make: Make) -> None:
        self.working = True
        self.decoded: list[Float] = []
        self.made: list[Request] = []
        self._make = make
        decode = nets.decoder.decode

        def listen(latents: Float) -> Float:
            self.decoded.append(latents[:, 0])
            return decode(latents)

        nets.decoder.decode = listen  # type: ignore[method-assign]
        self.stream = Stream(nets, start, seed=0)

    def hops(self, count: int, *events: Event) -> Float:
        for each in events:
            self.stream.apply(each)
        return np.concatenate([self._hop() for _ in range(count)], axis=1)

    def _hop(self) -> Float:
        for request in self.stream.requests() if self.working else []:
            self.made.append(request)
            self.stream.splice(request.id, self._make(request))
        return self.stream.hop()


@pytest.fixture
def played(fresh_nets: Fresh, make: Make) -> Callable[..., Played]:
    return lambda **texts: Played(fresh_nets(), values(**texts), make)


def rms(sound: Float) -> Float:
    """Of each hop."""
    return np.sqrt((sound[0].reshape(-1, 1024) ** 2).mean(axis=1))


def likeness(latents: Iterable[Float], vector: Float) -> Float:
    z = np.stack(list(latents))
    return z @ vector / np.linalg.norm(z, axis=1) / np.linalg.norm(vector)


def test_sound_starts_and_never_stops(played: Callable[..., Played]) -> None:
    level = rms(played().hops(300))
    assert level[2:].min() > 0.25 * level.max()


def test_the_first_voice_sounds_like_its_words(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="rain on a tin roof")
    play.hops(100)
    assert likeness(play.decoded, sounds_like("rain on a tin roof")).min() > 0.9


def test_continued_chunks_are_given_the_tail_of_the_last(played: Callable[..., Played]) -> None:
    play = played()
    play.hops(200)
    voice_a = [request for request in play.made if request.voice == 0]
    assert voice_a[0].context is None
    assert len(voice_a) > 4
    assert all(request.context is not None and 1 <= request.context.shape[1] <= 16 for request in voice_a[1:])


def test_a_new_prompt_is_heard_within_a_few_hops(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="old words")
    play.hops(50)
    play.hops(NEW_SOUND_FADE + 1, event("/prompt/a/text", "new words"))
    like = likeness(play.decoded[50:], sounds_like("new words"))
    assert like[0] > likeness(play.decoded[:50], sounds_like("new words")).max() + 0.05  # at once
    assert like[-1] > 0.9


def test_an_example_is_heard_within_a_few_hops_and_words_end_it(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play, vector = played(a="old words"), sounds_like("a sound")
    play.hops(50)
    play.hops(NEW_SOUND_FADE + 1, event("/prompt/a/example", *Example("a", vector / np.linalg.norm(vector)).args))
    assert likeness(play.decoded[50:], vector)[-1] > 0.9
    play.hops(NEW_SOUND_FADE + 1, event("/prompt/a/text", "old words"))
    assert likeness(play.decoded[-1:], sounds_like("old words"))[-1] > 0.9


def test_words_that_come_faster_than_sound_are_still_heard(
    played: Callable[..., Played], make: Make, sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="old words")
    play.hops(50)
    play.working = False
    made: list[Request] = []
    for k in range(30):  # each chunk is done two hops after it was asked for, when it is no longer the newest
        play.stream.apply(event("/prompt/a/text", "new words"))
        made.extend(request for request in play.stream.requests() if request.voice == 0)
        if k >= 2:
            assert play.stream.splice(made[-3].id, make(made[-3]))
        play.stream.hop()
    assert likeness(play.decoded[-1:], sounds_like("new words")).min() > 0.9


def test_weights_at_zero_fade_to_silence_and_back(played: Callable[..., Played]) -> None:
    play = played()
    play.hops(20)
    gone = play.hops(20, event("/prompt/a/weight", 0.0))
    assert np.abs(gone[:, 3 * 1024 :]).max() == 0.0
    assert np.abs(np.diff(gone[0])).max() < 0.05
    asked = len(play.made)
    back = play.hops(20, event("/prompt/a/weight", 1.0))
    assert rms(back)[2:].min() > 0.01
    assert all(request.voice == 0 for request in play.made[asked:])


def test_the_middle_of_the_morph_is_as_loud_as_its_corners(played: Callable[..., Played]) -> None:
    play = played()
    corners = [
        float(rms(play.hops(40, event("/morph", x, y)))[10:].mean()) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))
    ]
    middle = float(rms(play.hops(40, event("/morph", 0.5, 0.5)))[10:].mean())
    assert 0.5 * min(corners) < middle < 2 * max(corners)


def test_jumps_of_morph_and_weight_give_no_click(played: Callable[..., Played]) -> None:
    play = played()
    steady = play.hops(60, event("/morph", 0.5, 0.5))[0, 20 * 1024 :]
    jumped = [play.hops(4, event("/morph", x, y))[0] for x, y in ((0, 0), (1, 1), (0, 1), (1, 0), (0, 0)) * 3]
    jumped += [play.hops(4, event("/prompt/a/weight", w))[0] for w in (0.0, 1.0, 0.3, 1.0)]
    sound = np.concatenate(jumped)
    slope = np.abs(np.diff(sound)).max() / np.abs(sound).max()
    assert slope < 2 * np.abs(np.diff(steady)).max() / np.abs(steady).max()


def test_an_emotion_is_heard_in_the_next_hop_and_what_lies_ahead_is_made_anew(played: Callable[..., Played]) -> None:
    play = played()
    play.hops(50)
    before = play.decoded[-1][2]
    play.hops(3, event("/emotion/fear", 10.0))
    assert play.decoded[51][2] - before > 0.6
    asked = len(play.made)
    play.hops(30)
    assert any(request.emotion[2] == 10.0 for request in play.made[asked:] if request.voice == 0)
    after = np.array([z[2] for z in play.decoded[55:]])
    assert after.min() > before + 0.5  # neither twice nor lost when the new chunk takes over
    assert after.max() < before + 1.8


def test_a_voice_that_is_not_made_yet_leaves_the_others_sounding(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="here", b="not yet")
    for request in play.stream.requests():
        if request.voice == 0:
            play.stream.splice(request.id, play._make(request))
    play.working = False
    play.hops(10)
    sound = play.hops(10, event("/morph", 1.0, 0.0))
    assert rms(sound).min() > 0.01
    play.working = True
    play.hops(10)
    assert likeness(play.decoded[-1:], sounds_like("not yet")).min() > 0.8


def test_a_late_generator_never_silences_and_is_counted_once(played: Callable[..., Played]) -> None:
    play = played()
    steady = rms(play.hops(50))[10:]
    assert play.stream.late == 0
    play.working = False
    held = rms(play.hops(500))
    assert held.min() > 0.3 * steady.mean()
    assert held.max() < 3 * steady.mean()
    assert play.stream.late == 1
    play.working = True
    play.hops(100)
    assert play.stream.late == 1
    assert play.stream.ahead_frames()[0] > 0


def test_freeze_holds_and_stays_alive_and_goes_on_after(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="held")
    play.hops(50)
    ahead = play.stream.ahead_frames()
    frozen = play.hops(150, event("/freeze", True), event("/prompt/a/text", "meanwhile"))
    assert likeness(play.decoded[50:], sounds_like("held")).min() > 0.9
    held = np.stack(play.decoded[50:])
    assert len(np.unique(held.round(5), axis=0)) == HOLD  # a stretch of sound, not one frame
    assert rms(frozen).min() > 0.01
    assert play.stream.ahead_frames()[0] >= ahead[0]
    play.hops(10, event("/freeze", False))
    assert likeness(play.decoded[-1:], sounds_like("meanwhile")).min() > 0.9
    assert np.linalg.norm(play.decoded[200] - play.decoded[199]) < np.linalg.norm(play.decoded[-1] - play.decoded[199])


def test_a_voice_frozen_while_unheard_is_itself_later(
    played: Callable[..., Played], sounds_like: Callable[[str], Float]
) -> None:
    play = played(a="here", b="there")
    play.hops(20)
    play.hops(5, event("/freeze", True))
    play.hops(5, event("/freeze", False), event("/prompt/b/text", "elsewhere"))
    play.hops(20, event("/morph", 1.0, 0.0))
    assert likeness(play.decoded[-10:], sounds_like("elsewhere")).min() > 0.9


@pytest.mark.parametrize(
    "waking",
    [event("/prompt/a/text", "again"), event("/prompt/a/weight", 1.0), event("/level", -3.0), event("/freeze", False)],
    ids=lambda e: e.address,
)
def test_panic_flushes_and_is_silent_until_woken(played: Callable[..., Played], waking: Event) -> None:
    play = played(a="before")
    play.hops(50)
    assert np.abs(play.hops(50, event("/panic"), event("/pan/azimuth", 30.0))).max() == 0.0
    assert play.stream.silent
    asked = [request for request in play.made[-4:] if request.voice == 0]
    assert asked[-1].context is None
    assert rms(play.hops(10, waking))[3:].min() > 0.01
    assert not play.stream.silent


def test_same_words_and_seed_give_the_same_sound_again(played: Callable[..., Played]) -> None:
    play = played(a="once")
    play.hops(50)
    play.hops(10, event("/prompt/a/text", "else"))
    play.hops(10, event("/prompt/a/text", "once"))
    seeds = {r.seed for r in play.made if r.voice == 0 and r.context is None and r.prompt == "once"}
    assert len(seeds) == 1
    play.hops(2, event("/generator/seed", 5))
    assert play.made[-1].seed not in seeds or play.made[-2].seed not in seeds


@pytest.mark.parametrize(("variation", "least", "most"), [(0.0, 1, 1), (1.0, 8, 99)])
def test_variation_is_how_often_the_seed_changes(
    played: Callable[..., Played], variation: float, least: int, most: int
) -> None:
    play = played()
    play.hops(1, event("/generator/variation", variation))
    play.hops(500)
    seeds = {request.seed for request in play.made if request.voice == 0}
    assert least <= len(seeds) <= most


def test_a_result_nobody_asked_for_changes_nothing(played: Callable[..., Played]) -> None:
    play, same = played(), played()
    assert not play.stream.splice(999, np.full((8, 64), 9, np.float32))
    assert np.array_equal(play.hops(20), same.hops(20))


def test_memory_stays_bounded(played: Callable[..., Played]) -> None:
    play = played()
    play.hops(10, event("/morph", 0.5, 0.5))
    for k in range(40):
        play.working = k % 3 > 0
        play.hops(50, event("/generator/guidance", k / 10))
    for player in play.stream._players:
        assert player.timeline.end - player.timeline.start < 4 * CHUNK
        assert len(player._pending) <= 4


STEPS = st.one_of(
    st.tuples(st.just("/morph"), st.tuples(st.floats(0, 1), st.floats(0, 1))),
    st.tuples(st.just("/prompt/b/text"), st.tuples(st.sampled_from(["rain", "wind", "glass"]))),
    st.tuples(st.just("/emotion/anger"), st.tuples(st.floats(0, 10))),
    st.tuples(st.just("/freeze"), st.tuples(st.booleans())),
    st.tuples(st.just("/generator/steps"), st.tuples(st.integers(1, 8))),
    st.tuples(st.just("/pan/azimuth"), st.tuples(st.floats(-180, 180))),
    st.tuples(st.just("/panic"), st.just(())),
)


@settings(max_examples=25, deadline=None)
@given(
    timed=st.lists(st.tuples(st.integers(0, 60_000), STEPS), max_size=12, unique_by=lambda pair: pair[0]),
    order=st.randoms(use_true_random=False),
)
def test_any_performance_is_finite_and_the_same_again_however_events_are_grouped(
    fresh_nets: Fresh, make: Make, timed: list[tuple[int, tuple[str, tuple[float, ...]]]], order: random.Random
) -> None:
    events = [event(address, *args, sample=sample) for sample, (address, args) in timed]
    shuffled = order.sample(events, len(events))
    once, again = (
        np.concatenate(list(perform_blocks(fresh_nets(), make, values(), each, 70_000))) for each in (events, shuffled)
    )
    assert np.isfinite(once).all()
    assert once.shape == (70_000, 2)
    assert np.array_equal(once, again)
