"""Measurements as values."""

import pytest

from engine.callback import CallbackState
from engine.params import READINGS_BY_ADDRESS, Latency
from engine.stats import LOAD_WINDOW_S, RECENT, Load, Onset, Onsets, Snapshot


def test_onsets_are_of_the_most_recent_events_of_each_class() -> None:
    onsets = Onsets()
    for ms in range(10 * RECENT):
        onsets.add(Latency.HOP, float(ms))
    found = onsets.summary()
    assert list(found) == [Latency.HOP]
    assert found[Latency.HOP].count == RECENT
    assert found[Latency.HOP].p50_ms == pytest.approx(9.5 * RECENT, abs=1)
    assert found[Latency.HOP].p99_ms == pytest.approx(9.99 * RECENT, abs=1)


def test_load_follows_the_work_of_the_last_seconds() -> None:
    load = Load()
    load.add(0.01, 0.02)
    assert load.value == pytest.approx(0.5)
    for _ in range(int(10 * LOAD_WINDOW_S / 0.02)):
        load.add(0.002, 0.02)
    assert load.value == pytest.approx(0.1, rel=0.01)


def test_readings_are_those_of_the_table() -> None:
    snapshot = Snapshot(
        meters=CallbackState().snapshot(),
        onsets={Latency.BLOCK: Onset(1.0, 2.0, 3)},
        load=0.1,
        late=0,
        restarts=1,
        faults=0,
        gaps=3,
        refused=2,
        rate_hz=48_000,
        problems=("sound device x was lost", "disk full"),
    )
    readings = snapshot.readings()
    missing = {"/latency/hop", "/latency/model"}  # not measured yet
    assert set(readings) == set(READINGS_BY_ADDRESS) - missing
    assert readings["/latency/block"] == (1.0, 2.0)
    assert readings["/problem"] == ("sound device x was lost; disk full",)
    assert len(readings["/meter/peak"]) == 2
    assert readings["/meter/empty"] == (3,)
