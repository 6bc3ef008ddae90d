"""The sound kept ready grows when it was not enough, and shrinks when it was never needed."""

import pytest

from engine.lead import CALM_S, DEFAULT_LEAD_FRAMES, LEAST_LEAD_FRAMES, MOST_LEAD_FRAMES, STEP_FRAMES, Lead

RATE, BLOCK = 48_000, 256
CALM = round(CALM_S * RATE)


def test_an_empty_read_makes_it_grow_at_once_up_to_a_bound() -> None:
    lead = Lead(RATE, BLOCK)
    for k in range(1, 20):
        lead.observe(k * 1024, k, 0)
        assert lead.frames == min(DEFAULT_LEAD_FRAMES + k * STEP_FRAMES, MOST_LEAD_FRAMES)


def test_what_was_empty_before_it_began_counts_for_nothing() -> None:
    lead = Lead(RATE, BLOCK)
    lead.begin(48_000, 14)
    lead.observe(49_024, 14, 2000)
    assert lead.frames == DEFAULT_LEAD_FRAMES
    lead.observe(50_048, 15, 0)
    assert lead.frames == DEFAULT_LEAD_FRAMES + STEP_FRAMES


def test_one_empty_read_counts_once() -> None:
    lead = Lead(RATE, BLOCK)
    for k in range(5):
        lead.observe(k * 1024, 1, 2000)
    assert lead.frames == DEFAULT_LEAD_FRAMES + STEP_FRAMES


def test_what_was_never_used_is_given_back_down_to_a_bound() -> None:
    lead = Lead(RATE, BLOCK)
    for k in range(20):
        lead.observe(k * CALM, 0, 2000)
    assert lead.frames == LEAST_LEAD_FRAMES


@pytest.mark.parametrize(("lowest", "given_back"), [(STEP_FRAMES + 2 * BLOCK, True), (STEP_FRAMES + BLOCK, False)])
def test_one_narrow_escape_keeps_it(lowest: int, given_back: bool) -> None:
    lead = Lead(RATE, BLOCK)
    for position, fill in ((0, 2000), (CALM // 2, lowest), (CALM, 2000)):
        lead.observe(position, 0, fill)
    assert (lead.frames < DEFAULT_LEAD_FRAMES) == given_back
    lead.observe(2 * CALM, 0, 2000)  # a calm time later it is forgotten
    assert lead.frames < DEFAULT_LEAD_FRAMES


def test_what_was_asked_for_is_a_bound_itself() -> None:
    assert Lead(RATE, 4096, 1024).frames == 4096
    small = Lead(RATE, BLOCK, 512)
    small.observe(CALM, 0, 512 + 512)
    assert small.frames == 512
    large = Lead(RATE, BLOCK, 9000)
    large.observe(1024, 1, 0)
    assert large.frames == 9000
