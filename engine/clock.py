"""Sample clock, monotonic clock and NTP timetags, told from what the callback says of its position.

The device's clock drifts against the computer's, and the callback wakes with jitter, so the relation is filtered: a
first-order loop in the manner of F. Adriaensen, "Using a DLL to filter time", 2005. One thread updates; any may read.
"""

from typing import Final

GAIN: Final = 0.05
"""How far each update follows the newest reading: at 47 updates a second, jitter is averaged over half a second."""
JUMP_NS: Final = 50_000_000
"""A reading this far off is believed at once: the device stood still, or was changed."""
SETTLING_NS: Final = 500_000_000
"""Of readings without a jump, until single positions are known to a few milliseconds."""

_UNIX_EPOCH_S: Final = 2_208_988_800  # 1970 in seconds since 1900


class SampleClock:
    """Relates frames put out, at `rate_hz`, to time.monotonic_ns."""

    def __init__(self, rate_hz: int) -> None:
        self._ns_per_sample = 1e9 / rate_hz
        self._base: tuple[int, int] | None = None  # a position and its time; replaced as a whole
        self._jumped_ns, self._newest_ns = 0, 0

    @property
    def running(self) -> bool:
        """Whether there was a reading yet."""
        return self._base is not None

    @property
    def settled(self) -> bool:
        """Whether there were readings for SETTLING_NS since the first one, or since the last jump."""
        return self._newest_ns - self._jumped_ns >= SETTLING_NS

    def update(self, position: int, time_ns: int) -> None:
        """A reading: frame `position` left the callback at `time_ns`; ignored while the device hasn't begun."""
        if time_ns <= 0:
            return
        expected = self.time_ns(position) if self._base else time_ns
        error = time_ns - expected
        jumps = self._base is None or abs(error) > JUMP_NS
        if jumps:
            self._jumped_ns = time_ns
        self._newest_ns = time_ns
        self._base = position, time_ns if jumps else expected + round(GAIN * error)

    def time_ns(self, position: int) -> int:
        """The monotonic time of a frame. ValueError before the first reading."""
        base_position, base_ns = self._based()
        return base_ns + round((position - base_position) * self._ns_per_sample)

    def position(self, time_ns: int) -> int:
        """The frame of a monotonic time. ValueError before the first reading."""
        base_position, base_ns = self._based()
        return base_position + round((time_ns - base_ns) / self._ns_per_sample)

    def _based(self) -> tuple[int, int]:
        if self._base is None:
            raise ValueError("the sample clock is not running yet")
        return self._base


def monotonic_of(timetag: int, unix_ns: int, monotonic_ns: int) -> int:
    """The monotonic time of an NTP timetag (32.32 fixed point, seconds since 1900), given both clocks' time now."""
    tag_ns = (timetag * 1_000_000_000 >> 32) - _UNIX_EPOCH_S * 1_000_000_000
    return monotonic_ns + tag_ns - unix_ns
