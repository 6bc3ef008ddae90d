"""Control changes move what their routes say, over the range they say, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control import NOW, Event
from engine.errors import AeoliaError
from engine.midi import Mapper, MidiInput, Route, _match, list_ports
from engine.params import BY_ADDRESS, PARAMS, Curve

NUMBERS = [p.address for p in PARAMS if p.kinds != "s"]


@given(st.sampled_from(NUMBERS), st.integers(0, 127))
def test_every_position_is_in_range(address: str, raw: int) -> None:
    for argument, kind in enumerate(BY_ADDRESS[address].kinds):
        value = Route(1, address, argument=argument).value(raw)
        assert isinstance(value, {"f": float, "i": int, "b": bool}[kind])
        assert BY_ADDRESS[address].minimum[argument] <= value <= BY_ADDRESS[address].maximum[argument]


@pytest.mark.parametrize(
    ("route", "ends", "middle"),
    [
        (Route(1, "/level"), (-60, 6), -27),
        (Route(1, "/level", minimum=0, maximum=-60), (0, -60), -30),
        (Route(1, "/level", minimum=-60, maximum=0, curve=Curve.SQUARED), (-60, 0), -45),
        (Route(1, "/pan/motion/rate"), (0, 4), 1),
        (Route(1, "/generator/steps"), (1, 8), 5),
        (Route(1, "/freeze"), (False, True), True),
    ],
)
def test_a_route_covers_its_range(route: Route, ends: tuple[float, float], middle: float) -> None:
    assert (route.value(0), route.value(127)) == ends
    assert route.value(64) == pytest.approx(middle, abs=0.6)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"control": 128}, "MIDI control 128: must be in range 0..127"),
        ({"channel": 0}, "MIDI channel 0: must be in range 1..16"),
        ({"channel": 17}, "MIDI channel 17: must be in range 1..16"),
        ({"address": "/nope"}, "MIDI address '/nope': must be a parameter"),
        ({"address": "/prompt/a/text"}, "must be a parameter that is a number or a switch"),
        ({"address": "/panic"}, "must be a parameter that is a number or a switch"),
        ({"argument": 1}, "MIDI argument 1 of /level: must be in range 0..0"),
        ({"minimum": -61}, "MIDI range of /level -61: must be in range -60..6"),
        ({"maximum": float("nan")}, "MIDI range of /level nan: must be in range -60..6"),
    ],
)
def test_routes_to_nowhere_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(AeoliaError) as refusal:
        Route(**{"control": 1, "address": "/level", **wrong})
    assert said in str(refusal.value)


def test_only_its_channel_and_its_controller_move_a_route(instrument) -> None:
    mapper = Mapper(instrument, [Route(7, "/level", channel=2), Route(7, "/pan/azimuth"), Route(8, "/freeze")])
    assert [e.address for e in mapper.control_change(2, 7, 0, "midi", 0)] == ["/level", "/pan/azimuth"]
    assert mapper.control_change(1, 7, 127, "midi x", 5) == [Event(NOW, "/pan/azimuth", (180.0,), "midi x", 5)]
    assert mapper.control_change(1, 9, 127, "midi", 0) == []


def test_two_knobs_on_one_address_do_not_undo_each_other(instrument) -> None:
    mapper = Mapper(instrument, [Route(1, "/morph", argument=0), Route(2, "/morph", argument=1)])
    (x,) = mapper.control_change(1, 1, 127, "midi", 0)
    (both,) = mapper.control_change(1, 2, 127, "midi", 0)
    assert (x.args, both.args) == ((1.0, 0.0), (1.0, 1.0))
    instrument.post(both)
    instrument.values = instrument.values.set("/morph", 0.25, 0.25)  # somebody else moves it
    (after,) = mapper.control_change(1, 2, 0, "midi", 0)
    assert after.args == (0.25, 0.0)


def test_ports_are_found_by_a_part_of_their_name() -> None:
    names = ["nanoKONTROL2:CTRL 20:0", "Launchpad:0", "Launchpad:1"]
    assert _match("Launchpad:0", names) == "Launchpad:0"
    assert _match("nanokontrol", names) == names[0]
    with pytest.raises(
        AeoliaError, match="'launch': is in the names of several; must be one of: 'Launchpad:0', 'Launchpad:1'"
    ):
        _match("launch", names)
    with pytest.raises(AeoliaError, match="'x': unknown; must be 'virtual', as no port is connected"):
        _match("x", [])


def test_alsa_names_need_no_numbers() -> None:
    names = ["Knobs:Knobs MIDI 1 20:0", "Knobs:Knobs MIDI 10 20:1"]
    for whole in (names[0], "Knobs:Knobs MIDI 1", "Knobs MIDI 1"):
        assert _match(whole, names, alsa=True) == names[0]
    assert _match("midi 10", names, alsa=True) == names[1]
    with pytest.raises(AeoliaError, match="'Knobs MIDI 1': is in the names of several"):
        _match("Knobs MIDI 1", names)


@pytest.mark.parametrize("backend", ["mido.backends.portmidi", "mido.backends.rtmidi/NOPE"])
def test_other_backends_than_rtmidi_are_refused(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rtmidi")
    monkeypatch.setenv("MIDO_BACKEND", backend)
    with pytest.raises(AeoliaError, match=f"MIDO_BACKEND '{backend}': must be one of: mido.backends.rtmidi, "):
        list_ports()


def test_a_system_without_midi_is_said_with_the_port_that_was_wanted(instrument, monkeypatch) -> None:
    rtmidi = pytest.importorskip("rtmidi")

    def fail(*_: object, **__: object) -> None:
        raise rtmidi.SystemError("MidiInAlsa::initialize: error creating\nALSA sequencer client object.")

    monkeypatch.setattr(rtmidi, "MidiIn", fail)
    monkeypatch.delenv("MIDO_BACKEND", raising=False)
    reason = (
        "mido.backends.rtmidi can't be opened (MidiInAlsa::initialize: error creating ALSA sequencer client object); "
        "needs a system with MIDI, or JACK running and MIDO_BACKEND=mido.backends.rtmidi/UNIX_JACK"
    )
    with pytest.raises(AeoliaError) as refusal:
        MidiInput(instrument, "nope", [])
    assert str(refusal.value) == f"MIDI port 'nope': {reason}"
    with pytest.raises(AeoliaError) as refusal:
        list_ports()
    assert str(refusal.value) == f"MIDI: {reason}"
