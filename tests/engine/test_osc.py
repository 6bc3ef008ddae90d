"""The OSC server on real sockets: what it takes, what it refuses, what it says to whom."""

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.control import NOW
from engine.errors import AeoliaError
from engine.osc import MAX_SUBSCRIBERS, OscServer, Refusals
from engine.params import Args
from engine.protocol import Instrument, Message, build, parse, timetag_at

BOUND_S = 10.0


class Client:
    """An independent socket that sends to the server and reads what it answers."""

    def __init__(self, server: OscServer) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(BOUND_S)
        self.to = server.address
        self.port: int = self.socket.getsockname()[1]

    def send(self, address: str, *args: object) -> None:
        self.raw(build(address, args))  # type: ignore[arg-type]

    def raw(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.to)

    def read(self) -> list[Message]:
        return parse(self.socket.recv(65_536))

    def answer(self) -> Message:
        (message,) = self.read()
        return message

    def until(self, wanted: Callable[[dict[str, Args]], bool]) -> dict[str, Args]:
        """The newest message of each address, as soon as they are as wanted."""
        newest: dict[str, Args] = {}
        end = time.monotonic() + BOUND_S
        while not wanted(newest):
            assert time.monotonic() < end, newest
            newest |= {m.address: m.args for m in self.read()}  # type: ignore[misc]
        return newest


@pytest.fixture
def server(instrument: Instrument) -> Iterator[OscServer]:
    made = OscServer(instrument, port=0, extra={"/debug/greet": lambda: "hello"})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(server: OscServer) -> Iterator[Client]:
    made = Client(server)
    yield made
    made.socket.close()


def test_values_are_posted_with_stamp_and_source(instrument, server, client) -> None:
    before = time.monotonic_ns()
    client.send("/emotion/fear", 8)
    client.send("/get", "/emotion/fear")
    assert client.answer() == Message("/emotion/fear", (8.0,))
    (event,) = instrument.events
    assert (event.sample, event.address, event.args) == (NOW, "/emotion/fear", (8.0,))
    assert event.source == f"osc 127.0.0.1:{client.port}"
    assert before <= event.stamp_ns <= time.monotonic_ns()
    assert (server.received, server.refused) == (2, 0)


@pytest.mark.parametrize(
    ("address", "args", "reason"),
    [
        ("/emotion/fear", (11.0,), "/emotion/fear 11: must be in range 0..10"),
        ("/emotion/fear", ("8",), "/emotion/fear '8': must be a number"),
        ("/emotion/joy", (8.0,), "address '/emotion/joy': unknown; `aeolia params` lists all"),
        ("/morph", (0.5,), "/morph with 1 arguments: must have 2 (ff)"),
        ("/level", (float("nan"),), "/level nan: must be a number, finite"),
        ("/prompt/a/text", ("",), "/prompt/a/text empty text '': must have 1 to 1000 characters, not all blank"),
        ("/prompt/b/text", ("?!",), "/prompt/b/text '?!': must have at least one letter or digit"),
        (
            "/meter/peak",
            (1.0,),
            "address '/meter/peak': is a reading; it can only be read, with /get or /subscribe",
        ),
        ("/get", ("/nope",), "address '/nope': unknown; `aeolia params` lists all"),
        ("/get", ("/panic",), "address '/panic': is a command and holds no value; `aeolia params` lists all"),
        ("/get", ("/latency/hop",), "address '/latency/hop': is not measured yet"),
        ("/record/start", ("/full",), "recording /full: no space left; must be a disk with room"),
        ("/subscribe", ("example.org", 9000), "host 'example.org': must be an IP address or localhost"),
        ("/subscribe", ("::1", 9000), "host ::1: must be an IPv4 address, as the sender's"),
        ("/unsubscribe", ("127.0.0.1", 9), "subscriber 127.0.0.1:9: unknown; must have subscribed before"),
        ("/debug/greet", (1,), "/debug/greet with 1 arguments: must have 0 (none)"),
    ],
)
def test_what_is_wrong_is_answered_counted_and_changes_nothing(
    instrument, server, client, address: str, args: Args, reason: str
) -> None:
    before = instrument.values
    client.send(address, *args)
    assert client.answer() == Message("/fail", (address, reason))
    assert server.refused == 1
    assert (instrument.events, instrument.commands, instrument.values) == ([], [], before)


def test_a_refusal_is_logged_at_once_and_then_once_a_second() -> None:
    refusals = Refusals()
    refusals.add("/level", "/level 99: no")
    refusals.add("/morph", "/morph \x1b 9: no")
    assert refusals.lines(0.0) == ["refused: /level 99: no", "refused: /morph ? 9: no"]
    for value in range(50):
        refusals.add("/level", f"/level {value}: no")
    assert refusals.lines(0.9) == []
    assert refusals.lines(1.0) == ["refused: /level 49: no ... and 49 more"]
    assert refusals.lines(9.0) == []


def test_many_refused_addresses_share_a_line() -> None:
    refusals = Refusals()
    for number in range(1000):
        refusals.add(f"/{number}", f"/{number}: unknown")
    lines = refusals.lines(0.0)
    assert len(lines) == 17
    assert lines[-1] == "refused: /999: unknown ... and 983 more"


def test_refusals_are_logged_when_the_server_has_stopped(instrument, caplog) -> None:
    server = OscServer(instrument, port=0)
    server.start()
    client = Client(server)
    client.send("/nope")
    client.answer()
    client.socket.close()
    server.stop()
    assert [r.getMessage() for r in caplog.records] == ["refused: address '/nope': unknown; `aeolia params` lists all"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packet=st.binary(max_size=100).filter(lambda p: not p.startswith((b"/", b"#bundle\0"))))
def test_garbage_is_answered_and_counted(instrument, server, client, packet: bytes) -> None:
    refused = server.refused
    client.raw(packet)
    assert client.answer().address == "/fail"
    assert server.refused == refused + 1
    assert instrument.events == []


def test_a_bad_message_in_a_bundle_does_not_stop_the_others(instrument, client) -> None:
    elements = [build("/level", (-3.0,)), build("/level", (99.0,)), build("/emotion/anger", (2.0,))]
    client.raw(b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(e)) + e for e in elements))
    assert client.answer().address == "/fail"
    client.send("/get", "/emotion/anger")
    assert client.answer().args == (2.0,)
    assert [event.args for event in instrument.events] == [(-3.0,), (2.0,)]


def test_a_malformed_bundle_is_refused_whole(instrument, client) -> None:
    good, bad = build("/level", (-3.0,)), b"nonsense"
    client.raw(b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(e)) + e for e in (good, bad)))
    assert client.answer().args[0] == ""
    assert instrument.events == []


def test_timetags_become_samples(instrument, client) -> None:
    def timed(ahead_s: float, address: str, args: Args) -> int:
        timetag, element = timetag_at(time.time_ns() + int(ahead_s * 1e9)), build(address, args)
        client.raw(b"#bundle\0" + struct.pack(">Qi", timetag, len(element)) + element)
        return timetag

    later = timed(30.0, "/level", (-3.0,))
    timed(-30.0, "/level", (-6.0,))
    timed(30.0, "/record/stop", ())
    assert client.answer().args == (
        "/record/stop",
        "/record/stop in a bundle for later: only values and /panic can wait for their time",
    )
    timed(4000.0, "/level", (-9.0,))
    assert "must be at most 3600 s ahead" in str(client.answer().args[1])
    assert [event.sample for event in instrument.events] == [instrument.sample_at(later), NOW]


def test_adm_pans_to_the_left(instrument, client) -> None:
    client.send("/adm/obj/1/azim", 30.0)
    client.send("/get", "/pan/azimuth")
    assert client.answer().args == (-30.0,)


def test_panic_is_an_event_and_slow_commands_answer_when_done(instrument, client) -> None:
    client.send("/panic")
    assert client.answer() == Message("/done", ("/panic",))
    client.send("/record/start", "take.flac")
    assert client.answer() == Message("/done", ("/record/start", "take.flac"))
    client.send("/debug/greet")
    assert client.answer() == Message("/done", ("/debug/greet", "hello"))
    assert [event.address for event in instrument.events] == ["/panic"]
    assert instrument.commands == [("/record/start", ("take.flac",))]


def test_a_branch_answers_with_all_below_it(client) -> None:
    client.send("/get", "/emotion")
    assert [m.address.rpartition("/")[2] for m in client.read()] == ["happiness", "sadness", "fear", "anger"]
    client.send("/get", "/latency/block")
    assert client.answer().args == (4.0, 5.0)


def test_a_subscriber_gets_everything_then_what_changes(client) -> None:
    client.send("/subscribe")
    newest = client.until(lambda n: "/done" in n and "/freeze" in n and "/meter/peak" in n)
    assert newest["/done"] == ("/subscribe", f"127.0.0.1:{client.port}")
    assert newest["/prompt/a/text"] == ("continuous, deep, spatial and gloomy",)
    assert newest["/meter/peak"] == (-6.0, -6.5)
    client.send("/emotion/fear", 4.5)
    client.until(lambda n: n.get("/emotion/fear") == (4.5,))
    client.send("/emotion/fear", 99.0)
    client.until(lambda n: n.get("/control/refused") == (1,))
    client.send("/unsubscribe")
    client.until(lambda n: n.get("/done", ("",))[0] == "/unsubscribe")
    client.send("/get", "/freeze")
    while client.answer().address != "/freeze":
        pass


def test_feedback_goes_where_it_is_asked_to(server, client) -> None:
    other = Client(server)
    client.send("/subscribe", "localhost", other.port)
    assert other.until(lambda n: "/level" in n)["/level"] == (0.0,)
    other.socket.close()


def test_the_longest_subscriber_makes_room(server) -> None:
    clients = [Client(server) for _ in range(MAX_SUBSCRIBERS + 1)]
    for each in clients:
        each.send("/subscribe")
        each.until(lambda n: "/done" in n)
    clients[0].send("/unsubscribe")
    clients[0].until(lambda n: "/fail" in n)
    clients[-1].send("/unsubscribe")
    clients[-1].until(lambda n: n.get("/done", ("",))[0] == "/unsubscribe")
    for each in clients:
        each.socket.close()


def test_a_bug_behind_a_message_does_not_deafen_the_server(instrument, client, caplog) -> None:
    instrument.error = ZeroDivisionError("a bug")
    client.send("/level", -1.0)
    assert client.answer().args == ("/level", "'/level': internal error, ZeroDivisionError")
    instrument.error = None
    client.send("/level", -2.0)
    client.send("/get", "/level")
    assert client.answer().args == (-2.0,)
    assert "a bug" in caplog.text


def test_complaints_are_not_answered(server, client) -> None:
    client.send("/fail", "/level", "nonsense")
    client.send("/get", "/freeze")
    assert client.answer().address == "/freeze"
    assert server.refused == 1


def test_a_port_in_use_is_named(instrument, server) -> None:
    host, port = server.address
    with pytest.raises(AeoliaError, match=f"OSC {host}:{port}: .*in use.*; must be a free port"):
        OscServer(instrument, host, port)
    with pytest.raises(AeoliaError, match="OSC host 'no such host': unknown"):
        OscServer(instrument, "no such host", port)


def test_only_this_machine_is_heard_by_default(instrument) -> None:
    server = OscServer(instrument, port=0)
    assert server.address[0] == "127.0.0.1"
    server.stop()


def test_the_port_is_free_after_stop(instrument) -> None:
    first = OscServer(instrument, port=0)
    _, port = first.address
    first.start()
    first.stop()
    OscServer(instrument, port=port).stop()


@pytest.mark.system
@pytest.mark.skipif(shutil.which("oscsend") is None, reason="needs oscsend (Debian: liblo-tools)")
def test_oscsend_steers(instrument, server, client) -> None:
    def oscsend(*args: str) -> None:
        host, port = server.address
        subprocess.run(["oscsend", host, str(port), *args], check=True, timeout=BOUND_S)

    oscsend("/prompt/b/text", "s", "light sizzling crickets")
    oscsend("/morph", "ff", "0.25", "0.5")
    oscsend("/freeze", "T")
    oscsend("/generator/steps", "i", "4")
    oscsend("/pan/azimuth", "d", "-90")
    oscsend("/emotion/fear", "f", "11")
    oscsend("/subscribe", "si", "127.0.0.1", str(client.port))
    newest = client.until(lambda n: "/freeze" in n and "/control/refused" in n)
    assert newest["/prompt/b/text"] == ("light sizzling crickets",)
    assert newest["/morph"] == (0.25, 0.5)
    assert newest["/prompt/d/weight"] == (0.125,)
    assert newest["/freeze"] == (True,)
    assert newest["/generator/steps"] == (4,)
    assert newest["/pan/azimuth"] == (-90.0,)
    assert newest["/control/refused"] == (1,)
