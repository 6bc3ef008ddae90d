"""Latents to sound, hop by hop: the decoder net with its state, then spectral modelling synthesis."""

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.synthesis import DELAY_SAMPLES, NOISE_BANDS, NOISE_FRAMES, Synthesizer

Float = NDArray[np.float32]


class HopDecoder:
    """Decodes one latent timeline; what comes hop by hop equals what comes in one go. One thread.

    `delay_samples` is how long after a latent frame's centre its sound is centred.
    """

    delay_samples = DELAY_SAMPLES

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self._session = bundle.session("decoder")
        self._shapes = [tuple(node.shape) for node in self._session.get_inputs()[1:]]
        self._synthesizer = Synthesizer(seed)
        self.reset()

    def reset(self, position: int = 0) -> None:
        """Forgets what was decoded; the next frame is the absolute latent frame `position`."""
        self._before, self._past = (np.zeros(shape, np.float32) for shape in self._shapes)
        self._synthesizer.reset(position)

    def decode(self, latents: Float) -> Float:
        """Latents (C, T) to sound (2, T * hop_samples), which goes on seamlessly from the last call."""
        return np.concatenate([self._hop(frame) for frame in np.ascontiguousarray(latents.T)], axis=1)

    def _hop(self, latents: Float) -> Float:
        inputs = {"latents": latents[None], "before": self._before, "past": self._past}
        tone, noise, coherence, self._before, self._past = self._session.run(None, inputs)
        return self._synthesizer.hop(
            tone.reshape(2, -1),
            noise.reshape(NOISE_FRAMES, 2, NOISE_BANDS),
            coherence.reshape(NOISE_FRAMES, NOISE_BANDS),
        )
