"""The instrument as a pure state machine: events and generated latents go in, sound comes out, hop by hop.

Live, `engine.session` feeds it real time; offline, `engine.offline` feeds it a journal. Within each hop the order is
fixed: `apply` the events, `splice` what was made, read the `requests`, then `hop`. The same calls give the same bytes.
One thread.

Letters: V voices, C latent channels, N samples in a hop.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from engine.bundle import Bundle, Manifest
from engine.control import Event, Values
from engine.decoder import HopDecoder
from engine.example import EXAMPLES
from engine.params import BY_ADDRESS, EMOTIONS, VOICES
from engine.player import Heard, Player, Request, Shift
from engine.voice import Float, mix

RESUME: Final = "/timeline/resume"
"""Makes a stream that a panic has silenced sound again; journals say it where a block-class value did."""
SLEW: Final = 0.5
"""A weight, a gain and a part of an emotion dial's range move at most this much a hop: a jump takes two hops, 43 ms."""
REST_HOPS: Final = 6
"""How long the emotion dials must rest before what lies ahead is made anew."""

_PROMPTS: Final = {**{f"/prompt/{v}/text": k for k, v in enumerate(VOICES)}, **EXAMPLES}
_WEIGHTS: Final = frozenset({"/morph", *(f"/prompt/{v}/weight" for v in VOICES)})
_DIALS: Final = frozenset(f"/emotion/{e}" for e in EMOTIONS)
_REFINING: Final = frozenset({"/generator/steps", "/generator/guidance", "/generator/variation"})
RESUMING: Final = frozenset({*_PROMPTS, *_WEIGHTS, "/level", "/freeze", RESUME})
"""What makes the sound come back after a panic."""


class Decoder(Protocol):
    """Latents (C, T) to sound (2, T * N), going on where it stopped; `reset` to an absolute frame."""

    def decode(self, latents: Float) -> Float: ...

    def reset(self, position: int = 0) -> None: ...


@dataclass(frozen=True)
class Nets:
    """What a stream computes with: the nets of one bundle, or anything with the same signatures."""

    manifest: Manifest
    decoder: Decoder
    shift: Shift


def nets_of(bundle: Bundle, seed: int) -> Nets:
    """The decoder and the emotion net of a bundle; `seed` makes the decoder's noise."""
    session = bundle.session("emotion")

    def shift(latents: Float, delta: Float) -> Float:
        (moved,) = session.run(None, {"latents": latents[None], "delta": delta[None].astype(np.float32)})
        return np.asarray(moved[0], np.float32)

    return Nets(bundle.manifest, HopDecoder(bundle, seed), shift)


class Stream:
    """Four voices, their mix and the decoder, from `values` on. `seed` makes the noise of extensions; `frame` and
    `numbered` are the `counts` of a stream whose place this one takes.
    """

    def __init__(self, nets: Nets, values: Values, seed: int, frame: int = 0, numbered: int = 0) -> None:
        self._nets = nets
        self._values = values
        self._players = [Player(voice, nets.manifest, seed) for voice in range(len(VOICES))]
        self._frame = frame
        self._numbered = numbered
        self._planned = False
        self._silent = False
        self._mix = np.zeros(len(VOICES), np.float32)
        self._gain = 0.0
        self._dials = values.emotions()
        self._rested = REST_HOPS
        self._decoding = False

    @property
    def frame(self) -> int:
        """The hop that comes next, from 0."""
        return self._frame

    @property
    def counts(self) -> tuple[int, int]:
        """The hop that comes next and the number of the last request."""
        return self._frame, self._numbered

    @property
    def position(self) -> int:
        """The first sample of that hop."""
        return self._frame * self._nets.manifest.hop_samples

    @property
    def values(self) -> Values:
        return self._values

    @property
    def silent(self) -> bool:
        """Whether a panic keeps it silent."""
        return self._silent

    @property
    def hushed(self) -> bool:
        """Whether silence is what is asked for: all weights are 0, or a panic."""
        return self._silent or not self._values.weights().any()

    @property
    def late(self) -> int:
        """How often a voice ran out of generated latents and was extended."""
        return sum(player.late for player in self._players)

    @property
    def extended_frames(self) -> int:
        return sum(player.extended_frames for player in self._players)

    def ahead_frames(self) -> tuple[int, ...]:
        """Generated latent frames ahead of each voice's playhead; negative while it is being extended."""
        return tuple(player.timeline.solid - player.at for player in self._players)

    def apply(self, event: Event) -> None:
        """An event, from the next hop on; its time is not looked at. Raises AeoliaError as `check` does."""
        address = event.address
        if address == "/panic":
            self._panic()
            return
        if address in BY_ADDRESS or address in EXAMPLES:
            self._values = self._values.with_(event)
        if address in RESUMING:
            self._silent = False
        if address in _PROMPTS:
            self._players[_PROMPTS[address]].renew()
        elif address == "/generator/seed":
            for player in self._players:
                player.renew()
        elif address in _REFINING:
            for player in self._players:
                player.refine()
        elif address in _DIALS:
            self._rested = 0
        elif address == "/freeze" and self._values.freeze:
            for player in self._players:
                player.freeze()

    def splice(self, number: int, latents: Float) -> bool:
        """What a request made, (C, T); False where it was refused because it is too late or was superseded."""
        return any(player.splice(number, latents) for player in self._players)

    def voice_of(self, number: int) -> int | None:
        """The voice for which `splice` would look at what this request made; None where it would not."""
        return next((player.voice for player in self._players if player.expects(number)), None)

    def requests(self) -> list[Request]:
        """What is to be made now, at most one of each voice, the most urgent first: the voices that sound, the one
        with least ahead before the others, then, so that they can come in at once, those that don't.
        """
        if not self._planned:
            self._plan()
        wanted = [player.current for player in self._players if player.current is not None]
        return sorted(wanted, key=lambda r: (not self.needs(r), self.ahead_frames()[r.voice]))

    def needs(self, request: Request) -> bool:
        """Whether a request is for a voice that is to be heard now."""
        return bool(self._values.weights()[request.voice] > 0 or self._mix[request.voice] > 0)

    def hop(self) -> Float:
        """The next hop of sound, (2, N) float32."""
        if not self._planned:
            self._plan()
        self._planned = False
        self._rested += 1
        self._move_dials()
        before, self._gain = self._gain, self._aim()
        N = self._nets.manifest.hop_samples
        if before == 0.0 and self._gain == 0.0:
            self._decoding = False
            self._frame += 1
            return np.zeros((2, N), np.float32)
        if not self._decoding:
            self._nets.decoder.reset(self._frame)
            self._decoding = True
        sound = self._nets.decoder.decode(self._latents())
        self._frame += 1
        ramp = np.linspace(before, self._gain, N + 1, dtype=np.float32)[1:]
        return np.asarray(sound * ramp, np.float32)

    def _plan(self) -> None:
        self._planned = True
        heard = Heard(self._nets.shift, self._dials)
        for player in self._players:
            if self._rested >= REST_HOPS and player.differs(self._values.emotions()):
                player.refine()
            self._numbered += player.plan(self._numbered + 1, self._values, heard)

    def _move_dials(self) -> None:
        """The emotion dials as heard, on their way to where they are set."""
        step = self._values.emotions() - self._dials
        self._dials = (self._dials + np.clip(step, -10 * SLEW, 10 * SLEW)).astype(np.float32)

    def _aim(self) -> float:
        """Moves the mix of the voices to what the weights say, and returns the gain to be reached in this hop.

        The mix only has voices that have sound; the gain, min(1, sum of weights), follows the weights: any morph is
        as loud as its corners, and weights at 0 are silence. A voice that isn't made yet leaves the others as they are.
        """
        wanted = self._values.weights()
        have = wanted * np.array([player.ready for player in self._players], np.float32)
        if have.sum() > 0:
            target = have / have.sum()
            if self._gain == 0.0:
                self._mix = target
            self._mix = (self._mix + np.clip(target - self._mix, -SLEW, SLEW)).astype(np.float32)
        loud = min(1.0, float(wanted.sum())) if self._mix.any() and not self._silent else 0.0
        return self._gain + min(max(loud - self._gain, -SLEW), SLEW)

    def _latents(self) -> Float:
        """(C, 1): the next frame of every voice in the mix, each moved to the dials, mixed."""
        heard = Heard(self._nets.shift, self._dials)
        playing = np.flatnonzero(self._mix)
        frames = [heard(*self._players[k].next(self._values.freeze)) for k in playing]
        return frames[0] if len(frames) == 1 else mix(np.stack(frames), self._mix[playing])

    def _panic(self) -> None:
        for player in self._players:
            player.flush()
        self._silent = True
        self._mix = np.zeros_like(self._mix)
        self._gain = 0.0
        self._decoding = False
