"""A voice's tape of latent frames: appended, spliced, crossfaded, extended when nothing new comes; and mixing voices.

Pure and deterministic; one thread. Latents are near unit variance per channel, so an average of two unlike frames is
too short a vector, and sounds dull: every blend here keeps the length its parts have.

Letters: V voices, C latent channels, T latent frames. Frame numbers are absolute on the voice's own axis.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

MOST_STRETCH: Final = 2.0
"""How much a blend may be lengthened: four unlike voices in equal parts need just this, opposite ones get no more."""
TAIL_FRAMES: Final = 24
"""Frames before the end that an extension wanders through, half a second."""
RENOISE: Final = 0.2
"""Part of an extended frame, in amplitude, that is fresh noise: the hold stays alive."""


def mix(latents: Float, weights: Float) -> Float:
    """(V, C, T) latents and (V,) or (V, T) weights >= 0, not all 0, to (C, T): z = sum w_i z_i / sum w_i, lengthened
    per frame to |z| = sum w_i |z_i| / sum w_i.

    Linear for correlated latents, equal-power for uncorrelated ones, exact for a single voice.
    """
    w = weights if weights.ndim == 2 else weights[:, None]  # (V, T) or (V, 1)
    w = w / w.sum(axis=0)
    z = np.einsum("vct,vt->ct", latents, np.broadcast_to(w, (latents.shape[0], latents.shape[2])))
    wanted = (w * np.linalg.norm(latents, axis=1)).sum(axis=0)  # (T,)
    found = np.linalg.norm(z, axis=0)
    stretch = np.clip(wanted / np.maximum(found, 1e-9), 1.0, MOST_STRETCH)
    return np.asarray(z * stretch, np.float32)


def fade(old: Float, new: Float) -> Float:
    """From old (C, T) to new (C, T): frame k is new by (k + 1) / (T + 1)."""
    T = old.shape[1]
    u = np.arange(1, T + 1, dtype=np.float32) / (T + 1)
    return mix(np.stack([old, new]), np.stack([1 - u, u]))


class Timeline:
    """Latent frames `start` to `end` of one voice, each with the (4,) emotion dials, 0..10, that it was made at.

    Frames up to `solid` were generated, those from there to `end` are an extension. `channels` is C, `seed` makes the
    noise of extensions. Memory is bounded by whoever calls `forget`.
    """

    def __init__(self, channels: int, seed: int, start: int = 0) -> None:
        self._channels, self._seed = channels, seed
        self._latents = np.zeros((channels, 0), np.float32)
        self._emotions = np.zeros((0, 4), np.float32)
        self._tail = self._latents, self._emotions
        self.start = self.solid = self.end = start

    def frames(self, start: int, count: int) -> Float:
        """(C, count) latents. ValueError where some of them are not there."""
        return self._latents[:, self._slice(start, count)]

    def emotions(self, start: int, count: int) -> Float:
        """(count, 4) dials at which these frames were made."""
        return self._emotions[self._slice(start, count)]

    def splice(self, start: int, latents: Float, emotions: Float, overlap: int) -> None:
        """Puts latents (C, T), made at dials (4,) or (T, 4), at start..start + T and drops what lay beyond.

        The first `overlap` of these frames, as far as there are old ones, fade from old to new. ValueError where
        start is not in `start..end`, or T is 0.
        """
        T = latents.shape[1]
        if not (self.start <= start <= self.end and T):
            raise ValueError(f"{T} frames at {start}: must be some, and begin in {self.start}..{self.end}")
        made_at = np.broadcast_to(emotions, (T, 4)).astype(np.float32)
        new = latents.astype(np.float32)
        n = min(overlap, self.end - start, T)
        if n:
            u = (np.arange(1, n + 1, dtype=np.float32) / (n + 1))[:, None]
            new = np.concatenate([fade(self.frames(start, n), new[:, :n]), new[:, n:]], axis=1)
            made_at = np.concatenate([(1 - u) * self.emotions(start, n) + u * made_at[:n], made_at[n:]])
        keep = start - self.start
        self._latents = np.concatenate([self._latents[:, :keep], new], axis=1)
        self._emotions = np.concatenate([self._emotions[:keep], made_at])
        self.solid = self.end = start + T
        self._tail = self._latents[:, -TAIL_FRAMES:].copy(), self._emotions[-TAIL_FRAMES:].copy()

    def extend_from_tail(self, count: int) -> None:
        """Appends `count` frames that go back and forth through the last generated ones, with a little fresh noise.

        Equal-power: sqrt(1 - r^2) of the frame's deviation from the tail's mean and r of noise of the tail's own
        spread. A function of the generated tail, the seed and the frame number alone. ValueError while empty.
        """
        latents, emotions = self._tail
        W = latents.shape[1]
        if not W:
            raise ValueError("nothing to extend: no frame was spliced yet")
        k = np.arange(self.end, self.end + count) - self.solid + 1
        period = max(1, 2 * (W - 1))
        at = np.abs((k % period) - (W - 1)) if W > 1 else np.zeros(count, np.int64)  # W - 2, ..., 0, 1, ..., W - 1, ...
        mean, spread = latents.mean(axis=1, keepdims=True), latents.std(axis=1, keepdims=True)
        noise = np.stack([self._noise(frame) for frame in range(self.end, self.end + count)], axis=1)
        extension = mean + np.sqrt(1 - RENOISE**2) * (latents[:, at] - mean) + RENOISE * spread * noise
        self._latents = np.concatenate([self._latents, extension.astype(np.float32)], axis=1)
        self._emotions = np.concatenate([self._emotions, emotions[at]])
        self.end += count

    def forget(self, before: int) -> None:
        """Drops the frames before this one."""
        gone = min(max(before - self.start, 0), self.end - self.start)
        if gone:
            self._latents, self._emotions = self._latents[:, gone:].copy(), self._emotions[gone:].copy()
            self.start += gone

    def _noise(self, frame: int) -> Float:
        bits = np.random.Philox(key=self._seed & (2**64 - 1), counter=[0, 0, 1, frame & (2**64 - 1)])
        return np.random.Generator(bits).standard_normal(self._channels, np.float32)

    def _slice(self, start: int, count: int) -> slice:
        if not (self.start <= start and start + count <= self.end and count >= 0):
            raise ValueError(f"frames {start}..{start + count}: there are {self.start}..{self.end}")
        return slice(start - self.start, start + count - self.start)
