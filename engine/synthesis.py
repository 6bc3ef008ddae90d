"""Spectral modelling synthesis: decoder amplitudes to sound, one latent frame at a time.

The decoder does not draw a waveform. For each latent frame it says how loud each oscillator of a fixed bank is and how
loud each noise band is, on the left and on the right; this module turns that into sound (Serra and Smith 1990,
"Spectral modeling synthesis"; Engel et al. 2020, "DDSP", who let a net steer it). Oscillator phases and noise are
functions of (seed, absolute frame) alone, so sound made hop by hop equals sound made in one go, a held tone is exactly
steady, and a replay is exact.

T latent frames, K oscillators, P noise frames in a latent frame, G noise bands, N = T * HOP samples.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.timing import HOP as HOP
from engine.timing import SAMPLE_RATE_HZ as SAMPLE_RATE_HZ

TONE_WINDOW = 2 * HOP
"""A tone frame is a Hann window over two hops: as phases go on, amplitudes cross over smoothly from hop to hop."""

NOISE_WINDOW, NOISE_HOP = 512, 256
NOISE_FRAMES = HOP // NOISE_HOP
NOISE_BANDS = 48
LOBE = 12
"""Bins of an oscillator's main lobe that are kept."""

DELAY_SAMPLES = 512
"""The sound of a latent frame's centre lies this many samples after that centre: the price of being causal."""

Float = NDArray[np.float32]


def oscillator_hz() -> Float:
    """Frequencies of the bank (K,): 36 an octave from 30 Hz, then every 15, 30 (from 3 kHz) and 47 Hz (6 to 12 kHz)."""
    low = 30.0 * 2.0 ** (np.arange(169) / 36)
    low = low[low < 770.0]
    return np.concatenate(
        [low, np.arange(770.0, 3000.0, 15.0), np.arange(3000.0, 6000.0, 30.0), np.arange(6000.0, 12000.0, 46.875)]
    ).astype(np.float32)


def lobe_matrices() -> tuple[Float, Float]:
    """Hann main lobes of the oscillators (K, bins) each: of the frequencies f, and of their mirror images -f.

    Phasor times lobe plus conjugate phasor times mirrored lobe is the half spectrum of a unit cosine. For one at bin
    offset d: N/4 sinc(d) / (1 - d^2), alternating in sign because phase 0 lies in mid-window. Only the LOBE bins around
    the peak are kept; the image reaches bins >= 0 only for frequencies of less than half a lobe.
    """
    position = oscillator_hz().astype(np.float64)[:, None] * TONE_WINDOW / SAMPLE_RATE_HZ
    bins = np.arange(int(np.ceil(position[-1, 0])) + LOBE // 2 + 1)

    def lobe(offset: NDArray[np.float64]) -> Float:
        at_pole = np.abs(np.abs(offset) - 1) < 1e-6
        whole = np.where(at_pole, 0.5, np.sinc(offset) / np.where(at_pole, 1.0, 1 - offset**2))
        kept = (offset > -LOBE / 2) & (offset <= LOBE / 2)
        return np.where(kept, whole * TONE_WINDOW / 4 * (1 - 2 * (bins % 2)), 0.0).astype(np.float32)

    return lobe(position - bins), lobe(position + bins)


def band_matrix() -> Float:
    """Triangles (G, NOISE_WINDOW / 2 + 1) that spread band gains over bins; each bin's weights sum to 1. Bark-like."""
    hz = np.fft.rfftfreq(NOISE_WINDOW, 1 / SAMPLE_RATE_HZ)
    warp = np.arcsinh(hz / 600.0)
    centre = np.linspace(0.0, warp[-1], NOISE_BANDS)
    triangles: Float = np.maximum(0.0, 1 - np.abs(warp - centre[:, None]) / (centre[1] - centre[0])).astype(np.float32)
    return triangles


@dataclass(frozen=True)
class Amplitudes:
    """What the decoder says of T latent frames. All linear, all >= 0; `coherence` in 0..1.

    tone (T, 2, K); noise (T, P, 2, G): gain of unit-variance white noise; coherence (T, P, G): how much of the noise
    power left and right share.
    """

    tone: Float
    noise: Float
    coherence: Float


@njit(cache=True, nogil=True)
def place_tones(
    tone: Float,
    phasor: NDArray[np.complex64],
    lobes: Float,
    first: NDArray[np.int64],
    mirrored: Float,
    spectrum: NDArray[np.complex64],
) -> None:
    """Adds the lobes (K, LOBE) of tones (2, K) to a spectrum (2, bins), each from its first bin on, and the mirrored
    lobes (low K, LOBE / 2 + 1) of the low ones from bin 0 on.
    """
    for k in range(tone.shape[1]):
        left, right = tone[0, k] * phasor[k], tone[1, k] * phasor[k]
        for i in range(lobes.shape[1]):
            spectrum[0, first[k] + i] += left * lobes[k, i]
            spectrum[1, first[k] + i] += right * lobes[k, i]
        if k < len(mirrored):
            left, right = np.conj(left), np.conj(right)
            for i in range(mirrored.shape[1]):
                spectrum[0, i] += left * mirrored[k, i]
                spectrum[1, i] += right * mirrored[k, i]


@njit(cache=True, nogil=True)
def colour_noise(bands: Float, white: NDArray[np.complex64], mixed: NDArray[np.complex64]) -> None:
    """Filters white spectra (3, P, bins) by gain and coherence (3, P, bins) to left and right (2, P, bins)."""
    for p in range(bands.shape[1]):
        for k in range(bands.shape[2]):
            shared = np.sqrt(bands[2, p, k])
            own = np.sqrt(np.float32(1) - bands[2, p, k])
            mixed[0, p, k] = bands[0, p, k] * (shared * white[0, p, k] + own * white[1, p, k])
            mixed[1, p, k] = bands[1, p, k] * (shared * white[0, p, k] + own * white[2, p, k])


@dataclass
class Synthesizer:
    """Amplitudes in, sound out, hop by hop. One thread. `position` is the absolute latent frame that comes next."""

    seed: int
    position: int = 0

    def __post_init__(self) -> None:
        self._hz = oscillator_hz().astype(np.float64)
        lobes, mirrored = lobe_matrices()
        self._first = np.argmax(lobes != 0, axis=1)
        self._lobes = np.stack([row[first : first + LOBE] for row, first in zip(lobes, self._first, strict=True)])
        self._mirrored = mirrored[: np.count_nonzero(mirrored.any(axis=1)), : LOBE // 2 + 1]
        self._bands = band_matrix()
        turn = 2 * np.pi * np.arange(NOISE_WINDOW) / NOISE_WINDOW
        self._window = np.sqrt(0.5 - 0.5 * np.cos(turn)).astype(np.float32)
        self._start_phase = np.random.default_rng([self.seed, 1]).random(len(self._hz))
        self.reset(self.position)

    def reset(self, position: int) -> None:
        """Forgets the tails of the sound before; the next frame is the absolute latent frame `position` >= 0."""
        self.position = position
        self._tail = np.zeros((2, HOP), np.float32)
        self._noise_tail = np.zeros((2, NOISE_HOP), np.float32)
        self._white = self.white(position)

    def phases(self, frame: int) -> NDArray[np.complex64]:
        """Unit phasors (K,) of the bank in the middle of the tone frame `frame`."""
        turns = self._hz * ((frame + 1) * HOP / SAMPLE_RATE_HZ) + self._start_phase
        angle = (2 * np.pi * (turns - np.floor(turns))).astype(np.float32)
        phasor = np.empty(len(angle), np.complex64)
        phasor.real, phasor.imag = np.cos(angle), np.sin(angle)
        return phasor

    def white(self, frame: int) -> Float:
        """White noise (3, HOP) of unit variance that belongs to the absolute latent frame: Philox, counter = frame."""
        bits = np.random.Philox(key=self.seed & (2**64 - 1), counter=[0, 0, 0, frame & (2**64 - 1)])
        return np.random.Generator(bits).standard_normal((3, HOP), np.float32)

    def __call__(self, amplitudes: Amplitudes) -> Float:
        """Sound (2, T * HOP) of the next T frames."""
        frames = zip(amplitudes.tone, amplitudes.noise, amplitudes.coherence, strict=True)
        hops = [self._hop(*frame) for frame in frames]
        return np.concatenate(hops, axis=1)

    def _hop(self, tone: Float, noise: Float, coherence: Float) -> Float:
        sound = self._tones(tone)
        self._add_noise(sound, noise, coherence)
        self.position += 1
        return sound

    def _tones(self, tone: Float) -> Float:
        """(2, K) -> (2, HOP): inverse FFT synthesis (Rodet and Depalle 1992)."""
        spectrum = np.zeros((2, TONE_WINDOW // 2 + 1), np.complex64)
        place_tones(tone, self.phases(self.position), self._lobes, self._first, self._mirrored, spectrum)
        frame = np.fft.irfft(spectrum, TONE_WINDOW).astype(np.float32, copy=False)
        sound: Float = frame[:, :HOP] + self._tail
        self._tail = frame[:, HOP:]
        return sound

    def _add_noise(self, sound: Float, noise: Float, coherence: Float) -> None:
        """White noise filtered in (P) overlapping windows and added to sound (2, HOP) in place."""
        now, self._white = self._white, self.white(self.position + 1)
        white = np.concatenate([now, self._white[:, :NOISE_HOP]], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(white, NOISE_WINDOW, axis=1)[:, ::NOISE_HOP]
        spectrum = np.fft.rfft(windows * self._window).astype(np.complex64, copy=False)  # (3, P, bins)
        bands = np.stack([noise[:, 0], noise[:, 1], coherence]) @ self._bands  # (3, P, bins)
        mixed = np.empty((2, *spectrum.shape[1:]), np.complex64)
        np.minimum(bands[2], 1, out=bands[2])  # weights may add to 1 + 1e-7: no square root of 1 - that
        colour_noise(bands, spectrum, mixed)
        frames = np.fft.irfft(mixed, NOISE_WINDOW).astype(np.float32, copy=False)  # (2, P, NOISE_WINDOW)
        frames *= self._window
        sound += frames[:, :, :NOISE_HOP].reshape(2, HOP)
        sound[:, NOISE_HOP:] += frames[:, :-1, NOISE_HOP:].reshape(2, HOP - NOISE_HOP)
        sound[:, :NOISE_HOP] += self._noise_tail
        self._noise_tail = frames[:, -1, NOISE_HOP:]
