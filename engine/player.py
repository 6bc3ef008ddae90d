"""One voice as it plays: where its playhead is, what it asks of the generator, how it holds while frozen.

Pure and deterministic; one thread. Frames are counted on the voice's own axis, which stands still while the voice is
not heard, so that it comes back where it left and at once.

Letters: C latent channels, T latent frames.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Manifest
from engine.control import Values
from engine.example import Example
from engine.voice import Float, Timeline, mix

FROM_PLAYHEAD: Final = -1
"""The `start` of a request whose sound begins wherever the playhead is when it arrives."""
NEW_SOUND_FADE: Final = 6
"""Frames in which new words take over, 128 ms."""
MARGIN: Final = 6
"""Frames between the playhead and where sound is made anew in the same words: about the time that it takes."""
LEAST_USEFUL: Final = 8
"""A chunk that comes so late that fewer of its frames are left is not used."""
EXTENSION: Final = 4
HOLD: Final = 24
"""Frames that a frozen voice goes back and forth through, half a second."""
THAW: Final = 4
BIG: Final = 0.5
"""A difference of the emotion dials, 0..10, that is worth making the sound anew."""

_MOST_PENDING: Final = 4
_MASK: Final = 2**64 - 1

Shift: TypeAlias = Callable[[Float, Float], Float]
"""The emotion net: latents (C, T) and a difference of the dials / 10, (4,), to latents (C, T)."""


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """What the generator is to make for a voice: a chunk that begins with `context` (C, 0..context frames; None: no
    context) and goes on at frame `start`, or `FROM_PLAYHEAD`; `prompt` is words or an example. `emotion` (4,) is 0..10;
    `seed` 0..2^64 - 1. Numbers grow with time, over all voices.
    """

    id: int
    voice: int
    start: int
    context: Float | None
    prompt: str | Example
    emotion: Float
    seed: int
    steps: int
    guidance: float


def hashed(*numbers: int) -> int:
    """Whole numbers to one of 64 well-mixed bits (splitmix64's finaliser, Steele et al. 2014)."""
    z = 0
    for number in numbers:
        z = (z + (number & _MASK) + 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
        z ^= z >> 31
    return z


class Player:
    """Voice number `voice` of a bundle with this manifest; `seed` makes the noise of its extensions."""

    def __init__(self, voice: int, manifest: Manifest, seed: int) -> None:
        self.voice, self._manifest, self._seed = voice, manifest, seed
        self.late = self.extended_frames = 0
        self.flush()

    def flush(self) -> None:
        """Forgets its sound and everything that was asked for."""
        self.timeline = Timeline(self._manifest.latent_channels, hashed(self._seed, self.voice))
        self.at = 0
        self.current: Request | None = None
        self._pending: dict[int, Request] = {}
        self._fresh, self._stale, self._behind = True, False, False
        self._take = self._chunk = 0
        self._held: tuple[Float, Float] | None = None
        self._hold_at = self._thawing = 0

    @property
    def ready(self) -> bool:
        """Whether there is sound; from then on there always is."""
        return self.timeline.end > 0

    def renew(self) -> None:
        """New words or a new seed: ask for sound that has nothing to do with the old one."""
        self._fresh = True

    def refine(self) -> None:
        """The same words made otherwise: ask anew for what lies ahead, as a continuation."""
        self._stale = True

    def differs(self, dials: Float) -> bool:
        """Whether what lies ahead was made at clearly other emotion dials (4,) than these."""
        ahead = self.at + MARGIN
        if self.current is not None or ahead >= self.timeline.solid:
            return False
        return bool(np.abs(self.timeline.emotions(ahead, self.timeline.solid - ahead) - dials).max() > BIG)

    def plan(self, number: int, values: Values, heard: "Heard") -> bool:
        """Decides what to ask for; True where it became the new `current` request, with this number."""
        if self._fresh or (self._stale and not self.ready):
            self._take = self._chunk = 0
            request = self._request(number, values, FROM_PLAYHEAD, None)
        elif self._stale:
            start = max(min(self.at + MARGIN, self.timeline.solid), self.at)
            request = self._request(number, values, start, heard)
        elif self.current is None and self.timeline.solid - self.at < self._manifest.chunk_frames // 2:
            self._chunk += 1
            drawn = hashed(values.seed, self.voice, self._chunk, 1) / 2**64
            self._take += drawn < values.variation
            start = max(self.timeline.solid - self._manifest.overlap_frames, self.at)
            request = self._request(number, values, start, heard)
        else:
            return False
        self._fresh = self._stale = False
        self.current = request
        self._pending[number] = request
        if len(self._pending) > _MOST_PENDING:
            del self._pending[min(self._pending)]
        return True

    def expects(self, number: int) -> bool:
        """Whether `splice` would look at what this request made."""
        return number in self._pending

    def splice(self, number: int, latents: Float) -> bool:
        """Takes what request `number` made, (C, T); False where it came too late or was made for nothing.

        An older request than the current one is still welcome, unless a newer one came first: while somebody turns
        words faster than they can be made, what is made is heard.
        """
        request = self._pending.get(number)
        if request is None:
            return False
        for old in [k for k in self._pending if k <= number]:
            del self._pending[old]
        if self.current is not None and self.current.id <= number:
            self.current = None
        anew = request.start == FROM_PLAYHEAD
        begin = self.at if anew else max(request.start, self.at)
        context = 0 if request.context is None else request.context.shape[1]
        new = latents[:, context + (0 if anew else begin - request.start) :]
        if new.shape[1] < LEAST_USEFUL or begin > self.timeline.end:
            self._stale = self._stale or self.current is None
            return False
        self.timeline.splice(begin, new, request.emotion, NEW_SOUND_FADE if anew else self._manifest.overlap_frames)
        self._behind = False
        return True

    def freeze(self) -> None:
        """Takes hold of the sound around the playhead, so that nothing that is made later changes it."""
        if self.ready and self._held is None:
            first = max(self.timeline.start, min(self.at - HOLD // 2, self.timeline.end - HOLD))
            count = min(HOLD, self.timeline.end - first)
            self._held = self.timeline.frames(first, count).copy(), self.timeline.emotions(first, count).copy()
            self._hold_at = min(self.at - first, count - 1)
            self._thawing = THAW

    def next(self, frozen: bool) -> tuple[Float, Float]:
        """The frame that sounds now, (C, 1), and the dials (1, 4) it was made at; the playhead moves on unless frozen.
        Only when `ready`.
        """
        if self.at >= self.timeline.end:
            self.timeline.extend_from_tail(EXTENSION)
            self.extended_frames += EXTENSION
            self.late += not self._behind
            self._behind = True
        if frozen:
            self.freeze()
            self._thawing = THAW
        if frozen and self._held is not None:
            return self._hold(self._held)
        frame, made_at = self.timeline.frames(self.at, 1), self.timeline.emotions(self.at, 1)
        self.at += 1
        if self._held is not None:
            u = (THAW - self._thawing + 1) / (THAW + 1)
            held, held_at = self._hold(self._held)
            self._thawing -= 1
            frame = mix(np.stack([held, frame]), np.array([1 - u, u], np.float32))
            made_at = ((1 - u) * held_at + u * made_at).astype(np.float32)
            if self._thawing == 0:
                self._held = None
        surplus = self.at - HOLD - self._manifest.context_frames - self.timeline.start
        if surplus >= self._manifest.chunk_frames:
            self.timeline.forget(self.timeline.start + surplus)
        return frame, made_at

    def _hold(self, held: tuple[Float, Float]) -> tuple[Float, Float]:
        """The next frame of a stretch that is gone through back and forth."""
        latents, emotions = held
        W = latents.shape[1]
        turn = self._hold_at % max(1, 2 * (W - 1))
        k = min(turn, 2 * (W - 1) - turn)
        self._hold_at += 1
        return latents[:, k : k + 1], emotions[k : k + 1]

    def _request(self, number: int, values: Values, start: int, heard: "Heard | None") -> Request:
        context: NDArray[np.float32] | None = None
        if heard is not None:
            # A sound that may wander is tied to less of its past.
            tied = max(1, round(self._manifest.context_frames * (1 - 0.75 * values.variation)))
            count = min(tied, start - self.timeline.start)
            if count:
                before = start - count, count
                context = heard(self.timeline.frames(*before), self.timeline.emotions(*before))
        return Request(
            id=number,
            voice=self.voice,
            start=start,
            context=context,
            prompt=values.prompts()[self.voice],
            emotion=values.emotions(),
            seed=hashed(values.seed, self.voice, self._take),
            steps=values.steps,
            guidance=values.guidance,
        )


class Heard:
    """Latents as they are heard: moved from the dials they were made at to where the dials are."""

    def __init__(self, shift: Shift, dials: Float) -> None:
        self._shift, self._dials = shift, dials

    def __call__(self, latents: Float, made_at: Float) -> Float:
        """(C, T) made at dials (T, 4) to (C, T); untouched where there is no difference."""
        delta = (self._dials - made_at) / 10  # (T, 4)
        if not np.abs(delta).max(initial=0.0) > 1e-6:
            return latents
        edges = np.flatnonzero(np.abs(np.diff(delta, axis=0)).max(axis=1, initial=0.0) > 1e-7) + 1
        runs = zip([0, *edges.tolist()], [*edges.tolist(), len(delta)], strict=True)
        return np.concatenate([self._shift(latents[:, a:b], delta[a]) for a, b in runs], axis=1)
