"""Every measure against answers that are known: a bundle that obeys reaches its goals, one that doesn't misses them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.offline import perform_blocks
from engine.player import Request
from engine.sampler import noise
from engine.stream import nets_of
from engine.voice import Float
from models.evaluate import classes, contrasts, diversity, drift, loudness, originality, seams, tonal
from models.evaluate.context import Context
from models.evaluate.dials import PLACES, Sweep
from models.evaluate.embeddings import distances, mean_distance
from models.evaluate.judge import Heard, Judge
from models.evaluate.prompts import MEASURES, prompts
from models.evaluate.result import MissingError
from models.evaluate.studio import Piece, values_of
from tests.models.evaluate.conftest import RATE_HZ, Obedient, Sound, clicks, panned, sine, white


def obeying(context: Context, answer: object) -> Context:
    assert callable(answer)
    return replace(context, studio=Obedient(answer, context.bundle, Path("nowhere")))


def textbook(piece: Piece) -> Sound:
    """What the words of the contrasts ask for."""
    words = piece.words
    if "panorama" in words:
        return panned(0.6 if "moving" in words else 0.0)
    if "noise" in words:
        return white(seed=piece.seed) if "wide" in words else np.repeat(white(seed=piece.seed)[:1], 2, axis=0)
    if "elements" in words and "sizzling" not in words:
        return clicks(1.0 if "slow" in words else 8.0)
    if "rumble" in words:
        return sine(60)
    return white(seed=piece.seed) if "sizzling" in words else sine(2000 if "light" in words else 100)


def test_an_obedient_bundle_reaches_every_contrast_and_a_deaf_one_none(context: Context) -> None:
    rows = contrasts.measure(obeying(context, textbook)).rows
    assert len(rows) == 6
    assert [row.value for row in rows] == [1.0] * 6
    assert all(row.reached for row in rows)
    deaf = contrasts.measure(obeying(context, lambda piece: white(seed=0))).rows
    assert not any(row.reached for row in deaf)


def test_the_prompts_are_those_the_issue_asks_for() -> None:
    table = prompts()
    assert len(set(table.dials)) == 20
    assert len(set(table.ordinary)) == 30
    assert {contrast.by for contrast in table.contrasts} == set(MEASURES)
    assert len(classes.classes()) >= 20
    assert len({c.name for c in classes.classes()}) == len(classes.classes())
    assert all(c.prompts and c.kinds and c.right for c in classes.classes())


def sweep(own: list[float], other: list[float]) -> Sweep:
    scores = np.zeros((3, len(PLACES), 4))
    scores[:, :, 1], scores[:, :, 2] = own, other
    return Sweep(1, scores, scores.mean(0)[:, 1])


def test_dials_are_scored_by_order_evenness_and_cross_talk() -> None:
    even = sweep([0, 2, 4, 6, 8, 10], [0, 0, 1, 1, 2, 2])
    assert even.spearman == even.each_spearman == pytest.approx(1)
    assert even.unevenness == pytest.approx(0)
    assert even.cross_talk == pytest.approx(0.2)
    bent = sweep([0, 4, 6, 8, 9, 10], [0, 0, -7, 0, 0, 0])
    assert bent.spearman == pytest.approx(1)
    assert bent.unevenness == pytest.approx(1)
    assert bent.cross_talk == pytest.approx(0.7)
    back = sweep([10, 8, 6, 4, 2, 0], [0] * 6)
    assert back.spearman == pytest.approx(-1)
    dead = sweep([0] * 6, [0] * 6)
    assert dead.spearman == 0
    assert dead.unevenness == float("inf")


@pytest.mark.parametrize("variation", [0.0, 0.5, 1.0])
def test_borders_are_where_the_engine_puts_them(tiny_bundle: Bundle, variation: float) -> None:
    asked: list[int] = []

    def make(request: Request) -> Float:
        asked.append(request.start)
        return noise(len(asked), tiny_bundle.manifest.latent_channels, tiny_bundle.manifest.chunk_frames)

    values = values_of(tiny_bundle, Piece("hum")).set("/generator/variation", variation)
    frames = 60
    blocks = perform_blocks(nets_of(tiny_bundle, 0), make, values, (), frames * 1024)
    assert sum(map(len, blocks)) == frames * 1024
    found = seams.borders(tiny_bundle.manifest, frames, variation)
    assert len(found) > 2
    assert found == [start for start in asked[1:] if start < frames]


def test_seams_are_found_where_they_are_and_nowhere_else(context: Context) -> None:
    smooth = [seams.flux(white(16.0, seed)) for seed in range(3)]
    starts = seams.borders(context.bundle.manifest, 740)
    assert seams.ratio(smooth, starts, 4) == pytest.approx(1, abs=0.03)
    finding = seams.measure(obeying(context, lambda piece: sine(200.0 * (1 + piece.seed), 16.0)))
    (row,) = finding.rows
    assert row.floor is not None
    assert row.floor > 1.5


def test_a_ramp_in_level_is_drift_and_a_steady_sound_has_none(context: Context) -> None:
    def ramp(piece: Piece) -> Sound:
        sound = white(piece.seconds)
        return sound * 10 ** (np.linspace(0, 8, sound.shape[1], dtype=np.float32) / 20)

    level, colour = drift.measure(obeying(context, ramp)).rows
    assert level.value == pytest.approx(6, abs=0.3)  # 8 dB over 4 pieces: 6 from the first's middle to the last's
    assert not level.reached
    assert colour.reached
    assert level.ceiling == pytest.approx(2, abs=0.2)
    steady = drift.measure(obeying(context, lambda piece: white(piece.seconds)))
    assert all(row.reached for row in steady.rows)
    assert len(steady.plots) == 1


@pytest.mark.parametrize(("hz", "deviation"), [(220.0, 0.0), (110.0, 20.0), (440.0, 20.0), (1000.0, 5.0)])
def test_cents_are_those_of_a_vibrato(hz: float, deviation: float) -> None:
    t = np.arange(6 * RATE_HZ) / RATE_HZ
    pitch = hz * 2 ** (deviation * np.sin(2 * np.pi * 0.5 * t) / 1200)
    tone = 0.1 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
    found = tonal.cents(np.repeat(tone[None], 2, axis=0).astype(np.float32))
    assert found == pytest.approx(deviation / np.sqrt(2), abs=0.1 * deviation + 0.05)


def test_cents_of_noise_and_of_a_held_tone_lie_far_apart() -> None:
    assert tonal.floor() > 10
    assert tonal.cents(tonal.held_tone(123.4, 3.0)) < 0.05
    with pytest.raises(ValueError, match="at least"):
        tonal.cents(sine(440, 0.1))


def test_loudness_is_that_of_the_standard() -> None:
    # EBU Tech 3341, cases 1 and 2: 1 kHz in both channels; and BS.1770's own: full scale, one channel.
    assert loudness.lufs(sine(1000, 4.0, 10 ** (-23 / 20))) == pytest.approx(-23, abs=0.1)
    assert loudness.lufs(sine(1000, 4.0, 10 ** (-33 / 20))) == pytest.approx(-33, abs=0.1)
    one = sine(997, 4.0, 1.0) * np.array([[1.0], [0.0]], np.float32)
    assert loudness.lufs(one) == pytest.approx(-3.01, abs=0.05)
    gated = np.concatenate([sine(1000, 4.0, 10 ** (-23 / 20)), sine(1000, 4.0, 10 ** (-60 / 20))], axis=1)
    assert loudness.lufs(gated) == pytest.approx(-23, abs=0.3)
    assert loudness.lufs(np.zeros((2, RATE_HZ), np.float32)) == float("-inf")


def test_the_spread_of_loudness_is_that_of_the_prompts(context: Context) -> None:
    def one_loud(piece: Piece) -> Sound:
        return sine(1000, 1.0, 0.1 if piece.words == "rain on a tin roof" else 0.05)

    loud = loudness.measure(obeying(context, one_loud))
    spreads = {row.measure: row.value for row in loud.rows}
    assert spreads["Loudness: spread of 22 descriptions"] == pytest.approx(0, abs=1e-6)
    assert spreads["Loudness: spread of 30 ordinary prompts"] == pytest.approx(6.02, abs=0.01)
    assert spreads["Loudness: spread of all prompts"] == pytest.approx(6.02, abs=0.01)


def test_distances_are_euclidean() -> None:
    a = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert distances(a, a[1:])[:, 0] == pytest.approx([5, 0], abs=1e-6)
    assert mean_distance(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2)


def test_one_sound_for_all_seeds_is_no_diversity(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError, match="sounds of a description"):
        diversity.measure(context)
    monkeypatch.setattr(diversity, "LEAST", 1)
    same = [replace(entry, description=0) for entry in context.source.entries]
    context.source.__dict__["entries"] = tuple(same)
    (row,) = diversity.measure(obeying(context, lambda piece: white(seed=0))).rows
    assert row.value == pytest.approx(0, abs=1e-5)
    assert not row.reached
    (real,) = diversity.measure(obeying(context, lambda piece: context.source.sound(same[piece.seed * 2]))).rows
    assert real.value == pytest.approx(1, abs=0.4)


def test_a_shifted_copy_is_found_and_a_stranger_is_not() -> None:
    sound = clicks(3.0, 6.0) * np.repeat(np.random.default_rng(0).uniform(0.1, 1, 24), 12_000).astype(np.float32)
    assert originality.aligned_correlation(sound[:, 70_000:262_000], sound) > 0.97
    assert originality.aligned_correlation(white(4.0), white(6.0, 1)) < 0.3
    assert originality.aligned_correlation(white(1.0), white(6.0)) == 0


class Knowing(Judge):
    """A judge that knows what it is given by its level: 0.1 is Rain."""

    def hear(self, sound: Sound) -> Heard:
        loud = float(np.abs(sound).max())
        scores = np.array([[loud, 0.05, 0.04, 0.03, 0.02, 0.01, 1 - loud]], np.float32)
        return Heard(scores, np.ones((1, 2), np.float32))


def test_hits_are_counted_over_those_of_real_recordings(context: Context) -> None:
    judge = Knowing("knowing", "0", ("Rain", "B", "C", "D", "E", "F", "Thunder"), None)
    kinds = classes.classes()[:2]  # rain and thunder
    entries = {c.name: context.source.entries[:2] for c in kinds}
    made = {"rain": [sine(440, amplitude=0.1)] * 2 + [sine(440, amplitude=0.0)] * 2, "thunder": [sine(440)]}
    finding = classes.judged(context, judge, kinds, made, entries, "goal")
    (row,) = finding.rows
    assert row.value == pytest.approx((0.5 + 1) / 2)
    assert row.ceiling == 1
    assert not row.reached
    assert finding.tables[0].rows[0][1:3] == ("2 of 4", "2 of 2")
