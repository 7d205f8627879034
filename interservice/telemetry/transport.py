"""Clients of the statsd package that may lose a packet, but never a request: they resolve late, again, and quietly.

Used by one background thread alone. The statsd package gives the pipeline (names, prefix, order); how packets are cut and sent
is here:
its own client resolves in the constructor, sends an over-long line as it is, and never recovers a stream.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from statsd.client.base import PipelineBase, StatsClientBase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from interservice.clock import Clock

    from .address import Address

    #: `socket.getaddrinfo`, or what a test gives.
    Resolve = Callable[..., list[tuple[Any, ...]]]

#: Seconds between two look-ups of a name that was found, and of one that was not.
RESOLVE_EVERY = 30.0
RESOLVE_AGAIN = 5.0
#: Seconds that a full socket buffer or an unreachable stream may hold the background thread up.
_PATIENCE = 0.5
_RECONNECT_MIN, _RECONNECT_MAX = 1.0, 30.0


def packets(lines: Iterable[str], limit: int) -> Iterator[str]:
    """Lines joined by newlines into packets of at most `limit` bytes, in order; a longer line is left out."""
    packet: list[str] = []
    size = -1
    for line in lines:
        length = len(line)
        if length > limit:
            continue
        if size + 1 + length > limit:
            yield "\n".join(packet)
            packet, size = [], -1
        packet.append(line)
        size += 1 + length
    if packet:
        yield "\n".join(packet)


class Packing(PipelineBase):  # type: ignore[misc] # statsd is untyped
    """A pipeline of the statsd package that cuts packets to the byte, drops what fits in none, and counts."""

    _client: Client

    def send_together(self, name: str, values: Iterable[str]) -> None:
        """Take several lines of one name that must share a packet."""
        self._after("\n".join(self._prepare(name, value, 1) for value in values))

    def _send(self) -> None:
        lines = list(self._stats)
        self._stats.clear()
        limit = self._client.max_packet
        self._client.dropped += sum(len(line) > limit for line in lines)
        for packet in packets(lines, limit):
            self._client._after(packet)  # noqa: SLF001 - the seam between pipelines and clients in the statsd package


class Client(StatsClientBase):  # type: ignore[misc] # statsd is untyped
    """What both transports share: limits and counts.

    Attributes:
        max_packet: Bytes of the largest packet.
        packets, bytes: What was sent.
        dropped: Lines that were not.
    """

    def __init__(self, address: Address, max_packet: int, clock: Clock) -> None:
        self._prefix = None  # names come with theirs
        self._address = address
        self._clock = clock
        self._sock: socket.socket | None = None
        self.max_packet = max_packet
        self.packets = self.bytes = self.dropped = 0

    def pipeline(self) -> Packing:
        """A pipeline; its `send()` sends at once."""
        return Packing(self)

    def close(self) -> None:
        """Close the socket; the next packet opens another."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _send(self, data: str) -> None:
        payload = data.encode("ascii", "replace")
        try:
            sent = self._deliver(payload)
        except OSError:
            sent = False
            self.close()
        if sent:
            self.packets += 1
            self.bytes += len(payload)
        else:
            self.dropped += data.count("\n") + 1

    def _deliver(self, payload: bytes) -> bool:
        raise NotImplementedError


class DatagramClient(Client):
    """UDP, or a unix datagram socket. A name is looked up again now and then; while that fails, the last answer serves."""

    def __init__(self, address: Address, max_packet: int, clock: Clock, resolve: Resolve = socket.getaddrinfo) -> None:
        super().__init__(address, max_packet, clock)
        self._resolve = resolve
        self._target: Any = address.path or None
        self._family: int = socket.AF_UNIX if address.transport == "unix" else socket.AF_UNSPEC
        self._look_up_at = float("inf") if address.transport == "unix" else float("-inf")

    def _deliver(self, payload: bytes) -> bool:
        if self._clock.monotonic() >= self._look_up_at:
            self._look_up()
        if self._target is None:
            return False
        if self._sock is None:
            self._sock = socket.socket(self._family, socket.SOCK_DGRAM)
            self._sock.settimeout(_PATIENCE)
        self._sock.sendto(payload, self._target)
        return True

    def _look_up(self) -> None:
        try:
            found = self._resolve(self._address.host, self._address.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # UnicodeError: a label that IDNA refuses
            found = []
        self._look_up_at = self._clock.monotonic() + (RESOLVE_EVERY if found else RESOLVE_AGAIN)
        if found and self._target not in [entry[4] for entry in found]:  # several answers: stay with the one in use
            family, self._target = found[0][0], found[0][4]
            if family != self._family:
                self.close()
            self._family = family


class StreamClient(Client):
    """TCP: connected at the first packet, and again after a failure, with growing pauses in which packets are dropped."""

    def __init__(self, address: Address, max_packet: int, clock: Clock) -> None:
        super().__init__(address, max_packet, clock)
        self._pause = _RECONNECT_MIN
        self._connect_at = float("-inf")

    def _deliver(self, payload: bytes) -> bool:
        if self._sock is None and not self._connect():
            return False
        assert self._sock is not None  # noqa: S101 - for the type checker
        self._sock.sendall(payload + b"\n")
        return True

    def _connect(self) -> bool:
        if self._clock.monotonic() < self._connect_at:
            return False
        try:
            self._sock = socket.create_connection((self._address.host, self._address.port), timeout=_PATIENCE)
        except (OSError, UnicodeError):
            self._connect_at = self._clock.monotonic() + self._pause
            self._pause = min(2 * self._pause, _RECONNECT_MAX)
            return False
        self._pause = _RECONNECT_MIN
        return True


def client_for(address: Address, max_packet: int, clock: Clock) -> Client:
    """A client for an address. Opens nothing yet."""
    return (StreamClient if address.transport == "tcp" else DatagramClient)(address, max_packet, clock)
