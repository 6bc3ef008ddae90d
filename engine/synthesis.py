"""Spectral modelling synthesis: decoder amplitudes to sound, one latent frame at a time.

The decoder does not draw a waveform. For each latent frame it says how loud each oscillator of a fixed bank is and how
loud each noise band is, on the left and on the right; this module turns that into sound (Serra and Smith 1990,
"Spectral modeling synthesis"; Engel et al. 2020, "DDSP", who let a net steer it). Oscillator phases and noise are
functions of (seed, absolute frame) alone, so sound made hop by hop equals sound made in one go, a held tone is exactly
steady, and a replay is exact.

K oscillators, P noise frames in a latent frame, G noise bands.
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
Spectrum = NDArray[np.complex64]


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
    """Triangles (G, NOISE_WINDOW / 2 + 1) that spread band gains over bins, Bark-like. The weights of a bin sum to 1,
    but for the first: what it would hold lies around 0 Hz, where nobody hears it and loudspeakers suffer.
    """
    hz = np.fft.rfftfreq(NOISE_WINDOW, 1 / SAMPLE_RATE_HZ)
    warp = np.arcsinh(hz / 600.0)
    centre = np.linspace(0.0, warp[-1], NOISE_BANDS)
    triangles: Float = np.maximum(0.0, 1 - np.abs(warp - centre[:, None]) / (centre[1] - centre[0])).astype(np.float32)
    triangles[:, 0] = 0.0
    return triangles


@njit(cache=True, nogil=True)
def place_tones(
    tone: Float,
    phasor: Spectrum,
    lobes: Float,
    first: NDArray[np.int64],
    mirrored: Float,
    spectrum: Spectrum,
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
def colour_noise(
    noise: Float, coherence: Float, below: NDArray[np.int64], weights: Float, white: Spectrum, mixed: Spectrum
) -> None:
    """Filters white spectra (P, 3, bins) by band gains (P, 2, G) and coherence (P, G) to left and right (2, P, bins). A
    bin lies between the bands `below` (bins,) and `below` + 1, which have `weights` (2, bins) in it.
    """
    for p in range(noise.shape[0]):
        for k in range(len(below)):
            low, w0, w1 = below[k], weights[0, k], weights[1, k]
            together = min(np.float32(1), coherence[p, low] * w0 + coherence[p, low + 1] * w1)
            shared, own = np.sqrt(together), np.sqrt(np.float32(1) - together)
            left = noise[p, 0, low] * w0 + noise[p, 0, low + 1] * w1
            right = noise[p, 1, low] * w0 + noise[p, 1, low + 1] * w1
            mixed[0, p, k] = left * (shared * white[p, 0, k] + own * white[p, 1, k])
            mixed[1, p, k] = right * (shared * white[p, 0, k] + own * white[p, 2, k])


@njit(cache=True, nogil=True)
def overlap_add(windows: Float, window: Float, tail: Float, sound: Float) -> None:
    """Adds windows (2, P, NOISE_WINDOW), shaped by `window`, to sound (2, HOP), after the `tail` (2, NOISE_HOP) of the
    sound before; leaves the new tail there.
    """
    for side in range(2):
        for n in range(NOISE_HOP):
            sound[side, n] += tail[side, n]
        for p in range(windows.shape[1]):
            for n in range(NOISE_HOP):
                sound[side, p * NOISE_HOP + n] += windows[side, p, n] * window[n]
            if p + 1 < windows.shape[1]:
                for n in range(NOISE_HOP):
                    sound[side, (p + 1) * NOISE_HOP + n] += windows[side, p, NOISE_HOP + n] * window[NOISE_HOP + n]
        for n in range(NOISE_HOP):
            tail[side, n] = windows[side, -1, NOISE_HOP + n] * window[NOISE_HOP + n]


@njit(cache=True, nogil=True)
def draw_white(key: np.uint64, frame: np.uint64, white: Spectrum) -> None:
    """White spectra (P, 3, bins) of unit-variance noise that belong to an absolute frame: SplitMix64 (Steele and others
    2014, "Fast splittable pseudorandom number generators") of key and place, its four quarters summed to two triangular
    variates. Their variance is 2 (2^16)^2 / 12; that of a spectrum's parts has to be NOISE_WINDOW / 2.
    """
    scale = np.float32(np.sqrt(NOISE_WINDOW / 2 * 6) / 65536)
    flat = white.reshape(-1)
    first = key + frame * np.uint64(len(flat)) * np.uint64(0x9E3779B97F4A7C15)
    for k in range(len(flat)):
        z = first + np.uint64(k) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        real = np.int32(z & np.uint64(0xFFFF)) + np.int32((z >> np.uint64(16)) & np.uint64(0xFFFF)) - np.int32(65535)
        imag = np.int32((z >> np.uint64(32)) & np.uint64(0xFFFF)) + np.int32(z >> np.uint64(48)) - np.int32(65535)
        flat[k] = complex(scale * np.float32(real), scale * np.float32(imag))


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
        bands = band_matrix()
        self._below = np.minimum(np.argmax(bands > 0, axis=0), NOISE_BANDS - 2)
        self._weights = np.stack([bands[self._below + k, np.arange(bands.shape[1])] for k in range(2)])
        turn = 2 * np.pi * np.arange(NOISE_WINDOW) / NOISE_WINDOW
        self._window = np.sqrt(0.5 - 0.5 * np.cos(turn)).astype(np.float32)
        self._start_phase = np.random.default_rng([self.seed, 1]).random(len(self._hz))
        self._key = np.random.SeedSequence([self.seed, 2]).generate_state(1, np.uint64)[0]
        self.reset(self.position)

    def reset(self, position: int) -> None:
        """Forgets the tails of the sound before; the next frame is the absolute latent frame `position` >= 0."""
        self.position = position
        self._tail = np.zeros((2, HOP), np.float32)
        self._noise_tail = np.zeros((2, NOISE_HOP), np.float32)

    def phases(self, frame: int) -> Spectrum:
        """Unit phasors (K,) of the bank in the middle of the tone frame `frame`."""
        turns = self._hz * ((frame + 1) * HOP / SAMPLE_RATE_HZ) + self._start_phase
        angle = (2 * np.pi * (turns - np.floor(turns))).astype(np.float32)
        phasor = np.empty(len(angle), np.complex64)
        phasor.real, phasor.imag = np.cos(angle), np.sin(angle)
        return phasor

    def white(self, frame: int) -> Spectrum:
        """Spectra (P, 3, NOISE_WINDOW / 2 + 1) of the white noise of unit variance of the absolute latent frame."""
        white = np.empty((NOISE_FRAMES, 3, NOISE_WINDOW // 2 + 1), np.complex64)
        draw_white(self._key, np.uint64(frame & (2**64 - 1)), white)
        return white

    def hop(self, tone: Float, noise: Float, coherence: Float) -> Float:
        """Sound (2, HOP) of the next frame. All amplitudes are linear and >= 0: tone (2, K); noise (P, 2, G), gains of
        unit-variance white noise; coherence (P, G), 0..1: how much of the noise power left and right share.
        """
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
        """Filtered noise in (P) overlapping windows, each drawn by itself, added to sound (2, HOP) in place: the
        squares of overlapping windows sum to 1, and with them the powers of what is independent.
        """
        mixed = np.empty((2, NOISE_FRAMES, NOISE_WINDOW // 2 + 1), np.complex64)
        colour_noise(noise, coherence, self._below, self._weights, self.white(self.position), mixed)
        windows = np.fft.irfft(mixed, NOISE_WINDOW).astype(np.float32, copy=False)
        overlap_add(windows, self._window, self._noise_tail, sound)
