"""OSC 1.0/1.1 as bytes: packets to messages, messages to what the table knows, and answers back to bytes.

Pure: no sockets and no clock. Packets are hostile until proven otherwise: size, nesting and number of messages are
bounded, and a packet that is malformed anywhere is refused as a whole.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pythonosc.parsing import osc_types

from engine.control import Event, Values, check, check_as, shown
from engine.errors import AeoliaError
from engine.params import ALIASES, READINGS_BY_ADDRESS, Args

MAX_PACKET_BYTES: Final = 65_536
MAX_NESTING: Final = 8
MAX_MESSAGES: Final = 1024
"""Messages in one packet, whatever the nesting."""
MAX_ARGUMENTS: Final = 64
IMMEDIATELY: Final = 1
"""The timetag that means now; 0 is taken as the same."""

_BUNDLE: Final = b"#bundle\0"
_UNIX_EPOCH_S: Final = 2_208_988_800  # 1970 in seconds since 1900
_DATAGRAM_BYTES: Final = 1400


class Instrument(Protocol):
    """What controllers steer. All methods may be called from any thread."""

    @property
    def values(self) -> Values:
        """What everything is set to now."""

    def post(self, event: Event) -> None:
        """Take an event that `check` let through. Raises AeoliaError where it can't."""

    def command(self, address: str, args: Args) -> str:
        """Do `/record/start`, `/record/stop` or `/prompt/{voice}/audio`; returns when it is done, with what is to be
        said of it. Raises AeoliaError where it can't.
        """

    def sample_at(self, timetag: int) -> int:
        """The position on the sample clock at which an event is to be applied to be heard at an NTP timetag."""

    def readings(self) -> Mapping[str, Args]:
        """What is measured now, by the addresses of `engine.params.READINGS`."""


@dataclass(frozen=True, slots=True)
class Message:
    """One OSC message. `timetag` is NTP time (32.32 fixed point, seconds since 1900) or `IMMEDIATELY`."""

    address: str
    args: tuple[object, ...]
    timetag: int = IMMEDIATELY


_READERS: Final[Mapping[str, Callable[[bytes, int], tuple[Any, int]]]] = {
    "i": osc_types.get_int,
    "h": osc_types.get_int64,
    "f": osc_types.get_float,
    "d": osc_types.get_double,
    "s": osc_types.get_string,
    "T": lambda _, index: (True, index),
    "F": lambda _, index: (False, index),
}


def parse(packet: bytes) -> list[Message]:
    """The messages of a packet in their order. Raises AeoliaError, with the reason, for anything malformed."""
    if len(packet) > MAX_PACKET_BYTES:
        raise AeoliaError(f"OSC packet of {len(packet)} bytes: at most {MAX_PACKET_BYTES} are allowed")
    messages: list[Message] = []
    for message in _walk(packet, IMMEDIATELY, 0):
        if len(messages) == MAX_MESSAGES:
            raise AeoliaError(f"OSC bundle: at most {MAX_MESSAGES} messages are allowed")
        messages.append(message)
    return messages


def _walk(packet: bytes, timetag: int, depth: int) -> Iterator[Message]:
    if not packet.startswith(_BUNDLE):
        yield _message(packet, timetag)
        return
    if depth == MAX_NESTING:
        raise AeoliaError(f"OSC bundle: at most {MAX_NESTING} may be nested")
    if len(packet) < 16:
        raise AeoliaError("OSC bundle: has no timetag")
    timetag = max(timetag, struct.unpack_from(">Q", packet, 8)[0])  # OSC 1.0: never before the enclosing bundle's
    index = 16
    while index < len(packet):
        size = struct.unpack_from(">i", packet, index)[0] if index + 4 <= len(packet) else -1
        index += 4
        if not 0 < size <= len(packet) - index:
            raise AeoliaError(f"OSC bundle: an element of {size} bytes where {max(0, len(packet) - index)} are left")
        yield from _walk(packet[index : index + size], timetag, depth + 1)
        index += size


def _message(packet: bytes, timetag: int) -> Message:
    if not packet.startswith(b"/"):
        raise AeoliaError(f"OSC packet {shown(packet[:16])}: must start with / or #bundle")
    try:
        address, index = osc_types.get_string(packet, 0)
        tags, index = osc_types.get_string(packet, index) if index < len(packet) else (",", index)
    except (osc_types.ParseError, ValueError):
        raise AeoliaError(f"OSC message {shown(packet[:32])}: address or type tags are cut off or not UTF-8") from None
    if not tags.startswith(",") or len(tags) > MAX_ARGUMENTS + 1:
        raise AeoliaError(
            f"{shown(address)} type tags {shown(tags)}: must be a comma and at most {MAX_ARGUMENTS} types"
        )
    args: list[object] = []
    for tag in tags[1:]:
        if tag not in _READERS:
            raise AeoliaError(f"{shown(address)} argument of type {shown(tag)}: must be one of {' '.join(_READERS)}")
        try:
            value, index = _READERS[tag](packet, index)
        except (osc_types.ParseError, ValueError):
            raise AeoliaError(f"{shown(address)} argument {len(args) + 1}: is cut off or not UTF-8") from None
        args.append(value)
    if index != len(packet):
        raise AeoliaError(f"{shown(address)}: the message has {len(packet)} bytes, its type tags say {index}")
    return Message(address, tuple(args), timetag)


def interpret(message: Message) -> tuple[str, Args]:
    """Address and arguments in the terms of the table: aliases converted, everything checked. Raises AeoliaError."""
    if alias := ALIASES.get(message.address):
        args = check_as(alias.address, alias.kinds, alias.minimum, alias.maximum, message.args)
        return alias.target, check(alias.target, alias.convert(tuple(float(a) for a in args)))
    if message.address in READINGS_BY_ADDRESS:
        raise AeoliaError(f"address {message.address!r}: is a reading; it can only be read, with /get or /subscribe")
    return message.address, check(message.address, message.args)


def seconds_ahead(timetag: int, unix_ns: int) -> float:
    """How far in the future of a time (Unix, nanoseconds) a timetag lies; 0 or less means now."""
    if timetag <= IMMEDIATELY:
        return 0.0
    return timetag / 2**32 - _UNIX_EPOCH_S - unix_ns * 1e-9


def timetag_at(unix_ns: int) -> int:
    """The NTP timetag of a Unix time in nanoseconds."""
    seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
    return (seconds + _UNIX_EPOCH_S << 32) + (rest_ns << 32) // 1_000_000_000


def build(address: str, args: Args) -> bytes:
    """One OSC message: bool as T/F, int as i (h where it needs 64 bits), float as f, str as s."""
    tags, body = ",", b""
    for value in args:
        if isinstance(value, bool):
            tags += "T" if value else "F"
        elif isinstance(value, int):
            small = -(2**31) <= value < 2**31
            tags += "i" if small else "h"
            body += osc_types.write_int(value) if small else osc_types.write_int64(value)
        elif isinstance(value, float):
            tags += "f"
            body += osc_types.write_float(value)
        else:
            tags += "s"
            body += osc_types.write_string(value)
    return osc_types.write_string(address) + osc_types.write_string(tags) + body


def build_bundles(messages: Iterable[bytes], timetag: int = IMMEDIATELY) -> list[bytes]:
    """Messages in as few bundles as fit the usual network packet each; a longer message goes in one of its own."""
    bundles: list[bytes] = []
    head = _BUNDLE + struct.pack(">Q", timetag)
    for message in messages:
        element = struct.pack(">i", len(message)) + message
        if bundles and len(bundles[-1]) + len(element) <= _DATAGRAM_BYTES:
            bundles[-1] += element
        else:
            bundles.append(head + element)
    return bundles
