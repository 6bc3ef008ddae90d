"""The demonstration's score: in time, in range, whole."""

from engine.cli import score
from engine.control import check
from engine.params import EMOTIONS


def test_every_event_is_allowed_and_within_the_piece() -> None:
    for event in score.events(48_000):
        assert check(event.address, event.args) == event.args
        assert 0 <= event.sample <= score.SECONDS * 48_000


def test_events_come_in_the_order_of_their_time() -> None:
    samples = [event.sample for event in score.events(48_000, start=1000)]
    assert samples == sorted(samples)
    assert samples[0] == 1000


def test_words_emotions_and_panning_all_move() -> None:
    assert len(score.words()) >= 3
    for emotion in EMOTIONS:
        curve = score.curve(f"/emotion/{emotion}")
        assert curve.max() >= 8
        assert curve[-1] == 0
    assert score.curve("/pan/azimuth").min() <= -60
    assert score.curve("/pan/azimuth").max() >= 60


def test_a_curve_is_what_the_events_set() -> None:
    values = {}
    for event in score.events(20):
        if event.address == "/morph":
            values[event.sample] = event.args[0]
    curve = score.curve("/morph")
    assert all(curve[min(sample, len(curve) - 1)] == value for sample, value in values.items())
