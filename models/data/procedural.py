"""Render one labelled texture: recipe -> controls -> layers -> treatments -> level.

Every random choice comes from a generator of its own, seeded by (seed, name of the choice). The choices that make the
piece never see the emotions, so one seed under two emotion vectors is one piece in two colours.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.data import treatments
from models.data.captions import captions
from models.data.descriptions import DESCRIPTIONS, GROUPS, RECIPES, Recipe, is_held_out
from models.data.emotions import Colour, colour, draw_emotions, resting_emotions
from models.data.kernels import SAMPLE_RATE_HZ, Audio
from models.data.layers import LAYERS
from models.data.signals import Controls, drift, swing, unit, upsample

PRE_ROLL_S = 1.2
"""Rendered before the first sample and thrown away: filters and rooms are already sounding when the texture begins."""

BASE_LEVEL_DB = -22.0


@dataclass(frozen=True)
class Sound:
    """A texture and all that is known about it by construction."""

    audio: Audio
    """(2, N) float32 at 48 kHz, |x| <= 0.98."""
    captions: tuple[str, ...]
    held_out_captions: tuple[str, ...]
    description: int
    """Index into DESCRIPTIONS, or -1 for a free composition."""
    emotions: NDArray[np.float32]
    """(4,) happiness, sadness, fear, anger, each 0..10."""
    azimuth_deg: NDArray[np.float32]
    """(K,) pan at 10 Hz, -90 left .. 90 right."""
    attributes: tuple[str, ...]
    layers: tuple[str, ...]


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of one named choice of one piece."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def free_recipe(rng: np.random.Generator) -> Recipe:
    """A composition of 1-3 layers and at most one attribute of each group, sensible and never held out."""
    names = tuple(LAYERS)
    while True:
        count = int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
        layers = tuple(names[i] for i in rng.choice(len(names), count, replace=False))
        recipe = Recipe(layers, _free_attributes(rng, layers, ()), tuple(rng.uniform(-5.0, 2.0, count)))
        if not is_held_out(recipe):
            return recipe


def _free_attributes(
    rng: np.random.Generator, layers: tuple[str, ...], taken: tuple[str, ...], chance: float = 0.3
) -> tuple[str, ...]:
    heights = {LAYERS[x].height for x in layers}
    pitched = all(LAYERS[x].pitched for x in layers)
    eventful = any(LAYERS[x].eventful for x in layers)
    harmonic = any(x in ("hum", "drone", "sixth", "buzz", "squish") for x in layers)
    grainy = any(x in ("glitch", "elements", "glass", "squish") for x in layers)
    allowed = {
        "register": tuple(a for a, bad in (("deep", "high"), ("light", "low")) if bad not in heights),
        "tempo": GROUPS["tempo"] if eventful else (),
        "pitch": GROUPS["pitch"] if pitched else (),
        "modulation": GROUPS["modulation"] if pitched else (),
        "envelope": GROUPS["envelope"] if grainy else (),
        "order": (("regular",) if eventful else ()) + (("stable",) if not eventful else ()),
        "timbre": (("hollow",) if harmonic and len(layers) == 1 else ())
        + (("atonal",) if pitched and "sixth" not in layers else ()),
    }
    chosen: list[str] = []
    for group, members in GROUPS.items():
        options = allowed.get(group, members)
        hit, which = rng.random() < chance, rng.random()
        if hit and options and not any(m in taken for m in members):
            chosen.append(options[int(which * len(options))])
    if "stable" in chosen + list(taken):
        chosen = [
            a for a in chosen if a not in GROUPS["pitch"] and a != "frequency_modulation" and a != "moving_panorama"
        ]
    return tuple(chosen)


def _with_extras(recipe: Recipe, seed: int) -> Recipe:
    """Sometimes dress a description with attributes it leaves open: its words stay true."""
    rng = stream(seed, "extras")
    extra = _free_attributes(rng, recipe.layers, recipe.attributes, 0.07)
    dressed = Recipe(recipe.layers, recipe.attributes + extra, recipe.gains_db)
    return recipe if is_held_out(dressed) else dressed


def _glide(seed: int, n: int, attributes: tuple[str, ...], c: Colour) -> Audio:
    """Pitch ratio (N,): the contour of the pitch attributes, plus the vibrato and tremor of the emotions."""
    rng = stream(seed, "glide")
    contour, wander, bend, fm, shake = rng.spawn(5)
    t = np.arange(n, dtype=np.float32) / n
    span = min(contour.uniform(1.8, 3.2) * n / SAMPLE_RATE_HZ, 22.0)
    semitones = np.zeros(n, np.float32)
    if "rising" in attributes:
        semitones += np.float32(span) * (t - 0.5)
    if "falling" in attributes:
        semitones -= np.float32(span) * (t - 0.5)
    if "rising_falling" in attributes:
        semitones += upsample(contour.uniform(5.0, 9.0) * swing(contour, n, contour.uniform(0.22, 0.42), 0.2), n)
    if "varying_pitch" in attributes:
        semitones += upsample(
            wander.uniform(5.0, 8.0) * drift(wander, n, wander.uniform(0.7, 1.4) * 2.0 ** (0.4 * c.rate_octaves))[0], n
        )
    if "slow_pitch_envelope" in attributes:
        semitones += upsample(bend.uniform(6.0, 10.0) * drift(bend, n, 0.35)[0], n)
    if "frequency_modulation" in attributes:
        hz = fm.uniform(2.5, 7.5) * 2.0 ** (0.5 * c.rate_octaves)
        depth = fm.uniform(1.5, 4.0) * (0.75 + 0.25 * drift(fm, n, 0.4)[0])
        semitones += upsample(depth * swing(fm, n, hz, 0.3 * c.irregularity), n)
    steady = 0.25 if "stable" in attributes else 1.0
    vibrato = 0.5 * c.vibrato * swing(shake, n, shake.uniform(4.3, 5.6))
    tremble = 0.9 * c.tremor * drift(shake, n, 13.0)[0]
    semitones += upsample(steady * (vibrato + tremble + 0.08 * drift(shake, n, 0.5)[0]), n)
    return np.asarray(2.0 ** (semitones / np.float32(12.0)), np.float32)


def _controls(seed: int, n: int, recipe: Recipe, c: Colour) -> Controls:
    """The piece's own draws, moved by its attributes and by the emotions' cues."""
    rng = stream(seed, "piece")
    has = set(recipe.attributes).__contains__
    u = rng.random(12)
    register = 0.5 if has("deep") else 1.75 if has("light") else 1.0
    pitch = {0.5: 40.0, 1.0: 78.0, 1.75: 210.0}[register] * 2.0 ** (0.85 * u[0])
    tempo = 2.1 if has("rapid") else 0.42 if has("slow") else 1.0
    hush = 0.3 if has("soft") or has("subtle") else 0.0
    brightness = 0.35 * (u[2] - 0.5) - 0.3 * has("deep") + 0.3 * has("light") - 0.25 * has("gloomy") - 0.5 * hush
    shift = 2.0 ** (c.register_semitones / 12.0)
    unrest = 0.06 if has("stable") else c.unrest * (0.7 + 0.6 * u[4])
    irregular = c.irregularity * (0.12 if has("regular") else 1.0)
    return Controls(
        pitch_hz=pitch * shift,
        register=register * 2.0 ** (0.5 * (u[1] - 0.5)) * shift,
        glide=_glide(seed, n, recipe.attributes, c),
        rate=tempo * 2.0 ** (0.5 * (u[3] - 0.5) + c.rate_octaves),
        density=(0.6 + 0.9 * u[5]) * (0.7 if has("subtle") else 1.0),
        brightness=float(np.clip(brightness + 0.55 * c.brightness, -1.0, 1.0)),
        roughness=float(np.clip(c.roughness + 0.15 * has("scary"), 0.0, 1.0)),
        irregularity=float(np.clip(irregular, 0.0, 1.0)),
        dissonance=float(
            np.clip(c.dissonance + 0.6 * has("atonal") + 0.3 * has("scary") + 0.15 * has("gloomy"), 0.0, 1.0)
        ),
        major=float(np.clip(c.major * (0.2 if has("atonal") else 1.0), -1.0, 1.0)),
        attack=float(np.clip(c.attack - hush, 0.0, 1.0)),
        width=1.0 if has("spatial") else 0.12 if has("close") else 0.35 + 0.3 * u[6],
        unrest=float(np.clip(unrest, 0.0, 1.0)),
        hollow=1.0 if has("hollow") else 0.0,
        synthetic=1.0 if has("synthetic") or has("digital") or has("sci_fi") else 0.0,
        grain_sweep_octaves=2.3 if has("long_pitch_envelope") else 1.1 if has("slow_pitch_envelope") else 0.0,
        grain_s=(2.2 if has("long_pitch_envelope") else 4.0 if has("slow_pitch_envelope") else 1.0)
        * 2.0 ** (-0.35 * c.rate_octaves),
        gated=0.9 if has("rapid") else 0.0,
    )


def render_recipe(
    seed: int, seconds: float, recipe: Recipe, emotions: NDArray[np.floating]
) -> tuple[Audio, NDArray[np.float32]]:
    """Audio (2, N) and azimuth (K,) of any recipe, held-out ones too. Pure in its arguments."""
    n_out = round(seconds * SAMPLE_RATE_HZ)
    if n_out < 4_800:
        raise ValueError(f"seconds must be at least 0.1, got {seconds}")
    before = int(PRE_ROLL_S * SAMPLE_RATE_HZ)
    n = n_out + before
    c = colour(emotions)
    if "stable" in recipe.attributes:
        c = replace(c, tremor=0.4 * c.tremor)
    controls = _controls(seed, n, recipe, c)
    attributes = recipe.attributes
    gains = recipe.gains_db or (0.0,) * len(recipe.layers)
    mix = np.zeros((2, n), np.float32)
    for name, extra_db in zip(recipe.layers, gains, strict=True):
        layer = LAYERS[name]
        sound = unit(layer.make(stream(seed, f"layer {name}"), n, controls))
        mix += np.float32(10.0 ** ((layer.gain_db + extra_db) / 20.0)) * sound
    for name in treatments.CHARACTERS:
        if name in attributes:
            mix = treatments.CHARACTERS[name](stream(seed, name), mix)
    mix = treatments.emote(stream(seed, "emote"), mix, c)
    mixing = stream(seed, "mix")
    wet, size_s, level_db = mixing.uniform(0.5, 0.75), mixing.uniform(1.8, 3.2), mixing.uniform(-2.0, 2.0)
    path = treatments.azimuth(stream(seed, "azimuth"), n, attributes)
    moving = any(a in attributes for a in ("moving_panorama", "slow_panorama", "slight_panorama"))
    gliding = any(a in attributes for a in (*GROUPS["pitch"], *GROUPS["modulation"]))
    mix = treatments.pan(mix, path, 0.8 if moving else 0.0)
    if "spatial" in attributes:
        # Less room where something moves: a long tail would smear the glide or the pan that the words promise.
        wet, size_s = (0.45 * wet, 0.6 * size_s) if moving or gliding else (wet, size_s)
        mix = treatments.room(stream(seed, "room"), mix, wet, size_s)
    level_db += (
        BASE_LEVEL_DB
        + c.level_db
        - 5.0 * ("soft" in attributes)
        - 4.0 * ("subtle" in attributes)
        + 3.0 * ("heavy" in attributes)
    )
    cut = unit(mix[:, before:])
    azimuth_deg = treatments.trajectory(path, before, n_out)
    return treatments.limit(np.asarray(cut * np.float32(10.0 ** (level_db / 20.0)), np.float32)), azimuth_deg


def render(
    seed: int, seconds: float, *, description: int | None = None, emotions: NDArray[np.floating] | None = None
) -> Sound:
    """Render the piece of a seed. `description` None is a free composition, else an index into DESCRIPTIONS.

    `emotions` (4,) 0..10 recolours the same piece; None draws them (half of the seeds) or leaves them at rest.
    Deterministic in its arguments. Raises ValueError for an unknown description or emotions out of range.
    """
    if description is None:
        recipe = free_recipe(stream(seed, "recipe"))
        index = -1
    elif 0 <= description < len(DESCRIPTIONS):
        recipe = _with_extras(RECIPES[description], seed)
        index = description
    else:
        raise ValueError(f"description must be None or in 0..{len(DESCRIPTIONS) - 1}, got {description}")
    if emotions is None:
        rng = stream(seed, "emotions")
        resting = resting_emotions(recipe.attributes + recipe.layers)
        felt = draw_emotions(rng, resting) if rng.random() < 0.5 else resting
    else:
        felt = np.asarray(emotions, np.float32)
    audio, azimuth_deg = render_recipe(seed, seconds, recipe, felt)
    train, apart = captions(recipe, index, felt, stream(seed, "captions"))
    return Sound(audio, train, apart, index, felt, azimuth_deg, recipe.attributes, recipe.layers)
