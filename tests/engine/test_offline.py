"""Performances offline, with the bundle that people play."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.generator import Make
from engine.journal import END, FORMAT, SPLICE, Header, Journal
from engine.offline import perform, perform_blocks, replay, replay_blocks
from engine.stream import Nets

RATE = 48_000
SECONDS = 1.5


def event(sample: int, address: str, *args: float | str | bool) -> Event:
    return Event(sample, address, args, "test")


MOVES = [
    event(-1, "/prompt/b/text", "light sizzling crickets"),
    event(9_000, "/morph", 1.0, 0.0),
    event(20_001, "/pan/azimuth", 70.0),
    event(22_000, "/emotion/fear", 8.0),
    event(30_000, "/prompt/b/text", "sci-fi, squishy humming"),
    event(40_000, "/panic"),
    event(50_000, "/level", -3.0),
]


@pytest.fixture(scope="module")
def played(shipped_bundle: Bundle) -> np.ndarray:
    return perform(shipped_bundle, Values.defaults(), MOVES, SECONDS)


def level(sound: np.ndarray) -> float:
    return float(np.sqrt((sound**2).mean()))


def test_a_performance_sounds_and_is_the_same_again(shipped_bundle: Bundle, played: np.ndarray) -> None:
    assert played.shape == (round(SECONDS * RATE), 2)
    assert level(played[4_000:20_000]) > 1e-3
    assert np.array_equal(played, perform(shipped_bundle, Values.defaults(), MOVES, SECONDS))


def test_panning_is_heard_at_its_sample(shipped_bundle: Bundle, played: np.ndarray) -> None:
    unmoved = perform(shipped_bundle, Values.defaults(), [m for m in MOVES if m.address != "/pan/azimuth"], SECONDS)
    differs = np.flatnonzero((played != unmoved).any(axis=1))
    assert 20_001 <= differs[0] <= 20_001 + 16 + 64  # the grid of parameters, and the limiter's look-ahead
    assert level(played[24_000:38_000, 1]) > 5 * level(played[24_000:38_000, 0])


def test_panic_fades_within_20_ms_and_a_level_sounds_again(played: np.ndarray) -> None:
    assert np.abs(played[40_000 + 1100 : 49_000]).max() == 0.0
    assert level(played[55_000:]) > 1e-3


def test_no_sample_jumps(shipped_bundle: Bundle, played: np.ndarray) -> None:
    """Moving never makes a steeper step between two samples than the sounds themselves have where nothing moves."""
    at_rest = Values.defaults().set("/pan/azimuth", 70.0)
    steepest = 0.0
    for words in ("light sizzling crickets", "sci-fi, squishy humming"):
        for fear in (0.0, 8.0):
            values = at_rest.set("/prompt/b/text", words).set("/morph", 1.0, 0.0).set("/emotion/fear", fear)
            steepest = max(steepest, np.abs(np.diff(perform(shipped_bundle, values, [], SECONDS), axis=0)).max())
    assert np.abs(np.diff(played, axis=0)).max() < 1.2 * steepest


def test_the_seed_and_the_words_matter(shipped_bundle: Bundle) -> None:
    start = Values.defaults()
    sounds = [
        perform(shipped_bundle, values, [], 0.3)
        for values in (start, start.set("/generator/seed", 1), start.set("/prompt/a/text", "crickets"))
    ]
    assert not np.array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_every_loudspeaker_gets_its_channel(shipped_bundle: Bundle, channels: int) -> None:
    sound = perform(shipped_bundle, Values.defaults(), [], 0.2, channels=channels)
    assert sound.shape == (9600, channels)


def test_many_controls_at_once_are_all_applied(fresh_nets: Callable[[], Nets], make: Make) -> None:
    turn = [event(5_000 + k % 900, "/pan/azimuth", k % 360 - 180.0) for k in range(3000)]
    end = [event(6_000, "/pan/azimuth", -90.0)]
    sound = np.concatenate(list(perform_blocks(fresh_nets(), make, Values.defaults(), turn + end, 20_000)))
    assert level(sound[15_000:, 0]) > 5 * level(sound[15_000:, 1])


HEADER = Header(
    format=FORMAT,
    versions={},
    bundle="numpy",
    checksums={},
    seed=0,
    rate_hz=RATE,
    block=128,
    channels=2,
    provider="CPUExecutionProvider",
    values=Values.defaults(),
)


def test_a_journal_takes_latents_in_where_it_says(fresh_nets: Callable[[], Nets], make: Make) -> None:
    journal = Journal(HEADER, (event(10_240, SPLICE, 0, 1), event(20_000, END)))
    sound = np.concatenate(list(replay_blocks(fresh_nets(), make, journal)))
    assert len(sound) == 20_000
    assert np.abs(sound[:10_240]).max() == 0.0
    assert level(sound[12_288:]) > 1e-3


def test_a_journal_of_latents_nobody_asked_for_is_refused(fresh_nets: Callable[[], Nets], make: Make) -> None:
    journal = Journal(HEADER, (event(1024, SPLICE, 0, 77), event(20_000, END)))
    with pytest.raises(AeoliaError, match="request 77 was never made"):
        list(replay_blocks(fresh_nets(), make, journal))


def test_a_journal_of_another_rate_is_refused(fresh_nets: Callable[[], Nets], make: Make) -> None:
    journal = Journal(replace(HEADER, rate_hz=44_100), (event(20_000, END),))
    with pytest.raises(AeoliaError, match="44100 Hz"):
        list(replay_blocks(fresh_nets(), make, journal))


def test_a_replay_with_more_steps_is_another_sound_of_the_same_length(shipped_bundle: Bundle) -> None:
    journal = Journal(HEADER, (event(1024, SPLICE, 0, 1), event(9_000, END)))
    plain, finer = replay(journal, shipped_bundle), replay(journal, shipped_bundle, steps=4)
    assert plain.shape == finer.shape == (9_000, 2)
    assert not np.array_equal(plain, finer)


def test_a_journal_longer_than_a_day_is_refused(shipped_bundle: Bundle) -> None:
    journal = Journal(HEADER, (event(2**53, END),))
    with pytest.raises(AeoliaError, match=r"it ends at sample 9007199254740992: must be at most 86400 s"):
        replay(journal, shipped_bundle)
