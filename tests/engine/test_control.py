"""Values are always valid, events coalesce without changing what they make, and timed events come in time."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import MAX_TIMED, NOW, Event, EventQueue, Values, check
from engine.errors import AeoliaError
from engine.params import BY_ADDRESS, PARAMS, Args


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, Args]:
    """A valid address with arguments."""
    param = draw(st.sampled_from(PARAMS))
    if param.kinds == "s":
        return param.address, (draw(st.sampled_from(["rumble", "crickets", "🦗 7"])),)
    positions = [draw(st.floats(0, 1)) for _ in param.kinds]
    values = tuple(param.at(p, n) for n, p in enumerate(positions))
    return param.address, tuple(round(v) if k in "ib" else v for k, v in zip(param.kinds, values, strict=True))


@pytest.mark.parametrize(
    ("address", "args", "coerced"),
    [
        ("/emotion/fear", (7,), (7.0,)),
        ("/generator/steps", (4.0,), (4,)),
        ("/freeze", (1,), (True,)),
        ("/freeze", (False,), (False,)),
        ("/freeze", (1.0,), (True,)),
        ("/prompt/a/text", ("🦗 crickets\n",), ("🦗 crickets\n",)),
        ("/prompt/a/text", ("x" * 1000,), ("x" * 1000,)),
        ("/subscribe", (), ()),
        ("/subscribe", ("10.0.0.1", 9000), ("10.0.0.1", 9000)),
    ],
)
def test_arguments_are_coerced_to_their_kind(address: str, args: Args, coerced: Args) -> None:
    checked = check(address, args)
    assert checked == coerced
    assert [type(a) for a in checked] == [type(a) for a in coerced]


@pytest.mark.parametrize(
    ("address", "args", "said"),
    [
        ("/emotion/fear", (11,), "/emotion/fear 11: must be in range 0..10"),
        ("/emotion/fear", (True,), "/emotion/fear True: must be a number"),
        ("/emotion/fear", (), "/emotion/fear with 0 arguments: must have 1 (f)"),
        ("/generator/steps", (2.5,), "/generator/steps 2.5: must be a whole number"),
        ("/freeze", (2,), "/freeze 2: must be true or false (T/F, or 0/1)"),
        ("/prompt/a/text", ("",), "/prompt/a/text empty text '': must have 1 to 1000 characters, not all blank"),
        (
            "/prompt/a/text",
            ("x" * 10_000,),
            "/prompt/a/text text of 10000 characters: must have 1 to 1000 characters, not all blank",
        ),
        ("/subscribe", ("10.0.0.1",), "/subscribe with 1 arguments: must have 0 or 2 (si)"),
        ("/nope\n" + "y" * 99, (), "address '/nope\\n" + "y" * 29 + "...: unknown; `aeolia params` lists all"),
    ],
)
def test_refusals_name_the_value_and_what_is_allowed(address: str, args: Args, said: str) -> None:
    with pytest.raises(AeoliaError) as refusal:
        check(address, args)
    assert str(refusal.value) == said


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "   ", "\n\t"])
def test_text_that_no_protocol_can_carry_is_refused(text: str) -> None:
    with pytest.raises(AeoliaError):
        check("/prompt/a/text", (text,))


@given(st.floats(0, 1), st.floats(0, 1))
def test_morph_weights_are_bilinear(x: float, y: float) -> None:
    weights = Values.defaults().set("/morph", x, y).weights()
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights[1] + weights[3] == pytest.approx(x, abs=1e-6)
    assert weights[2] + weights[3] == pytest.approx(y, abs=1e-6)


def test_a_weight_wins_until_the_morph_moves_again() -> None:
    values = Values.defaults().set("/morph", 1.0, 0.0).set("/prompt/c/weight", 0.5)
    np.testing.assert_array_equal(values.weights(), [0, 1, 0.5, 0])
    np.testing.assert_array_equal(values.set("/morph", 1.0, 1.0).weights(), [0, 0, 0, 1])


def test_values_are_not_changed_by_what_comes_after() -> None:
    before = Values.defaults()
    after = before.set("/emotion/sadness", 3)
    assert before.emotions().tolist() == [0, 0, 0, 0]
    assert after.emotions().tolist() == [0, 3, 0, 0]
    assert set(before) == set(BY_ADDRESS)
    with pytest.raises(AeoliaError, match="command"):
        before.set("/panic")


@given(st.lists(changes(), max_size=30))
def test_coalesced_events_make_the_same_values(posted: list[tuple[str, Args]]) -> None:
    queue, expected = EventQueue(), Values.defaults()
    for address, args in posted:
        expected = expected.set(address, *args)
        queue.post(Event(NOW, address, args, "test"))
    due = queue.due(0)
    found = Values.defaults()
    for event in due:
        found = found.with_(event)
    assert found == expected
    assert len({event.address for event in due}) == len(due)
    assert queue.due(2**62) == []


@given(st.lists(st.tuples(st.integers(0, 1000), changes()), max_size=50), st.integers(0, 1000))
def test_timed_events_come_in_the_order_of_their_time(posted: list[tuple[int, tuple[str, Args]]], until: int) -> None:
    queue = EventQueue()
    events = [Event(sample, address, args, str(n)) for n, (sample, (address, args)) in enumerate(posted)]
    for event in events:
        queue.post(event)
    in_order = sorted(events, key=lambda event: event.sample)  # sorted is stable: arrival breaks ties
    first, rest = queue.due(until), queue.due(2000)
    assert first == [event for event in in_order if event.sample < until]
    assert first + rest == in_order


def test_only_so_many_events_wait_for_their_time() -> None:
    queue = EventQueue()
    for n in range(MAX_TIMED):
        queue.post(Event(n, "/level", (0.0,), "test"))
    with pytest.raises(AeoliaError, match="at most 4096"):
        queue.post(Event(0, "/level", (0.0,), "test"))
    queue.post(Event(NOW, "/level", (-3.0,), "test"))
    assert len(queue.due(2**62)) == MAX_TIMED + 1


def test_many_writers_lose_nothing() -> None:
    queue = EventQueue()

    def write(source: str) -> None:
        for n in range(500):
            queue.post(Event(n, "/level", (0.0,), source))

    writers = [threading.Thread(target=write, args=(str(n),)) for n in range(4)]
    for writer in writers:
        writer.start()
    found: list[Event] = []
    while any(writer.is_alive() for writer in writers):
        found += queue.due(1000)
    found += queue.due(1000)
    for source in map(str, range(4)):
        assert sorted(event.sample for event in found if event.source == source) == list(range(500))
