"""Options say what they must be, and take what they say."""

from argparse import ArgumentTypeError

import pytest

from engine.cli.options import host_port, sample_rate


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9120", ("127.0.0.1", 9120)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:9120", ("::1", 9120)),
        (":65535", ("127.0.0.1", 65_535)),
        ("9120", ("127.0.0.1", 9120)),
    ],
)
def test_host_and_port_are_read(text: str, found: tuple[str, int]) -> None:
    assert host_port(text) == found


@pytest.mark.parametrize(
    "text",
    ["foo", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "h:65536", "h:-1", "::1", "[::1]", "[]:1", "", ":", "h:1\n"],
)
def test_what_is_no_host_and_port_is_named(text: str) -> None:
    with pytest.raises(ArgumentTypeError) as refusal:
        host_port(text)
    assert str(refusal.value) == f"{text!r}: must be HOST:PORT with PORT in range 0..65535"


def test_another_sample_rate_names_the_one_there_is() -> None:
    assert sample_rate("48000") == 48_000
    with pytest.raises(ArgumentTypeError, match="'44100': must be 48000"):
        sample_rate("44100")
