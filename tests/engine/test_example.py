"""Examples: what goes into an event comes out of it, and nothing else passes for one."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.example import EXAMPLES, Example


def example(name: str = "rain.wav", size: int = 384) -> Example:
    drawn = np.random.default_rng(size).standard_normal(size)
    return Example(name, (drawn / np.linalg.norm(drawn)).astype(np.float32))


def coded(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


@given(st.text(min_size=1, max_size=1000), st.integers(1, 1000))
def test_an_example_survives_being_an_event(name: str, size: int) -> None:
    one = example(name, size)
    again = Example.parse(one.args)
    assert again.name == name
    assert np.array_equal(again.embedding, one.embedding)
    assert again.args == one.args


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "must be a name and an embedding"),
        (("a", 1.0), "must be a name and an embedding"),
        (("", coded(1)), "a name of 0 characters; must have 1 to 1000"),
        (("a" * 1001, coded(1)), "a name of 1001 characters"),
        (("a", "!!"), "is no base64"),
        (("a", "ä"), "is no base64"),
        (("a", ""), "an embedding of 0 bytes"),
        (("a", coded(1)[:4]), "an embedding of 3 bytes"),
        (("a", coded(*[1 / 65] * 4225)), "an embedding of 16900 bytes; must be 1 to 4096 float32"),
        (("a", coded(float("nan"), 1)), "must be finite and of length 1"),
        (("a", coded(float("inf"))), "must be finite and of length 1"),
        (("a", coded(0.9, 0)), "must be finite and of length 1"),
    ],
)
def test_what_is_no_example_is_refused(args: tuple[object, ...], said: str) -> None:
    with pytest.raises(AeoliaError, match=said):
        Example.parse(args)


@given(st.tuples(st.text(), st.one_of(st.text(), st.binary().map(lambda b: base64.b64encode(b).decode()))))
def test_a_stranger_s_example_is_an_example_or_refused(args: tuple[str, str]) -> None:
    try:
        found = Example.parse(args)
    except AeoliaError:
        return
    assert abs(np.linalg.norm(found.embedding) - 1) < 2e-3


def test_a_voice_is_like_its_example_until_it_is_given_words() -> None:
    one, before = example(), Values.defaults()
    liked = before.with_(Event(0, "/prompt/c/example", one.args, "test"))
    prompt = liked.prompts()[2]
    assert isinstance(prompt, Example)
    assert np.array_equal(prompt.embedding, one.embedding)
    assert liked.texts() == (*before.texts()[:2], "rain.wav", before.texts()[3])
    assert liked.prompts()[:2] == before.texts()[:2]
    assert liked.set("/prompt/a/text", "wind").set("/emotion/fear", 3).prompts()[2] is prompt
    assert liked.set("/prompt/c/text", "wind").prompts() == (*before.texts()[:2], "wind", before.texts()[3])
    assert before.prompts() == before.texts()


def test_examples_have_no_address_that_a_stranger_can_set() -> None:
    for address in EXAMPLES:
        with pytest.raises(AeoliaError, match="unknown"):
            Values.defaults().set(address, *example().args)
