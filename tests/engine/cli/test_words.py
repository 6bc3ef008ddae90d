"""What is done to the words of a command line before any command is known."""

import pytest

from engine.cli.words import apart


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            "generate rain --emotion fear=8 anger=2 --seed 1",
            "generate rain --emotion fear=8 --emotion anger=2 --seed 1",
        ),
        ("generate --emotion fear=8 rain -o x.wav", "generate --emotion fear=8 rain -o x.wav"),
        ("generate --emotion fear=8 anger=2 rain", "generate --emotion fear=8 --emotion anger=2 rain"),
        ("generate --emotion fear=8 --emotion anger=2", "generate --emotion fear=8 --emotion anger=2"),
        ("generate a=b c=d --emotion", "generate a=b c=d --emotion"),
    ],
)
def test_emotions_never_take_the_words_after_them(given: str, expected: str) -> None:
    assert apart(given.split()) == expected.split()
