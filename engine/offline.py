"""Performances as fast as the machine goes: the same stream and the same callback as live, fed from a list.

Same events, same bundle, same provider: same bytes. One thread.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.callback import CallbackState, Slot
from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.generator import Make, sampler_of
from engine.journal import END, GATE, SPLICE, Journal
from engine.kernel import TICK
from engine.player import Request
from engine.stream import Nets, Stream, nets_of

Sound: TypeAlias = NDArray[np.float32]
"""(n, output channels) float32."""
Control: TypeAlias = tuple[int, Slot, float]
"""Sample, slot and value, for the callback."""

SLOTS: Final[Mapping[str, Slot]] = MappingProxyType(
    {
        "/level": Slot.LEVEL_DB,
        "/pan/azimuth": Slot.AZIMUTH_DEG,
        "/pan/width": Slot.WIDTH,
        "/pan/motion/rate": Slot.MOTION_RATE_HZ,
        "/pan/motion/depth": Slot.MOTION_DEPTH_DEG,
        GATE: Slot.GATE,
    }
)
"""What takes effect inside the audio callback."""

MAX_REPLAY_S: Final = 86_400.0
"""The longest performance of a journal that is made again."""

_BLOCK: Final = 256


def hop_before(position: int, hop_samples: int) -> int:
    """Events of the stream that are due before this sample belong to the hop that starts at `position`, or an earlier
    one: an event in the second half of a hop belongs to the next.
    """
    return position + (hop_samples + 1) // 2


def set_all(state: CallbackState, values: Values) -> None:
    """Sends all that the callback has to know; before the first block it holds from the first frame on."""
    for address, slot in SLOTS.items():
        if address in values:
            state.send(slot, values.number(address))


def perform_blocks(
    nets: Nets,
    make: Make,
    values: Values,
    events: Iterable[Event],
    samples: int,
    *,
    seed: int = 0,
    channels: int = 2,
) -> Iterator[Sound]:
    """Plays from `values` on for this many samples, hop by hop. All latents are made in time, whatever it takes.

    Events take effect at their sample, those for now at the start. AeoliaError for an event that `check` refuses.
    """
    stream = Stream(nets, values, seed)
    state = _state(nets, channels)
    set_all(state, values)
    hop = nets.manifest.hop_samples
    events = list(events)
    steering = _Upcoming(event for event in events if event.address in SLOTS or event.address == "/panic")
    waiting = _Upcoming(events)
    while stream.position < samples:
        position = stream.position
        controls = [_control(event) for event in steering.due(position + hop)]
        for event in waiting.due(hop_before(position, hop)):
            was_silent = stream.silent
            stream.apply(event)
            if stream.silent != was_silent:
                controls.append((position, Slot.GATE, float(not stream.silent)))
        for request in stream.requests():
            if stream.needs(request):
                stream.splice(request.id, make(request))
        yield _render(state, position, stream.hop(), controls)[: samples - position]


def performing(
    bundle: Bundle,
    values: Values,
    events: Iterable[Event],
    seconds: float,
    *,
    seed: int = 0,
    channels: int = 2,
) -> Iterator[Sound]:
    """`perform_blocks` with a bundle."""
    samples = round(seconds * bundle.manifest.sample_rate)
    return perform_blocks(
        nets_of(bundle, seed), sampler_of(bundle), values, events, samples, seed=seed, channels=channels
    )


def perform(
    bundle: Bundle, values: Values, events: Iterable[Event], seconds: float, *, seed: int = 0, channels: int = 2
) -> Sound:
    """`performing` in one piece: (N, channels) float32."""
    return np.concatenate(list(performing(bundle, values, events, seconds, seed=seed, channels=channels)))


def replay_blocks(nets: Nets, make: Make, journal: Journal) -> Iterator[Sound]:
    """The performance of a journal, hop by hop: the very samples that were put out, if no block came too late then.

    AeoliaError where the journal takes in latents that this performance never asked for.
    """
    header, hop = journal.header, nets.manifest.hop_samples
    if header.rate_hz != nets.manifest.sample_rate:
        raise AeoliaError(f"journal at {header.rate_hz} Hz: the bundle makes {nets.manifest.sample_rate} Hz")
    stream = Stream(nets, header.values, header.seed)
    state = _state(nets, header.channels)
    set_all(state, header.values)
    steering = _Upcoming(event for event in journal.events if event.address in SLOTS)
    waiting = _Upcoming(event for event in journal.events if event.address not in SLOTS and event.address != END)
    asked: dict[int, Request] = {}
    while stream.position < journal.end:
        position = stream.position
        for event in waiting.due(hop_before(position, hop)):
            if event.address == SPLICE:
                number = int(event.args[1])
                if number not in asked:
                    raise AeoliaError(
                        f"journal at sample {event.sample}: request {number} was never made; the journal was changed, "
                        "or played by another version"
                    )
                stream.splice(number, make(asked.pop(number)))
            else:
                stream.apply(event)
        asked |= {request.id: request for request in stream.requests()}
        asked = {number: request for number, request in asked.items() if stream.voice_of(number) is not None}
        controls = [_control(event) for event in steering.due(position + hop)]
        yield _render(state, position, stream.hop(), controls)[: journal.end - position]


def replaying(journal: Journal, bundle: Bundle, *, steps: int | None = None) -> Iterator[Sound]:
    """`replay_blocks` with a bundle; with `steps`, sampled in so many steps throughout.

    AeoliaError where the bundle is not the one that was played, and where the performance is longer than a day.
    """
    journal.header.check_bundle(bundle)
    seconds = journal.end / journal.header.rate_hz
    if seconds > MAX_REPLAY_S:
        raise AeoliaError(
            f"journal of {seconds:.0f} s, it ends at sample {journal.end}: must be at most {MAX_REPLAY_S:.0f} s"
        )
    make = sampler_of(bundle)

    def finer(request: Request) -> NDArray[np.float32]:
        return make(request if steps is None else replace(request, steps=steps))

    return replay_blocks(nets_of(bundle, journal.header.seed), finer, journal)


def replay(journal: Journal, bundle: Bundle, *, steps: int | None = None) -> Sound:
    """`replaying` in one piece: (N, channels) float32."""
    return np.concatenate(
        [np.empty((0, journal.header.channels), np.float32), *replaying(journal, bundle, steps=steps)]
    )


class _Upcoming:
    """Events in the order of their samples, taken out as their time comes."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = sorted(events, key=lambda event: max(event.sample, 0))
        self._next = 0

    def due(self, before_sample: int) -> list[Event]:
        first = self._next
        while self._next < len(self._events) and self._events[self._next].sample < before_sample:
            self._next += 1
        return self._events[first : self._next]


def _control(event: Event) -> Control:
    if event.address == "/panic":
        return max(event.sample, 0), Slot.GATE, 0.0
    return max(event.sample, 0), SLOTS[event.address], float(event.args[0])


def _state(nets: Nets, channels: int) -> CallbackState:
    hop = nets.manifest.hop_samples
    return CallbackState(nets.manifest.sample_rate, _BLOCK, channels, ring_frames=max(2 * hop, 2 * _BLOCK))


def _render(state: CallbackState, position: int, stereo: Sound, controls: list[Control]) -> Sound:
    """A hop (2, N) through the callback to (N, channels), each control told just before its time."""
    out = np.empty((stereo.shape[1], state.channels), np.float32)
    state.write(stereo)
    done = 0
    for sample, slot, value in sorted(controls, key=lambda control: control[0]):
        until = min(max(-(-sample // TICK) * TICK - position, done), len(out))
        if until > done:
            state.render(out[done:until])
            done = until
        state.send(slot, value, sample)
    if done < len(out):
        state.render(out[done:])
    state.applied()  # nobody asks: keeps its log from filling
    return out
