"""Journals: what is written is read again, and whatever else is read is refused with its line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.bundle import Bundle
from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.journal import (
    END,
    FORMAT,
    GATE,
    MAX_LINE_CHARS,
    SPLICE,
    Header,
    JournalWriter,
    checksums,
    event_line,
    header_line,
    read_journal,
)

HEADER = Header(
    format=FORMAT,
    versions={"aeolia": "0.1.0"},
    bundle="numpy",
    checksums={"student": "0" * 64},
    seed=3,
    rate_hz=48_000,
    block=256,
    channels=2,
    provider="CPUExecutionProvider",
    values=Values.defaults().set("/prompt/a/text", "crickets, \u263a").set("/morph", 0.25, 0.5),
)
EVENTS = (
    Event(0, SPLICE, (0, 1), "engine"),
    Event(1024, "/prompt/b/text", ("\u2028 rain \U0001f327",), "osc 127.0.0.1:9"),
    Event(2048, "/pan/azimuth", (30.5,), "midi"),
    Event(2048, "/freeze", (True,), "midi"),
    Event(2048, "/generator/seed", (7,), "midi"),
    Event(2048, "/prompt/c/example", ("rain.wav", "AACAPw=="), "engine"),
    Event(3072, "/panic", (), "osc"),
    Event(3072, GATE, (0,), "osc"),
    Event(9000, END, (), "engine"),
)


def write(path: Path, *events: Event) -> Path:
    writer = JournalWriter.create(path, HEADER)
    for event in events:
        writer.add(event)
    writer.close()
    assert writer.problem is None
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    journal = read_journal(write(tmp_path / "j.jsonl", *EVENTS))
    assert journal.events == EVENTS
    assert dict(journal.header.values) == dict(HEADER.values)
    assert replace(journal.header, values=HEADER.values) == HEADER
    assert journal.end == 9000
    assert journal.ended


def test_events_come_in_the_order_of_their_samples_and_then_of_the_file(tmp_path: Path) -> None:
    late = Event(2048, "/pan/azimuth", (1.0,), "x")
    journal = read_journal(write(tmp_path / "j.jsonl", *EVENTS[1:-1], late, EVENTS[0], EVENTS[-1]))
    assert [e.sample for e in journal.events] == sorted(e.sample for e in journal.events)
    same = [e for e in journal.events if e.sample == 2048]
    assert same == [*EVENTS[2:6], late]


def test_what_was_made_ahead_of_the_end_may_be_noted_before_it(tmp_path: Path) -> None:
    ahead = Event(9216, SPLICE, (1, 2), "engine")
    journal = read_journal(write(tmp_path / "j.jsonl", *EVENTS[:-1], ahead, EVENTS[-1]))
    assert journal.events[-1] == ahead
    assert journal.end == 9000


@pytest.mark.parametrize("after", [EVENTS[1], Event(9216, SPLICE, (1, 2), "engine"), EVENTS[-1]])
def test_nothing_stands_after_the_end(tmp_path: Path, after: Event) -> None:
    path = write(tmp_path / "j.jsonl", *EVENTS, after)
    with pytest.raises(AeoliaError, match=rf"line {len(EVENTS) + 2}: stands after /end, which must be the last line"):
        read_journal(path)


def test_a_crash_costs_the_unfinished_line_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "j.jsonl", *EVENTS)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b'"/end"')])
    journal = read_journal(path)
    assert journal.events == EVENTS[:-1]
    assert not journal.ended


def test_lines_are_on_the_disk_before_the_journal_is_closed(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path / "j.jsonl", HEADER)
    for event in EVENTS:
        writer.add(event)
    while len(read_journal_or_nothing(tmp_path / "j.jsonl")) < len(EVENTS):
        pass  # bounded by the test's timeout
    writer.close()


def read_journal_or_nothing(path: Path) -> tuple[Event, ...]:
    try:
        return read_journal(path).events
    except AeoliaError:
        return ()


def test_a_journal_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "j.jsonl", *EVENTS)
    with pytest.raises(AeoliaError, match="choose a new name"):
        JournalWriter.create(path, HEADER)
    assert read_journal(path).events == EVENTS


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AeoliaError, match=r"none.*can't be written"):
        JournalWriter.create(tmp_path / "none" / "j.jsonl", HEADER)


def test_a_full_disk_ends_the_journal_and_nothing_else() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    writer = JournalWriter(open("/dev/full", "w", encoding="utf-8"), HEADER)  # noqa: SIM115  the writer closes it
    for event in EVENTS * 1000:
        writer.add(event)
    writer.close()
    assert writer.problem is not None
    assert "No space left" in writer.problem


GOOD = json.loads(event_line(EVENTS[1]))
BAD_EVENTS = {
    "not JSON": "{",
    "not an object": "[1]",
    "nothing": "",
    "deep": "[" * 60_000,
    "unknown address": json.dumps({**GOOD, "address": "/no/such"}),
    "a command": json.dumps({**GOOD, "address": "/record/start", "args": ["x"]}),
    "unknown key": json.dumps({**GOOD, "more": 1}),
    "missing key": json.dumps({"sample": 1}),
    "negative sample": json.dumps({**GOOD, "sample": -1}),
    "sample of true": json.dumps({**GOOD, "sample": True}),
    "huge sample": json.dumps({**GOOD, "sample": 10**30}),
    "NaN": '{"sample": 1, "address": "/level", "args": [NaN], "source": ""}',
    "infinity": '{"sample": 1, "address": "/level", "args": [1e999], "source": ""}',
    "endless digits": '{"sample": 1, "address": "/level", "args": [' + "9" * 5000 + '], "source": ""}',
    "emotion of 11": json.dumps({**GOOD, "address": "/emotion/fear", "args": [11]}),
    "args of text": json.dumps({**GOOD, "args": "rain"}),
    "nested args": json.dumps({**GOOD, "args": [["rain"]]}),
    "voice 7": json.dumps({**GOOD, "address": SPLICE, "args": [7, 1]}),
    "long source": json.dumps({**GOOD, "source": "x" * 1000}),
    "lone surrogate": '{"sample": 1, "address": "/prompt/a/text", "args": ["\\ud800"], "source": ""}',
    "long line": json.dumps({**GOOD, "source": "x" * MAX_LINE_CHARS}),
}


@pytest.mark.parametrize("line", BAD_EVENTS.values(), ids=BAD_EVENTS.keys())
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f"{header_line(HEADER)}\n{event_line(EVENTS[0])}\n{line}\n{event_line(EVENTS[2])}\n")
    with pytest.raises(AeoliaError, match=r"line 3(, column [0-9]+)?: .+") as refused:
        read_journal(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


RAW_HEADER = json.loads(header_line(HEADER))
BAD_HEADERS = {
    "another format": {**RAW_HEADER, "format": 2},
    "another file": {"sample": 1},
    "unknown key": {**RAW_HEADER, "extra": 1},
    "bad value": {**RAW_HEADER, "values": {"/level": [70]}},
    "unknown value": {**RAW_HEADER, "values": {"/no": [1]}},
    "channels": {**RAW_HEADER, "channels": 0},
    "rate": {**RAW_HEADER, "rate_hz": 1e9},
    "seed": {**RAW_HEADER, "seed": -1},
    "checksums": {**RAW_HEADER, "checksums": {"student": 5}},
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_a_bad_header_is_refused(tmp_path: Path, header: dict[str, object]) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps(header) + "\n")
    with pytest.raises(AeoliaError, match="line 1: "):
        read_journal(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\n", b"\n"], ids=["empty", "cut", "bytes", "blank"])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(content)
    with pytest.raises(AeoliaError, match="journal"):
        read_journal(path)


def test_an_empty_journal_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").touch()
    with pytest.raises(AeoliaError, match="is empty"):
        read_journal(tmp_path / "j.jsonl")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_refused_in_one_line_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    lines = [header_line(HEADER), *(event_line(event) for event in EVENTS)]
    content = bytearray("\n".join(lines).encode() + b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path = tmp_path / "j.jsonl"
    path.write_bytes(content)
    try:
        journal = read_journal(path)
    except AeoliaError as refused:
        assert "\n" not in str(refused)  # noqa: PT017  either outcome is right
        return
    assert all(event.sample >= 0 for event in journal.events)


def test_another_bundle_is_refused(shipped_bundle: Bundle) -> None:
    replace(HEADER, checksums=checksums(shipped_bundle)).check_bundle(shipped_bundle)
    with pytest.raises(AeoliaError, match="its student is not the one"):
        HEADER.check_bundle(shipped_bundle)
