"""Listening to a sound file, so that it can be a prompt: the bundle's encoder, then its sound net (CLASP).

N samples.
"""

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.errors import AeoliaError
from engine.example import Example
from engine.features import Features
from engine.timing import SAMPLE_RATE_HZ

LONGEST_S: Final = 20.0
"""What comes after so much of a file is not listened to."""
SHORTEST_S: Final = 0.25
LEVEL_DB: Final = -22.0
"""The power that sounds are brought to before they are listened to, in dB of full scale: that of the sounds that the
nets were trained on. What a sound is does not depend on how loud somebody recorded it."""
_SILENT_DB: Final = -80.0
_RATES_HZ: Final = (4_000, 768_000)

Float = NDArray[np.float32]


class Listener:
    """Hears what sounds are. One thread at a time. AeoliaError for a bundle that can't."""

    def __init__(self, bundle: Bundle) -> None:
        if missing := [role for role in ("encoder", "sound") if role not in bundle.manifest.files]:
            raise AeoliaError(f"bundle {bundle.manifest.name} has no {missing[0]} net: a sound can't be its prompt")
        self._encoder, self._sound = bundle.session("encoder"), bundle.session("sound")
        self._features = Features()

    def listen(self, path: str | Path) -> Example:
        """What a file sounds like, by its first LONGEST_S. AeoliaError where there is nothing to be heard in it."""
        return self.hear(Path(path).name, read_sound(path))

    def hear(self, name: str, sound: Float) -> Example:
        """The same for a sound (2, N) at SAMPLE_RATE_HZ, of SHORTEST_S or more, not silent."""
        features = self._features(levelled(sound))
        (latents,) = self._encoder.run(None, {"features": features[None]})
        (embedding,) = self._sound.run(None, {"latents": latents})
        unit = np.asarray(embedding[0], np.float32)
        return Example(name, np.asarray(unit / np.linalg.norm(unit), np.float32))


def levelled(sound: Float) -> Float:
    """(2, N) at LEVEL_DB."""
    power = float(np.square(sound, dtype=np.float64).mean())
    return np.asarray(sound * np.float32(10 ** (LEVEL_DB / 20) / np.sqrt(power)), np.float32)


def read_sound(path: str | Path) -> Float:
    """(2, N) at SAMPLE_RATE_HZ, the first LONGEST_S of a sound file: of several channels the first two, one on both
    sides. AeoliaError for a file that can't be read, is too short, silent or not finite.
    """
    name = str(path)
    if not Path(path).is_file():  # a pipe would be waited for
        raise AeoliaError(f"sound {name}: is no file; must be a sound file")
    try:
        with soundfile.SoundFile(path) as file:
            rate_hz = file.samplerate
            if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
                allowed = f"{_RATES_HZ[0]} to {_RATES_HZ[1]}"
                raise AeoliaError(f"sound {name}: a sample rate of {rate_hz} Hz; must be {allowed} Hz")
            found = file.read(round(LONGEST_S * rate_hz), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AeoliaError(f"sound {name}: {error.error_string.rstrip('.')}; must be a sound file") from None
    except OSError as error:
        raise AeoliaError(f"sound {name}: can't be read: {error.strerror or error}") from None
    if len(found) < SHORTEST_S * rate_hz:
        raise AeoliaError(f"sound {name}: {len(found) / rate_hz:.2f} s; must be at least {SHORTEST_S:g} s long")
    if not np.isfinite(found).all():
        raise AeoliaError(f"sound {name}: holds NaN or infinity; must be a sound")
    stereo = found[:, :2] if found.shape[1] > 1 else np.repeat(found, 2, axis=1)
    if np.square(stereo, dtype=np.float64).mean() < 10 ** (_SILENT_DB / 10):
        raise AeoliaError(f"sound {name}: is silent; must be louder than {_SILENT_DB:g} dB")
    resampled = soxr.resample(np.ascontiguousarray(stereo), rate_hz, SAMPLE_RATE_HZ)
    return np.ascontiguousarray(resampled.T, np.float32)
