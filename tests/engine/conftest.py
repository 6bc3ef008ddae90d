"""An instrument that only remembers, for those who steer one."""

from collections.abc import Mapping

import pytest

from engine.control import Event, Values
from engine.errors import AeoliaError
from engine.params import Args
from engine.protocol import timetag_at

EPOCH_NS = 1_600_000_000_000_000_000


class Remembering:
    """Takes every event at once. Its sample clock runs at 1 kHz from a fixed time; recording fails by request."""

    def __init__(self) -> None:
        self.values = Values.defaults()
        self.events: list[Event] = []
        self.commands: list[tuple[str, Args]] = []
        self.error: Exception | None = None

    def post(self, event: Event) -> None:
        if self.error:
            raise self.error
        self.events.append(event)
        if event.address in self.values:
            self.values = self.values.with_(event)

    def command(self, address: str, args: Args) -> str:
        if args == ("/full",):
            raise AeoliaError("recording /full: no space left; must be a disk with room")
        self.commands.append((address, args))
        return "take.flac"

    def sample_at(self, timetag: int) -> int:
        return (timetag - timetag_at(EPOCH_NS)) * 1000 >> 32

    def readings(self) -> Mapping[str, Args]:
        return {"/meter/peak": (-6.0, -6.5), "/latency/block": (4.0, 5.0)}


@pytest.fixture
def instrument() -> Remembering:
    return Remembering()
