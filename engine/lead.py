"""How much sound is kept ready ahead of the sound card: what the render thread may oversleep and still be in time.

Like the jitter buffer of a telephone it follows what it sees (Ramjee and others 1994, "Adaptive playout mechanisms"),
slowly where it shrinks: a gap in the sound is worse than 10 ms more until a morph is heard.
"""

from dataclasses import dataclass
from typing import Final

DEFAULT_LEAD_FRAMES: Final = 2560
LEAST_LEAD_FRAMES: Final = 1536
MOST_LEAD_FRAMES: Final = 6144
STEP_FRAMES: Final = 512
"""How much more is kept ready after the sound card found nothing, and how much less when that much was never used."""
CALM_S: Final = 600.0
"""How long it must not have been used."""


@dataclass
class Lead:
    """The render thread's own; all in frames. `block` is what the sound card takes at a time."""

    rate_hz: int
    block: int
    frames: int = DEFAULT_LEAD_FRAMES
    """What is to be kept ready now."""

    def __post_init__(self) -> None:
        self.frames = max(self.frames, self.block)
        self.least, self.most = min(self.frames, max(LEAST_LEAD_FRAMES, self.block)), max(self.frames, MOST_LEAD_FRAMES)
        self.begin(0, 0)

    def begin(self, position: int, empty_reads: int) -> None:
        """Forgets what was seen so far. Before there is any sound, nothing is missing in an empty read."""
        self._since, self._empty_reads, self._lowest = position, empty_reads, self.most

    def observe(self, position: int, empty_reads: int, fill: int) -> None:
        """Before each hop that is written: the sound card's position, its empty reads so far, what was left for it."""
        self._lowest = min(self._lowest, fill)
        if empty_reads > self._empty_reads:
            self.frames = min(self.frames + STEP_FRAMES, self.most)
        elif position - self._since < CALM_S * self.rate_hz:
            return
        elif self._lowest >= STEP_FRAMES + 2 * self.block:
            self.frames = max(self.frames - STEP_FRAMES, self.least)
        self.begin(position, empty_reads)
