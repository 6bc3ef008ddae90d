"""OSC over UDP: a thread that listens, a thread that reports to subscribers, a thread for commands that take a while.

The listening thread stamps each packet as it comes, checks it and posts it; it never waits for anything else. The
command thread reads a bounded queue that the listening thread writes. Subscribers get what is newest, not what is old.
"""

import contextlib
import ipaddress
import logging
import math
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from engine import protocol
from engine.control import NOW, Event, Values, check_as, shown
from engine.errors import AeoliaError
from engine.params import BY_ADDRESS, COMMANDS_BY_ADDRESS, READINGS_BY_ADDRESS, Args

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 9120
MAX_SUBSCRIBERS: Final = 16
MAX_AHEAD_S: Final = 3600.0
"""How far in the future a timetag may lie."""
FEEDBACK_HZ: Final = 30.0
REFRESH_S: Final = 1.0
"""Subscribers get every value this often, changed or not: UDP loses packets."""

_RECEIVE_BYTES = 1 << 21
_WAITING_COMMANDS = 16
_SHOWN_ADDRESS = 255
_ANSWERS = ("/done", "/fail")
_LOGGED_APART = 16
_QUIET_S = 1.0

_log = logging.getLogger(__name__)

Peer: TypeAlias = tuple[str, int]


@dataclass(slots=True)
class _Subscriber:
    seen: Values | None = None
    refresh_at_s: float = 0.0


class Refusals:
    """Refused messages as lines of a log: each address at once, then at most once a second; past 16 addresses in a
    second, what is left shares one line.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, int]] = {}
        self._quiet_until_s: dict[str, float] = {}

    def add(self, address: str, reason: str) -> None:
        """Any thread; never waits for the log."""
        with self._lock:
            known = self._waiting.keys() | self._quiet_until_s.keys()
            address = address if address in known or len(known) < _LOGGED_APART else ""
            _, count = self._waiting.get(address, ("", 0))
            self._waiting[address] = "".join(c if c.isprintable() else "?" for c in reason), count + 1

    def lines(self, now_s: float) -> list[str]:
        """What is to be logged now: of each address the latest refusal, and how many more there were."""
        with self._lock:
            self._quiet_until_s = {a: until_s for a, until_s in self._quiet_until_s.items() if until_s > now_s}
            due = {a: each for a, each in self._waiting.items() if a not in self._quiet_until_s}
            for address in due:
                del self._waiting[address]
                self._quiet_until_s[address] = now_s + _QUIET_S
        return [f"refused: {reason}{f' ... and {count - 1} more' * (count > 1)}" for reason, count in due.values()]


class OscServer:
    """Steers an instrument over OSC. Binds its socket at once, on this machine alone unless another host is given;
    hears and answers from `start` until `stop`.

    `extra` adds commands without arguments, by address; what they return is said in `/done`.
    Raises AeoliaError where host and port can't be had.
    """

    def __init__(
        self,
        instrument: protocol.Instrument,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        extra: Mapping[str, Callable[[], str]] = MappingProxyType({}),
    ) -> None:
        self._instrument = instrument
        self._extra = dict(extra)
        self._socket = _bind(host, port)
        self._wake_read, self._wake_write = socket.socketpair()
        self._stopping = threading.Event()
        self._slow: queue.Queue[tuple[str, Args, Peer] | None] = queue.Queue(_WAITING_COMMANDS)
        self._lock = threading.Lock()  # guards the subscribers and the two counts
        self._subscribers: dict[Peer, _Subscriber] = {}
        self._received = self._refused = 0
        self._refusals = Refusals()
        self._threads = [
            threading.Thread(target=target, name=f"osc {name}", daemon=True)
            for name, target in (("in", self._listen), ("feedback", self._report), ("commands", self._work))
        ]

    @property
    def address(self) -> Peer:
        """Host and port that it is bound to."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def received(self) -> int:
        """Packets that came in."""
        with self._lock:
            return self._received

    @property
    def refused(self) -> int:
        """Packets, and messages in them, that were answered with `/fail`."""
        with self._lock:
            return self._refused

    def start(self) -> None:
        """Hear and answer, on threads of its own. Once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and free the port. Commands that were taken are finished first."""
        self._stopping.set()
        self._wake_write.send(b"\0")
        self._slow.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for each in (self._socket, self._wake_read, self._wake_write):
            each.close()

    # The listening thread.

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                self._drain()

    def _drain(self) -> None:
        while not self._stopping.is_set():
            try:
                packet, peer = self._socket.recvfrom(protocol.MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:  # Windows: an earlier answer found its port closed
                continue
            self._take(packet, peer, time.monotonic_ns())

    def _take(self, packet: bytes, peer: Peer, stamp_ns: int) -> None:
        with self._lock:
            self._received += 1
        try:
            messages = protocol.parse(packet)
        except AeoliaError as error:
            self._fail("", error, peer)
            return
        for message in messages:
            with self._answering(message.address, peer):
                self._obey(message, peer, stamp_ns)

    def _obey(self, message: protocol.Message, peer: Peer, stamp_ns: int) -> None:
        address, args = self._interpret(message)
        if address in BY_ADDRESS or address == "/panic":
            sample = self._sample(message.timetag)
            self._instrument.post(Event(sample, address, args, f"osc {peer[0]}:{peer[1]}", stamp_ns))
            if address == "/panic":
                self._done(address, "", peer)
            return
        if message.timetag > protocol.IMMEDIATELY and protocol.seconds_ahead(message.timetag, time.time_ns()) > 0:
            raise AeoliaError(f"{address} in a bundle for later: only values and /panic can wait for their time")
        match address:
            case "/get":
                self._get(str(args[0]), peer)
            case "/subscribe":
                self._done(address, self._subscribe(_destination(args, peer)), peer)
            case "/unsubscribe":
                self._done(address, self._unsubscribe(_destination(args, peer)), peer)
            case _:
                try:
                    self._slow.put_nowait((address, args, peer))
                except queue.Full:
                    raise AeoliaError(f"{address}: at most {_WAITING_COMMANDS} commands may wait") from None

    def _interpret(self, message: protocol.Message) -> tuple[str, Args]:
        if message.address in self._extra:
            return message.address, check_as(message.address, "", (), (), message.args)
        return protocol.interpret(message)

    def _sample(self, timetag: int) -> int:
        ahead_s = protocol.seconds_ahead(timetag, time.time_ns())
        if ahead_s > MAX_AHEAD_S:
            raise AeoliaError(f"timetag {ahead_s:.0f} s ahead: must be at most {MAX_AHEAD_S:.0f} s ahead")
        return max(0, self._instrument.sample_at(timetag)) if ahead_s > 0 else NOW

    def _get(self, address: str, peer: Peer) -> None:
        """Answers with the value or reading at an address, or with all that lie below it."""
        branch = f"{address.rstrip('/')}/"
        known = {**self._instrument.values, **self._readings()}
        found = {a: args for a, args in known.items() if a == address or a.startswith(branch)}
        if not found:
            if any(a == address or a.startswith(branch) for a in READINGS_BY_ADDRESS):
                raise AeoliaError(f"address {shown(address)}: is not measured yet")
            reason = "is a command and holds no value" if address in COMMANDS_BY_ADDRESS else "unknown"
            raise AeoliaError(f"address {shown(address)}: {reason}; `aeolia params` lists all")
        self._send([protocol.build(a, args) for a, args in found.items()], peer)

    def _subscribe(self, peer: Peer) -> str:
        """A new subscriber takes the place of the one that has not asked for longest, where there are too many: an
        instrument that runs for months outlives its panels.
        """
        with self._lock:
            self._subscribers.pop(peer, None)
            if len(self._subscribers) >= MAX_SUBSCRIBERS:
                del self._subscribers[next(iter(self._subscribers))]
            self._subscribers[peer] = _Subscriber()
        return f"{peer[0]}:{peer[1]}"

    def _unsubscribe(self, peer: Peer) -> str:
        with self._lock:
            if self._subscribers.pop(peer, None) is None:
                raise AeoliaError(f"subscriber {peer[0]}:{peer[1]}: unknown; must have subscribed before")
        return f"{peer[0]}:{peer[1]}"

    # The command thread.

    def _work(self) -> None:
        while task := self._slow.get():
            address, args, peer = task
            with self._answering(address, peer):
                extra = self._extra.get(address)
                self._done(address, extra() if extra else self._instrument.command(address, args), peer)

    # The feedback thread.

    def _report(self) -> None:
        tick_s = time.monotonic()
        while not self._stopping.wait(max(0.0, tick_s - time.monotonic())):
            now_s = time.monotonic()
            tick_s = max(tick_s + 1 / FEEDBACK_HZ, now_s)
            self._log_refusals(now_s)
            with self._lock:
                subscribers = list(self._subscribers.items())
            try:
                self._report_to(subscribers, now_s)
            except Exception:  # noqa: BLE001  subscribers wait for the next tick, which may be well again
                _log.exception("feedback")

        self._log_refusals(math.inf)

    def _log_refusals(self, now_s: float) -> None:
        for line in self._refusals.lines(now_s):
            _log.warning("%s", line)

    def _report_to(self, subscribers: list[tuple[Peer, _Subscriber]], now_s: float) -> None:
        if not subscribers:
            return
        values = self._instrument.values
        readings = [protocol.build(a, args) for a, args in self._readings().items()]
        for peer, subscriber in subscribers:
            seen = subscriber.seen
            if seen is None or now_s >= subscriber.refresh_at_s:
                seen, subscriber.refresh_at_s = None, now_s + REFRESH_S
            changed = () if values is seen else (a for a in values if seen is None or seen[a] != values[a])
            self._send([*(protocol.build(a, values[a]) for a in changed), *readings], peer)
            subscriber.seen = values

    def _readings(self) -> dict[str, Args]:
        return {**self._instrument.readings(), "/control/refused": (self.refused,)}

    # Any of the threads.

    @contextlib.contextmanager
    def _answering(self, address: str, peer: Peer) -> Iterator[None]:
        """Answers `/fail` for what goes wrong inside. Even a bug behind one message must not deafen the instrument."""
        try:
            yield
        except AeoliaError as error:
            self._fail(address, error, peer)
        except Exception as error:  # noqa: BLE001  logged with its traceback, and answered
            _log.exception("%s from %s", address, peer)
            self._fail(address, AeoliaError(f"{shown(address)}: internal error, {type(error).__name__}"), peer)

    def _send(self, messages: Iterable[bytes], peer: Peer) -> None:
        built = list(messages)
        for packet in built if len(built) == 1 else protocol.build_bundles(built):
            with contextlib.suppress(OSError):  # full or unreachable: what comes next is newer
                self._socket.sendto(packet, peer)

    def _done(self, address: str, detail: str, peer: Peer) -> None:
        self._send([protocol.build("/done", (address, detail) if detail else (address,))], peer)

    def _fail(self, address: str, error: AeoliaError, peer: Peer) -> None:
        with self._lock:
            self._refused += 1
        self._refusals.add(address, str(error))
        if address not in _ANSWERS:  # or two instruments would complain to each other forever
            self._send([protocol.build("/fail", (address[:_SHOWN_ADDRESS], str(error)))], peer)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError):
        raise AeoliaError(f"OSC host {shown(host)}: unknown; must be an address of this machine") from None
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise AeoliaError(
            f"OSC {host}:{port}: {error.strerror or error}; must be a free port of this machine, as in "
            f"--osc {DEFAULT_HOST}:{DEFAULT_PORT + 1}"
        ) from None
    bound.setblocking(False)
    return bound


def _destination(args: Args, peer: Peer) -> Peer:
    """Where a subscriber wants its feedback. Only this machine may send it elsewhere than to itself."""
    if not args:
        return peer
    name, port = str(args[0]), int(args[1])
    try:
        host = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        raise AeoliaError(f"host {shown(name)}: must be an IP address or localhost") from None
    sender = ipaddress.ip_address(peer[0].partition("%")[0])
    if host != sender and not sender.is_loopback:
        raise AeoliaError(f"host {host}: must be the sender's own, {peer[0]}")
    if host.version != sender.version:
        raise AeoliaError(f"host {host}: must be an IPv{sender.version} address, as the sender's")
    return str(host), port
