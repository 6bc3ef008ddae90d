"""The Python side of the audio callback: its state in memory, the rings into and out of it, and its meters.

Who writes and who reads: the render thread writes the audio ring; any thread sends controls (a lock orders them, the
callback takes none); one thread reads back what was applied; one thread reads the tap. The other end of each is the
callback, see `engine.kernel`.
"""

import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import kernel
from engine.errors import AeoliaError

CEILING: Final = kernel.CEILING
"""No output sample is ever larger than this (-0.3 dBFS)."""
DELAY_FRAMES: Final = kernel.LOOKAHEAD - 1
"""How many frames the limiter's look-ahead delays the sound."""
MOST_LATER: Final = kernel.QUEUE * 3 // 4
"""How many controls may wait for a later block."""
TAP_SECONDS: Final = 5.0
"""How long the disk may stall before a recording loses frames."""

_RELEASE_MS: Final = 80.0
_PEAK_FALL_DB_S: Final = 20.0 / 1.7  # IEC 60268-10, type I: 20 dB in 1.7 s
_RMS_MS: Final = 300.0


class Slot(IntEnum):
    """What the callback can be told between two blocks."""

    LEVEL_DB = kernel.LEVEL
    AZIMUTH_DEG = kernel.AZIMUTH
    WIDTH = kernel.WIDTH
    MOTION_RATE_HZ = kernel.RATE
    MOTION_DEPTH_DEG = kernel.DEPTH
    GATE = kernel.GATE


SMOOTHING_MS: Final[dict[Slot, float]] = {
    Slot.LEVEL_DB: 5.0,
    Slot.AZIMUTH_DEG: 5.0,
    Slot.WIDTH: 5.0,
    Slot.MOTION_RATE_HZ: 20.0,
    Slot.MOTION_DEPTH_DEG: 20.0,
    Slot.GATE: 20.0,
}
"""Time constant of each parameter's smoothing; of the gate, how long it takes to close or open."""


@dataclass(frozen=True, slots=True)
class Meters:
    """One consistent look at the callback.

    Peaks fall 11.8 dB a second, RMS integrates over 0.3 s; both are linear, 1.0 is full scale.
    """

    position: int
    """Frames put out so far."""
    time_ns: int
    """`time.monotonic_ns` when the device asked for the last block, which ends at `position`; 0 when offline."""
    empty_reads: int
    """Blocks that lacked frames since the first frame was written."""
    empty_frames: int
    peak: tuple[float, ...]
    rms: tuple[float, ...]
    reduction_db: float
    """What the limiter takes away, 0 dB or more, at the loudest place of the last block."""
    fill: int
    """Frames in the audio ring."""
    tap_lost: int
    """Frames the tap had no room for, in all."""
    xruns: int
    """How often the device said that it lost sound."""
    bad_frames: int
    """Frames of the ring that were not finite or beyond +-64, played as silence."""
    log_lost: int
    """Applied controls that nobody fetched in time."""


def default_speakers(channels: int) -> tuple[float, ...]:
    """Angles in degrees (0 front, positive right) of 1..64 loudspeakers: one, a stereo pair at +-30, or an even ring.

    A ring starts at the front left pair (even) or in front (odd) and goes clockwise: four are -45, 45, 135, -135.
    """
    if not 1 <= channels <= kernel.MAX_CHANNELS:
        raise AeoliaError(f"{channels} output channels: must be in range 1..{kernel.MAX_CHANNELS}")
    if channels <= 2:
        return ((0.0,), (-30.0, 30.0))[channels - 1]
    first = -180.0 / channels if channels % 2 == 0 else 0.0
    return tuple((first + 360.0 * k / channels + 180.0) % 360.0 - 180.0 for k in range(channels))


class CallbackState:
    """The callback's memory: rate in Hz, frames in a block, output channels, stereo frames in the audio ring, a
    speaker angle per channel.

    Raises AeoliaError for a value out of range. Must outlive every output that was opened with it.
    """

    def __init__(
        self,
        rate_hz: int = 48_000,
        block: int = 256,
        channels: int = 2,
        ring_frames: int = 8192,
        speakers_deg: Sequence[float] | None = None,
    ) -> None:
        speakers = default_speakers(channels) if speakers_deg is None else tuple(float(angle) for angle in speakers_deg)
        if not 8_000 <= rate_hz <= 384_000:
            raise AeoliaError(f"sample rate {rate_hz} Hz: must be in range 8000..384000")
        if not 16 <= block <= 8192:
            raise AeoliaError(f"block of {block} frames: must be in range 16..8192")
        if ring_frames < 2 * block:
            raise AeoliaError(f"audio ring of {ring_frames} frames: must hold two blocks, {2 * block} or more")
        _check_speakers(speakers, channels)
        self.rate_hz, self.block, self.channels = rate_hz, block, channels
        self.ring_frames, self.speakers_deg = ring_frames, speakers
        self.tap_frames = int(TAP_SECONDS * rate_hz)
        tap_words = (self.tap_frames * channels + 1) // 2
        total = kernel.HEAD_WORDS + ring_frames + tap_words
        self._memory = np.zeros(total + 8, np.int64)
        first = -(self._memory.ctypes.data // 8) % 8  # on a cache line
        self.words: NDArray[np.int64] = self._memory[first : first + total]
        self.doubles: NDArray[np.float64] = self.words.view(np.float64)
        self.floats: NDArray[np.float32] = self.words.view(np.float32)
        self._ring = self.floats[2 * kernel.HEAD_WORDS :][: 2 * ring_frames].reshape(ring_frames, 2)
        self._tap = self.floats[2 * (kernel.HEAD_WORDS + ring_frames) :][: self.tap_frames * channels]
        self._tap = self._tap.reshape(self.tap_frames, channels)
        self._sending = threading.Lock()
        self._sent = 0
        self._set_up(total)

    def _set_up(self, total: int) -> None:
        w, d, rate, tick = self.words, self.doubles, self.rate_hz, kernel.TICK
        w[kernel.TOTAL], w[kernel.CHANNELS], w[kernel.SAMPLE_RATE] = total, self.channels, rate
        w[kernel.RING], w[kernel.RING_AT] = self.ring_frames, 2 * kernel.HEAD_WORDS
        w[kernel.TAP], w[kernel.TAP_AT] = self.tap_frames, 2 * (kernel.HEAD_WORDS + self.ring_frames)
        order = sorted(range(self.channels), key=lambda channel: self.speakers_deg[channel])
        for k, channel in enumerate(order):
            w[kernel.ORDER + k], d[kernel.SPEAKER + k] = channel, self.speakers_deg[channel]
        if self.channels == 2:
            d[kernel.HALF_ANGLE] = (self.speakers_deg[order[1]] - self.speakers_deg[order[0]]) / 2.0
        for slot, ms in SMOOTHING_MS.items():  # two filters in a row share the time
            d[kernel.SMOOTHING + slot] = -math.expm1(-tick / (rate * ms / 2000.0))
        d[kernel.GATE_STEP] = tick / (rate * SMOOTHING_MS[Slot.GATE] / 1000.0)
        d[kernel.RELEASE_RATE] = -math.expm1(-1.0 / (rate * _RELEASE_MS / 1000.0))
        d[kernel.PEAK_FALL] = 10.0 ** (-_PEAK_FALL_DB_S / 20.0 / rate)
        d[kernel.RMS_RATE] = -math.expm1(-1.0 / (rate * _RMS_MS / 1000.0))
        for slot in (Slot.LEVEL_DB, Slot.WIDTH, Slot.GATE):  # 0 dB, as generated, open
            d[kernel.TARGET + slot] = 1.0
        d[kernel.RELEASE] = 1.0
        d[kernel.REQUIRED : kernel.REQUIRED + kernel.LOOKAHEAD] = 1.0
        w[kernel.MEAN : kernel.MEAN + kernel.LOOKAHEAD] = kernel.GAIN_ONE
        w[kernel.GAIN_SUM] = kernel.LOOKAHEAD * kernel.GAIN_ONE
        w[kernel.SINCE] = kernel.LOOKAHEAD
        self.rejoin()

    # -- audio ring: the render thread ---------------------------------------------------------------------------------

    def fill(self) -> int:
        """Stereo frames in the audio ring that were not played yet. Any thread."""
        return int(kernel.load(self.words, kernel.AUDIO_WRITTEN) - kernel.load(self.words, kernel.AUDIO_READ))

    def writable(self) -> int:
        """Stereo frames that `write` has room for. Render thread."""
        return self.ring_frames - self.fill()

    def write(self, stereo: NDArray[np.float32]) -> None:
        """Queues (2, N) float32 in +-1, N at most `writable()`; raises ValueError beyond that. Render thread."""
        if stereo.ndim != 2 or stereo.shape[0] != 2:
            raise ValueError(f"sound of shape {stereo.shape}: must be (2, N)")
        frames, room = stereo.shape[1], self.writable()
        if frames > room:
            raise ValueError(f"{frames} frames: the audio ring has room for {room}")
        written = int(self.words[kernel.AUDIO_WRITTEN])
        at = written % self.ring_frames
        until_end = min(frames, self.ring_frames - at)
        self._ring[at : at + until_end] = stereo.T[:until_end]
        self._ring[: frames - until_end] = stereo.T[until_end:]
        kernel.store(self.words, kernel.AUDIO_WRITTEN, written + frames)

    # -- controls ------------------------------------------------------------------------------------------------------

    def send(self, slot: Slot, value: float, due_sample: int = 0) -> int:
        """Moves `slot` to `value` at frame `due_sample`, or at the next block where that has passed. Any thread.

        Takes effect on the first multiple of 16 frames from then on; before the first block, from the first frame and
        without smoothing. Returns the control's number, which `applied` gives back. Raises AeoliaError for a value
        that isn't finite, and where 256 wait; those for later get 192 of these places, so a panic always finds one.
        """
        if not math.isfinite(value):
            raise AeoliaError(f"{slot.name} {value}: must be a finite number")
        with self._sending:
            written = int(self.words[kernel.CONTROL_WRITTEN])
            if written - kernel.load(self.words, kernel.CONTROL_READ) >= kernel.QUEUE:
                raise AeoliaError(f"{slot.name} {value}: at most {kernel.QUEUE} controls may wait for the sound card")
            later = due_sample > int(self.words[kernel.POSITION]) + self.block
            if later and written - int(self.words[kernel.CONTROL_READ]) + int(self.words[kernel.PENDING]) >= MOST_LATER:
                raise AeoliaError(f"{slot.name} {value} at frame {due_sample}: at most {MOST_LATER} may wait for later")
            self._sent += 1
            entry = kernel.CONTROLS + 4 * (written % kernel.QUEUE)
            self.words[entry], self.words[entry + 1], self.words[entry + 3] = self._sent, slot, max(due_sample, 0)
            self.doubles[entry + 2] = value
            kernel.store(self.words, kernel.CONTROL_WRITTEN, written + 1)
            return self._sent

    def applied(self) -> list[tuple[int, Slot, float, int]]:
        """What took effect since the last call, in order: (number, slot, value, exact frame). One reading thread."""
        read, written = int(self.words[kernel.LOG_READ]), kernel.load(self.words, kernel.LOG_WRITTEN)
        entries = [kernel.APPLIED + 4 * (k % kernel.LOG) for k in range(read, written)]
        w, d = self.words, self.doubles
        taken = [(int(w[e]), Slot(int(w[e + 1])), float(d[e + 2]), int(w[e + 3])) for e in entries]
        kernel.store(self.words, kernel.LOG_READ, written)
        return taken

    def snapshot(self) -> Meters:
        """What the callback measured, all of it at one moment. Any thread."""
        w, d = self.words, self.doubles
        while True:  # the callback holds the seqlock for microseconds
            version = kernel.load(w, kernel.SEQLOCK)
            ints = w[kernel.METERS_AT : kernel.REDUCTION].tolist()
            peak = d[kernel.PEAK : kernel.PEAK + self.channels].tolist()
            power = d[kernel.POWER : kernel.POWER + self.channels].tolist()
            reduction = float(d[kernel.REDUCTION])
            if version % 2 == 0 and kernel.load(w, kernel.SEQLOCK) == version:
                break
        position, time_ns, empty_reads, empty_frames, tap_lost, xruns, bad_frames, log_lost = ints
        return Meters(
            position=position,
            time_ns=time_ns,
            empty_reads=empty_reads,
            empty_frames=empty_frames,
            peak=tuple(peak),
            rms=tuple(math.sqrt(value) for value in power),
            reduction_db=reduction,
            fill=self.fill(),
            tap_lost=tap_lost,
            xruns=xruns,
            bad_frames=bad_frames,
            log_lost=log_lost,
        )

    # -- tap: one reading thread ---------------------------------------------------------------------------------------

    def tap_start(self) -> None:
        """From the next block on, keeps what is put out for `tap_read`; what an earlier tap left unread is dropped."""
        kernel.store(self.words, kernel.TAP_READ, kernel.load(self.words, kernel.TAP_WRITTEN))
        kernel.store(self.words, kernel.TAP_ON, 1)

    def tap_read(self) -> NDArray[np.float32]:
        """What was put out since the last call, (n, channels) float32, n possibly 0; still to be called after
        `tap_stop` for the rest.
        """
        read, written = int(self.words[kernel.TAP_READ]), kernel.load(self.words, kernel.TAP_WRITTEN)
        at, frames = read % self.tap_frames, written - read
        sound = np.concatenate((self._tap[at : at + frames], self._tap[: max(0, at + frames - self.tap_frames)]))
        kernel.store(self.words, kernel.TAP_READ, written)
        return sound

    def tap_stop(self) -> None:
        """Keeps nothing more; a block that is just being made may still come."""
        kernel.store(self.words, kernel.TAP_ON, 0)

    # -- without a device ----------------------------------------------------------------------------------------------

    def render(self, out: NDArray[np.float32]) -> None:
        """Fills `out`, (frames, channels) contiguous float32, with the next block. Only while no device runs this
        state.
        """
        if out.ndim != 2 or out.shape[1] != self.channels:
            raise ValueError(f"output of shape {out.shape}: must be (frames, {self.channels})")
        kernel.render(self.words, self.doubles, self.floats, out.reshape(-1), out.shape[0], 0, 0)

    def rejoin(self) -> None:
        """Makes the next fresh frame fade in, as a device that is opened again needs. Only while no device runs this
        state.
        """
        self.words[kernel.HOLDING], self.words[kernel.FADED], self.words[kernel.HELD] = 1, 0, kernel.FADE_OUT


def process(state: CallbackState, stereo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Plays (2, N) float32 through the callback offline, block by block as fast as it goes, to (N, channels) float32.

    The last block may be a short one. The sound comes out DELAY_FRAMES late; so for the end of a piece, append as many
    zeros.
    """
    frames = stereo.shape[1]
    out = np.empty((frames, state.channels), np.float32)
    for start in range(0, frames, state.block):
        end = min(start + state.block, frames)
        state.write(stereo[:, start:end])
        state.render(out[start:end])
    return out


def _check_speakers(speakers_deg: Sequence[float], channels: int) -> None:
    """Raises AeoliaError unless there is one finite angle per channel, in -180..180, all apart, and a pair encloses
    the front.
    """
    default_speakers(channels)  # checks the count
    if len(speakers_deg) != channels:
        raise AeoliaError(f"{len(speakers_deg)} speaker angles: must be one for each of {channels} channels")
    for angle in speakers_deg:
        if not -180.0 <= angle <= 180.0:
            raise AeoliaError(f"speaker angle {angle} degrees: must be in range -180..180")
    turns = sorted(angle % 360.0 for angle in speakers_deg)
    if any(after - before < 1.0 for before, after in itertools.pairwise(turns)):
        raise AeoliaError(f"speaker angles {list(speakers_deg)}: must be at least 1 degree apart")
    if channels == 2 and not 1.0 <= (max(speakers_deg) - min(speakers_deg)) / 2.0 <= 90.0:
        raise AeoliaError(f"speaker angles {list(speakers_deg)}: a pair must enclose the front, like -30 and 30")
