"""Words and dials hold when measured on the sound, not on the parameters that made it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from models.data.descriptions import (
    ATTRIBUTES,
    DESCRIPTIONS,
    GROUPS,
    HELD_OUT_COMBINATIONS,
    RECIPES,
    Recipe,
    is_held_out,
)
from models.data.kernels import SAMPLE_RATE_HZ
from models.data.layers import LAYERS
from models.data.procedural import free_recipe, render, render_recipe, stream

CALM = (1.0, 1.0, 1.0, 1.0)


@cache
def heard(
    layers: tuple[str, ...],
    attributes: tuple[str, ...] = (),
    emotions: tuple[float, ...] = CALM,
    seed: int = 3,
    seconds: float = 2.0,
) -> np.ndarray:
    return render_recipe(seed, seconds, Recipe(layers, attributes), np.array(emotions))[0]


def spectrum(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean power spectrum of both channels."""
    window = np.hanning(4096)
    frames = np.lib.stride_tricks.sliding_window_view(audio, 4096, axis=1)[:, ::2048]
    power = np.mean(np.abs(np.fft.rfft(frames * window, axis=2)) ** 2, axis=(0, 1))
    return np.fft.rfftfreq(4096, 1 / SAMPLE_RATE_HZ), power


def centroid_octaves(audio: np.ndarray) -> float:
    hz, power = spectrum(audio)
    return float(np.log2(np.sum(hz * power) / np.sum(power)))


def share_db(audio: np.ndarray, low_hz: float, high_hz: float) -> float:
    hz, power = spectrum(audio)
    return float(10 * np.log10(np.sum(power[(hz >= low_hz) & (hz < high_hz)]) / np.sum(power) + 1e-12))


def rms_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio**2)))


def envelope(audio: np.ndarray, hz: int = 400) -> np.ndarray:
    """RMS of both channels in steps of 1/hz."""
    step = SAMPLE_RATE_HZ // hz
    usable = audio[:, : audio.shape[1] // step * step]
    return np.sqrt(np.mean(usable.reshape(2, -1, step) ** 2, axis=(0, 2)))


def modulation(audio: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Depth of the envelope's modulation in a band, relative to its mean."""
    curve = envelope(audio)
    power = np.abs(np.fft.rfft((curve / curve.mean() - 1.0) * np.hanning(len(curve)))) ** 2
    hz = np.fft.rfftfreq(len(curve), 1 / 400)
    return float(np.sqrt(np.sum(power[(hz >= low_hz) & (hz < high_hz)])) / len(curve))


def onsets_per_s(audio: np.ndarray) -> float:
    rise = np.diff(np.log(envelope(audio, 200) + 1e-4))
    hit = rise > 0.35
    return float(np.sum(hit[1:] & ~hit[:-1]) / (audio.shape[1] / SAMPLE_RATE_HZ))


def flux(audio: np.ndarray) -> float:
    frames = np.lib.stride_tricks.sliding_window_view(audio.mean(axis=0), 2048)[::1024]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(2048), axis=1))
    magnitude /= np.linalg.norm(magnitude, axis=1, keepdims=True) + 1e-9
    return float(np.mean(np.linalg.norm(np.diff(magnitude, axis=0), axis=1)))


def correlation(audio: np.ndarray) -> float:
    return float(np.corrcoef(audio)[0, 1])


@pytest.mark.parametrize("description", range(len(DESCRIPTIONS)))
def test_every_description_sounds_within_bounds(description: int) -> None:
    sound = render(11 + description, 1.0, description=description)
    assert sound.audio.shape == (2, SAMPLE_RATE_HZ)
    assert sound.audio.dtype == np.float32
    assert np.all(np.isfinite(sound.audio))
    assert np.max(np.abs(sound.audio)) <= 0.98
    assert -40.0 < rms_db(sound.audio) < -8.0
    assert np.max(np.abs(np.mean(sound.audio, axis=1))) < 0.01
    assert sound.captions[0] == DESCRIPTIONS[description]
    assert set(RECIPES[description].attributes) <= set(sound.attributes)
    assert sound.azimuth_deg.shape == (10,)
    assert np.max(np.abs(sound.azimuth_deg)) <= 90.0


@pytest.mark.parametrize("layer", LAYERS)
def test_sound_is_already_there_and_still_there_at_the_edges(layer: str) -> None:
    curve = envelope(heard((layer,)), 2)
    assert curve[0] > 0.15 * curve.mean()
    assert curve[-1] > 0.15 * curve.mean()


def test_rendering_is_deterministic() -> None:
    a, b = render(5, 0.5), render(5, 0.5)
    assert np.array_equal(a.audio, b.audio)
    assert (a.captions, a.attributes) == (b.captions, b.attributes)
    assert not np.array_equal(a.audio, render(6, 0.5).audio)


def test_emotions_recolour_the_same_piece() -> None:
    happy, sad = (render(8, 1.0, emotions=np.array(e)) for e in ((9.0, 0.0, 0.0, 0.0), (0.0, 9.0, 0.0, 0.0)))
    assert (happy.layers, happy.attributes) == (sad.layers, sad.attributes)
    assert np.array_equal(happy.azimuth_deg, sad.azimuth_deg)
    assert rms_db(happy.audio) > rms_db(sad.audio) + 4.0


def test_small_emotion_changes_are_small() -> None:
    a, b = (heard(("drone",), (), (3.0, 2.0, 2.0, anger)) for anger in (2.0, 2.2))
    assert abs(rms_db(a) - rms_db(b)) < 0.5
    assert abs(centroid_octaves(a) - centroid_octaves(b)) < 0.15


@pytest.mark.parametrize("layer", ["hum", "glitch", "noise"])
def test_deep_is_darker_than_light(layer: str) -> None:
    deep, plain, light = (centroid_octaves(heard((layer,), a)) for a in (("deep",), (), ("light",)))
    assert deep + 0.3 < plain < light - 0.3


def test_sizzle_has_more_air_than_hum() -> None:
    assert share_db(heard(("sizzle",)), 8_000, 24_000) > share_db(heard(("hum",)), 8_000, 24_000) + 20.0


def test_rumble_is_low() -> None:
    assert share_db(heard(("rumble",)), 20, 250) > -1.5


def test_crickets_sing_between_3_and_9_khz() -> None:
    assert share_db(heard(("crickets",)), 2_500, 9_500) > -1.5


@pytest.mark.parametrize("layer", ["elements", "glitch"])
def test_rapid_has_more_onsets_than_slow(layer: str) -> None:
    rates = [
        np.mean([onsets_per_s(heard((layer,), a, seed=s, seconds=4.0)) for s in (1, 2)])
        for a in (("slow",), ("rapid",))
    ]
    assert rates[1] > 1.5 * rates[0]


def test_moving_panorama_moves_and_slow_moves_slowly() -> None:
    track = {}
    for a in ("static_panorama", "slight_panorama", "slow_panorama", "moving_panorama"):
        audio = heard(("noise",), (a,), seconds=6.0)
        power = np.mean(audio.reshape(2, -1, 9_600) ** 2, axis=2)
        track[a] = (power[1] - power[0]) / (power[1] + power[0])
    still, slight, slow, moving = (float(np.std(x)) for x in track.values())
    assert still + 0.1 < slight < slow - 0.1
    assert moving > still + 0.4
    speed = {a: float(np.mean(np.abs(np.diff(x)))) for a, x in track.items()}
    assert speed["moving_panorama"] > 2.0 * speed["slow_panorama"] > 4.0 * speed["static_panorama"]


def test_azimuth_label_follows_the_level_difference() -> None:
    audio, azimuth_deg = render_recipe(4, 4.0, Recipe(("noise",), ("moving_panorama",)), np.array(CALM))
    frames = audio.reshape(2, -1, 4_800)
    power = np.mean(frames**2, axis=2)
    to_right = (power[1] - power[0]) / (power[1] + power[0])
    assert np.corrcoef(to_right, azimuth_deg)[0, 1] > 0.9


@pytest.mark.parametrize("layer", ["drone", "noise", "buzz"])
def test_spatial_is_wider_than_close(layer: str) -> None:
    assert correlation(heard((layer,), ("spatial",))) < correlation(heard((layer,), ("close",))) - 0.3


def test_stable_changes_less_than_glitchy() -> None:
    assert flux(heard(("rumble",), ("stable",))) < flux(heard(("glitch",))) - 0.1

    def sway(attributes: tuple[str, ...]) -> float:
        layers = ("hum", "drone", "noise", "cymbals")
        return float(np.mean([modulation(heard((x,), attributes, seconds=6.0), 0.3, 6.0) for x in layers]))

    assert sway(("stable",)) < 0.75 * sway(())


@pytest.mark.parametrize(("attribute", "sign"), [("rising", 1.0), ("falling", -1.0)])
def test_pitch_goes_where_the_word_says(attribute: str, sign: float) -> None:
    audio = heard(("sixth",), (attribute,), seconds=4.0)
    third = audio.shape[1] // 3
    assert sign * (centroid_octaves(audio[:, -third:]) - centroid_octaves(audio[:, :third])) > 0.2


def test_soft_is_quieter_than_heavy() -> None:
    assert rms_db(heard(("hum",), ("soft",))) < rms_db(heard(("hum",), ("heavy",))) - 5.0


def test_long_pitch_envelope_changes_glitches() -> None:
    assert flux(heard(("glitch",), ("long_pitch_envelope",))) != flux(heard(("glitch",)))


MEASURES = {"level": rms_db, "centroid": centroid_octaves, "roughness": lambda a: modulation(a, 30.0, 80.0)}
DIALS = [
    (0, "level", 1.0, 1.5),
    (0, "centroid", 1.0, 0.4),
    (1, "level", -1.0, 4.0),
    (1, "centroid", -1.0, 0.4),
    (2, "level", -1.0, 1.0),
    (2, "centroid", 1.0, 0.4),
    (3, "level", 1.0, 5.0),
    (3, "centroid", 1.0, 0.4),
    (3, "roughness", 1.0, 0.02),
]


@pytest.mark.parametrize(("dial", "measure", "sign", "least"), DIALS)
def test_dials_are_monotone_and_plain(dial: int, measure: str, sign: float, least: float) -> None:
    """Averaged over four materials, each step of a dial moves each of its cues in the cue's direction."""
    track = []
    for value in (0.0, 3.5, 7.0, 10.0):
        felt = list(CALM)
        felt[dial] = value
        materials = [heard((layer,), (), tuple(felt)) for layer in ("hum", "noise", "sixth", "swarm")]
        track.append(np.mean([MEASURES[measure](audio) for audio in materials]))
    assert np.all(sign * np.diff(track) > 0.0), track
    assert sign * (track[-1] - track[0]) > least, track


def test_fear_trembles() -> None:
    calm, afraid = (modulation(heard(("sixth",), (), (1.0, 1.0, fear, 1.0)), 4.0, 14.0) for fear in (0.0, 9.0))
    assert afraid > 1.5 * calm


def test_happy_events_come_faster_than_sad_ones() -> None:
    happy, sad = (onsets_per_s(heard(("elements",), (), e, seconds=4.0)) for e in ((9.0, 0, 0, 0), (0, 9.0, 0, 0)))
    assert happy > 1.5 * sad


def test_held_out_combinations_are_never_composed() -> None:
    assert not any(is_held_out(recipe) for recipe in RECIPES)
    assert not any(is_held_out(free_recipe(stream(seed, "recipe"))) for seed in range(1_500))
    assert all(a in ATTRIBUTES and layer in LAYERS for a, layer in HELD_OUT_COMBINATIONS)


def test_free_recipes_do_not_contradict_themselves() -> None:
    for seed in range(500):
        recipe = free_recipe(stream(seed, "recipe"))
        assert set(recipe.layers) <= set(LAYERS)
        for members in GROUPS.values():
            assert sum(a in members for a in recipe.attributes) <= 1


def test_wrong_arguments_name_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"0\.\.21"):
        render(0, 1.0, description=22)
    with pytest.raises(ValueError, match=r"0\.\.10"):
        render(0, 1.0, emotions=np.array([0, 0, 0, 11]))
    with pytest.raises(ValueError, match="seconds"):
        render(0, 0.01)
