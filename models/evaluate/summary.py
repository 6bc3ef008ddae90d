"""The project's own ear: a sound as one vector of statistics of engine.features, with no net and nothing trained.

F features, T latent frames, S = SIZE numbers in a summary, N samples.
"""

import itertools
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.features import COLOUR_BANDS, FEATURES, ONSET_BANDS, ONSET_LOOKS, PITCH_BANDS, Features
from engine.timing import HOP

Sound: TypeAlias = NDArray[np.float32]
"""(2, N) at 48 kHz, full scale 1."""
Vector: TypeAlias = NDArray[np.float32]
"""(S,) or (rows, S)."""

LEVEL_RMS: Final = 0.08
"""Sounds are brought to this level (-22 dB) first: how loud one is stands in a number of its own."""
MODULATION_HZ: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Edges of the octaves in which the envelope's movement is measured."""
ENVELOPES: Final = 4
SIZE: Final = 4 * FEATURES + 2 * COLOUR_BANDS + ENVELOPES * (len(MODULATION_HZ) - 1) + 5
"""Numbers in a summary; the last one is the level, a natural logarithm."""


class Summary:
    """Sounds to summaries. One thread."""

    def __init__(self) -> None:
        self._features = Features()

    def __call__(self, sound: Sound) -> Vector:
        """(2, N) to (S,): means, deviations and movement of the features, envelope modulation, panorama, level.

        ValueError where it is shorter than 9 latent frames.
        """
        frames = sound.shape[1] // HOP
        if frames < 9:
            raise ValueError(f"{sound.shape[1]} samples: must be at least {9 * HOP}")
        rms = float(np.sqrt(np.square(sound, dtype=np.float64).mean()))
        level = sound * np.float32(LEVEL_RMS / max(rms, 1e-6))
        x = self._features(level[:, : frames * HOP])  # (F, T)
        panorama = x[PITCH_BANDS : PITCH_BANDS + COLOUR_BANDS] - x[PITCH_BANDS + COLOUR_BANDS :][:COLOUR_BANDS]
        onsets = x[PITCH_BANDS + 2 * COLOUR_BANDS :][: ONSET_BANDS * ONSET_LOOKS]
        parts = (
            x.mean(1),
            x.std(1),
            np.abs(np.diff(x, axis=1)).mean(1),
            np.abs(x[:, 8:] - x[:, :-8]).mean(1),
            panorama.mean(1),
            panorama.std(1),
            modulation(onsets),
            movement(panorama),
            [np.log(rms + 1e-6)],
        )
        return np.concatenate(parts).astype(np.float32)


def modulation(onsets: NDArray[np.float32]) -> Vector:
    """Onset features (LOOKS * BANDS, T) to log power (ENVELOPES * octaves,) of four bands' envelopes by octave."""
    looks = onsets.reshape(ONSET_LOOKS, ONSET_BANDS, -1).transpose(1, 2, 0).reshape(ONSET_BANDS, -1)  # (bands, T*looks)
    envelope = looks.reshape(ENVELOPES, -1, looks.shape[1]).mean(1)
    envelope = envelope - envelope.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(envelope * np.hanning(envelope.shape[1]), axis=1)) ** 2 / envelope.shape[1]
    hz = np.fft.rfftfreq(envelope.shape[1], HOP / ONSET_LOOKS / 48_000)
    found = []
    for low, high in itertools.pairwise(MODULATION_HZ):
        inside = (hz >= low) & (hz < high)
        found.append(np.log(power[:, inside].mean(1) + 1e-3) if inside.any() else np.full(ENVELOPES, np.log(1e-3)))
    return np.concatenate(found).astype(np.float32)


def movement(panorama: NDArray[np.float32]) -> Vector:
    """Level differences (bands, T) to (4,): how far the mean place lies from the middle, wanders, and how fast."""
    place = panorama.mean(0)
    steps = np.abs(np.diff(place))
    return np.array([abs(place.mean()), place.std(), steps.mean(), np.ptp(place)], np.float32)
