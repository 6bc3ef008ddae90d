"""Packets are read strictly and within bounds; what is built can be read back, here and by python-osc."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine import protocol
from engine.errors import AeoliaError
from engine.params import Args
from engine.protocol import IMMEDIATELY, Message, build, build_bundles, interpret, parse, seconds_ahead, timetag_at

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ARGS = st.lists(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(width=32, allow_nan=False), TEXT), max_size=8
).map(tuple)
ADDRESS = TEXT.map(lambda text: f"/{text}")


def bundle(*elements: bytes, timetag: int = IMMEDIATELY) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", timetag) + b"".join(struct.pack(">i", len(e)) + e for e in elements)


@given(ADDRESS, ARGS)
def test_what_is_built_is_read_back(address: str, args: Args) -> None:
    (message,) = parse(build(address, args))
    assert message == Message(address, args)
    assert [type(a) for a in message.args] == [type(a) for a in args]


@given(ADDRESS, ARGS)
def test_python_osc_reads_what_is_built(address: str, args: Args) -> None:
    read = OscMessage(build(address, args))
    assert (read.address, tuple(read.params)) == (address, args)


def test_what_python_osc_builds_is_read() -> None:
    builder = OscMessageBuilder("/emotion/fear")
    builder.add_arg(2.5, builder.ARG_TYPE_DOUBLE)
    assert parse(builder.build().dgram) == [Message("/emotion/fear", (2.5,))]


def refusal(packet: bytes) -> str:
    """What is wrong with a packet; anything but an `AeoliaError` is a failure."""
    try:
        for message in parse(packet):
            interpret(message)
    except AeoliaError as error:
        return str(error)
    return ""


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_one_line(packet: bytes) -> None:
    assert "\n" not in refusal(packet)


@given(ADDRESS, st.binary(max_size=40), st.binary(max_size=60))
def test_arbitrary_messages_are_refused_in_one_line(address: str, tags: bytes, body: bytes) -> None:
    assert "\n" not in refusal(build(address, ())[:-4] + b"," + tags + b"\0" * (4 - (len(tags) + 1) % 4) + body)


@given(st.data())
def test_damaged_packets_are_read_or_refused_in_one_line(data: st.DataObject) -> None:
    whole = bundle(build("/morph", (0.5, 0.5)), bundle(build("/prompt/a/text", ("rain",)), timetag=1 << 40))
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)) if damaged else ():
        damaged[at] = data.draw(st.integers(0, 255))
    assert "\n" not in refusal(bytes(damaged))


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (b"", "must start with"),
        (b"level", "must start with"),
        (b"/level", "cut off"),
        (b"/\xff\xff\0,\0\0\0", "not UTF-8"),
        (b"/a\0\0f\0\0\0", "must be a comma"),
        (b"/a\0\0,f\0\0\0\0", "cut off|bytes"),
        (b"/a\0\0,b\0\0\0\0\0\0", "argument of type 'b'"),
        (b"/a\0\0,\0\0\0\0\0\0\0", "type tags say"),
        (b"#bundle\0\0\0", "no timetag"),
        (bundle(b"")[:-1], "an element"),
        (bundle() + struct.pack(">i", -4), "an element of -4"),
        (bundle() + struct.pack(">i", 2**31 - 1), "an element"),
        (bundle(b"/a\0\0,\0\0\0")[:-4], "an element"),
        (b"/" + b"a" * 2**16, "at most 65536"),
        (build("/a", (True,) * 65), "at most 64"),
        (bundle(*[build("/a", ())] * 1025), "at most 1024"),
    ],
)
def test_malformed_packets_are_refused_with_the_reason(packet: bytes, said: str) -> None:
    with pytest.raises(AeoliaError, match=said):
        parse(packet)


def nested(depth: int) -> bytes:
    return build("/level", (0.0,)) if depth == 0 else bundle(nested(depth - 1))


def test_nesting_is_bounded() -> None:
    assert parse(nested(protocol.MAX_NESTING)) == [Message("/level", (0.0,))]
    with pytest.raises(AeoliaError, match="nested"):
        parse(nested(protocol.MAX_NESTING + 1))


def test_a_bundle_is_never_before_the_one_around_it() -> None:
    inner = bundle(build("/a", ()), timetag=10 << 32)
    messages = parse(bundle(inner, build("/b", ()), bundle(build("/c", ())), timetag=20 << 32))
    assert [m.timetag >> 32 for m in messages] == [20, 20, 20]
    assert [m.timetag >> 32 for m in parse(bundle(inner, build("/b", ()), timetag=5 << 32))] == [10, 5]


@given(st.integers(0, 2**32 * 10**9 - 2_208_988_800 * 10**9 - 10**9), st.floats(-1000, 1000))
def test_timetags_tell_the_time(unix_ns: int, ahead_s: float) -> None:
    later_ns = max(0, unix_ns + int(ahead_s * 1e9))
    assert seconds_ahead(timetag_at(later_ns), unix_ns) == pytest.approx((later_ns - unix_ns) * 1e-9, abs=2e-6)


@pytest.mark.parametrize("timetag", [0, 1])
def test_two_timetags_mean_now(timetag: int) -> None:
    assert seconds_ahead(timetag, 0) == 0


@given(st.lists(st.tuples(ADDRESS, ARGS), max_size=40))
def test_bundles_hold_all_messages_in_order(messages: list[tuple[str, Args]]) -> None:
    packets = build_bundles(build(address, args) for address, args in messages)
    assert [m for packet in packets for m in parse(packet)] == [Message(*m) for m in messages]
    assert all(len(packet) <= 1400 or len(parse(packet)) == 1 for packet in packets)


def test_adm_is_interpreted_as_pan() -> None:
    assert interpret(Message("/adm/obj/1/azim", (30.0,))) == ("/pan/azimuth", (-30.0,))
    with pytest.raises(AeoliaError, match=r"/adm/obj/1/azim 181: must be in range -180\.\.180"):
        interpret(Message("/adm/obj/1/azim", (181,)))
