"""Latents to sound, hop by hop: the decoder net with its state, then spectral modelling synthesis."""

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.synthesis import DELAY_SAMPLES, Amplitudes, Synthesizer

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
        outputs = self._session.run(None, {"latents": latents[None], "before": self._before, "past": self._past})
        tone, noise, coherence, self._before, self._past = (np.asarray(output) for output in outputs)
        return self._synthesizer(Amplitudes(tone[0], noise[0], coherence[0]))
