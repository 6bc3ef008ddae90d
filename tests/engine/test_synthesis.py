"""Spectral modelling synthesis: steady tones, white noise, and the same sound in hops, in one go and in torch."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import synthesis
from engine.synthesis import (
    DELAY_SAMPLES,
    HOP,
    NOISE_BANDS,
    NOISE_FRAMES,
    NOISE_WINDOW,
    SAMPLE_RATE_HZ,
    band_matrix,
    oscillator_hz,
)
from models.synthesis import Synthesis

HZ = oscillator_hz().astype(np.float64)
K = len(HZ)


@dataclass(frozen=True)
class Amplitudes:
    """Of T frames: tone (T, 2, K), noise (T, P, 2, G), coherence (T, P, G)."""

    tone: synthesis.Float
    noise: synthesis.Float
    coherence: synthesis.Float


class Synthesizer(synthesis.Synthesizer):
    """Plays many frames in one go: (2, T * HOP)."""

    def __call__(self, said: Amplitudes) -> synthesis.Float:
        frames = zip(said.tone, said.noise, said.coherence, strict=True)
        return np.concatenate([self.hop(*frame) for frame in frames], axis=1)


def amplitudes(frames: int, seed: int = 0) -> Amplitudes:
    """Amplitudes as wild as a decoder's, over four orders of magnitude."""
    rng = np.random.default_rng(seed)
    tone = np.exp(rng.uniform(-12, -3, (frames, 2, K))).astype(np.float32)
    noise = np.exp(rng.uniform(-10, -1, (frames, NOISE_FRAMES, 2, NOISE_BANDS))).astype(np.float32)
    return Amplitudes(tone, noise, rng.uniform(0, 1, (frames, NOISE_FRAMES, NOISE_BANDS)).astype(np.float32))


def held(oscillator: int, frames: int) -> Amplitudes:
    """One oscillator at amplitude 1 and no noise."""
    blank = steady(frames, 0.0, 0.0)
    blank.tone[:, :, oscillator] = 1
    return blank


def steady(frames: int, gain: float, coherence: float) -> Amplitudes:
    """Noise at one gain in all bands and no tones."""
    return Amplitudes(
        np.zeros((frames, 2, K), np.float32),
        np.full((frames, NOISE_FRAMES, 2, NOISE_BANDS), gain, np.float32),
        np.full((frames, NOISE_FRAMES, NOISE_BANDS), coherence, np.float32),
    )


def part(whole: Amplitudes, start: int, end: int) -> Amplitudes:
    return Amplitudes(whole.tone[start:end], whole.noise[start:end], whole.coherence[start:end])


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**40))
def test_hop_by_hop_equals_in_one_go(groups: list[int], position: int) -> None:
    whole = amplitudes(sum(groups))
    one, many = Synthesizer(7, position), Synthesizer(7, position)
    ends = np.cumsum(groups)
    pieces = [many(part(whole, end - group, end)) for group, end in zip(groups, ends, strict=True)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), one(whole))


@pytest.mark.parametrize("first", [0, 12_345_678])
def test_equals_torch(first: int) -> None:
    frames, seed = 12, 3
    said, ours = amplitudes(frames), Synthesizer(seed, first)
    white = np.concatenate([ours.white(first + i) for i in range(frames)]).transpose(1, 0, 2)
    turns = np.random.default_rng([seed, 1]).random(K)[None, None]
    theirs = Synthesis()
    excitation = theirs.excite(torch.from_numpy(turns), torch.from_numpy(white)[None], first)
    tone, noise, coherence = (torch.from_numpy(a)[None] for a in (said.tone, said.noise, said.coherence))
    reference = theirs(tone, noise, coherence, excitation)[0].numpy()
    error = np.sqrt(np.mean((ours(said) - reference) ** 2) / np.mean(reference**2))
    print(f"relative error {error:.1e}")
    assert error < 2e-6


@pytest.mark.parametrize(
    ("oscillator", "rest_db"),
    # What is left is the lobe's far skirt.
    [(0, -52), (10, -52), (40, -52), (80, -60), (168, -50), (300, -50), (K - 1, -100)],
)
def test_held_oscillator_is_steady_and_pure(oscillator: int, rest_db: float) -> None:
    frames, hz = 120, HZ[oscillator]
    sound = Synthesizer(1, 1_000_000)(held(oscillator, frames))[0].astype(np.float64)
    time = np.arange(len(sound))
    turning = sound * np.exp(-2j * np.pi * hz / SAMPLE_RATE_HZ * time)
    # Over a second at either end, windowed so that the image at -hz is gone, the phase must be the same.
    size = SAMPLE_RATE_HZ
    window = np.blackman(size)
    early, late = (np.sum(window * turning[s : s + size]) for s in (2 * HOP, len(sound) - size - HOP))
    apart_s = (len(sound) - size - 3 * HOP) / SAMPLE_RATE_HZ
    cents = 1200 / np.log(2) * np.angle(late / early) / (2 * np.pi * apart_s * hz)
    middle = slice(2 * HOP, len(sound) - HOP)
    basis = np.stack([f(2 * np.pi * hz / SAMPLE_RATE_HZ * time[middle]) for f in (np.cos, np.sin)], 1)
    fit = basis @ np.linalg.lstsq(basis, sound[middle], rcond=None)[0]
    impurity_db = decibels(np.mean((sound[middle] - fit) ** 2) / np.mean(fit**2))
    level_db = decibels(2 * np.mean(fit**2))
    print(f"{hz:.1f} Hz: {cents:.1e} cents, the rest at {impurity_db:.1f} dB, level {level_db:.3f} dB")
    assert abs(cents) < 0.1
    assert impurity_db < rest_db
    assert abs(level_db) < 0.03


def test_phases_are_precise_after_months() -> None:
    frame = 90 * 24 * 3600 * SAMPLE_RATE_HZ // HOP
    exact = [
        float((Fraction(float(hz)) * (frame + 1) * HOP / SAMPLE_RATE_HZ + Fraction(float(start))) % 1)
        for hz, start in zip(HZ, np.random.default_rng([5, 1]).random(K), strict=True)
    ]
    error = np.abs(np.angle(Synthesizer(5).phases(frame) / np.exp(2j * np.pi * np.array(exact))))
    print(f"largest phase error {error.max():.1e} rad")
    assert error.max() < 1e-4


def test_noise_is_white_and_of_unit_gain() -> None:
    sound = Synthesizer(2)(steady(400, 1.0, 0.0))[:, HOP:]
    assert abs(decibels(float(np.var(sound)))) < 0.05
    spectrum = np.abs(np.fft.rfft(sound)) ** 2 / sound.shape[1]
    hz = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE_HZ)
    inside = spectrum[:, (hz > 100) & (hz < 23_900)]
    bands = inside[:, : inside.shape[1] // 32 * 32].reshape(2, 32, -1).mean(2)  # 2 * 32 * 6300 values
    print(f"bands within {np.abs(10 * np.log10(bands)).max():.2f} dB")
    assert np.abs(10 * np.log10(bands)).max() < 0.3


@pytest.mark.parametrize("coherence", [0.0, 0.3, 0.9, 1.0])
def test_coherence_is_the_correlation_of_left_and_right(coherence: float) -> None:
    left, right = Synthesizer(2)(steady(200, 0.5, coherence))
    assert np.corrcoef(left, right)[0, 1] == pytest.approx(coherence, abs=0.02)


def test_full_coherence_is_mono_and_finite() -> None:
    left, right = Synthesizer(2)(steady(8, 1.0, 1.0))
    assert np.isfinite(left).all()
    np.testing.assert_allclose(left, right, atol=2e-3)  # a band weight short of 1 by 1e-7 leaves a share of 3e-4


def test_reset_at_a_position_equals_having_come_there_except_the_tails() -> None:
    whole = amplitudes(9)
    came, jumped = Synthesizer(4), Synthesizer(4, 77)
    came(part(whole, 0, 5))
    jumped.reset(5)
    ours, theirs = (s(part(whole, 5, 9)) for s in (jumped, came))
    np.testing.assert_array_equal(ours[:, HOP:], theirs[:, HOP:])
    assert np.abs(ours[:, :HOP] - theirs[:, :HOP]).max() > 1e-3


def test_seeds_and_frames_are_independent() -> None:
    one = Synthesizer(1)
    whites = [one.white(0), one.white(1), one.white(2**40), Synthesizer(2).white(0)]
    flat = np.stack(whites).view(np.float32).reshape(-1, NOISE_WINDOW + 2)
    assert np.abs(np.corrcoef(flat) - np.eye(len(flat))).max() < 0.2
    assert np.std(flat) == pytest.approx(np.sqrt(NOISE_WINDOW / 2), rel=0.02)
    assert not np.allclose(one.phases(3), Synthesizer(2).phases(3))


def test_sound_of_a_frame_lies_the_delay_after_its_centre() -> None:
    burst = held(200, 7)
    burst.tone[[0, 1, 2, 4, 5, 6]] = 0
    power = Synthesizer(3)(burst)[0].astype(np.float64) ** 2
    centre = np.sum(power * np.arange(len(power))) / power.sum()
    assert centre == pytest.approx(3 * HOP + HOP / 2 + DELAY_SAMPLES, abs=4)


def test_nothing_said_is_silence() -> None:
    assert not Synthesizer(1)(steady(3, 0.0, 0.5)).any()


def test_noise_holds_little_that_nobody_hears() -> None:
    power = np.abs(np.fft.rfft(Synthesizer(2)(steady(400, 1.0, 0.0))[0])) ** 2
    hz = np.fft.rfftfreq(400 * HOP, 1 / SAMPLE_RATE_HZ)
    below_db, above_db = (decibels(power[(hz > low) & (hz < low + 20)].mean()) for low in (0, 200))
    print(f"below 20 Hz {below_db - above_db:.1f} dB")
    assert below_db < above_db - 6


def test_band_weights_of_each_bin_but_the_first_add_to_one() -> None:
    weights = band_matrix().sum(0)
    np.testing.assert_allclose(weights[1:], 1, atol=1e-6)
    assert weights[0] == 0
    assert (np.count_nonzero(band_matrix(), axis=0) <= 2).all()


def test_bank_rises_and_has_no_gap_that_beats_cannot_fill() -> None:
    assert (np.diff(HZ) > 0).all()
    assert HZ[0] == 30
    assert (np.diff(HZ) <= 47).all()
