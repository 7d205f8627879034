"""One try as the socket sees it: what time is left before each operation, and the facts by which the try is judged.

A timeout set once does not bound a peer that trickles: each receive of a buffered reader gets the whole of it again. So every
operation on the socket asks `patience()` first, which bounds head and body, plain and TLS, read at once or streamed, without a
thread to watch over it.
"""

from __future__ import annotations

import io
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from urllib3.util import Timeout

from .outcome import WireFacts

if TYPE_CHECKING:
    from interservice.clock import Clock


class Wire:
    """The state of one try, from taking a connection to the end of the body.

    Args:
        clock: What `deadline` is measured on.
        deadline: Seconds on the clock's monotonic scale by which the call must be over; inf for none.
        connect: Seconds to resolve, connect and shake hands, or None.
        read: Seconds for one read or write, or None.
    """

    __slots__ = ("clamped", "connect", "deadline", "facts", "last", "monotonic", "phase", "read", "target")

    def __init__(self, clock: Clock, deadline: float, connect: float | None, read: float | None) -> None:
        self.monotonic = clock.monotonic
        self.deadline = deadline
        self.connect = connect
        self.read = read
        #: What the connection saw.
        self.facts = WireFacts()
        #: What is going on: pool, dns, connect, tls, source (the caller's body is asked for more), send, headers or body.
        self.phase = "pool"
        #: Whether the last wait was cut short by the deadline, so that its timeout is the call's and not the read's.
        self.clamped = False
        #: When the time left was last asked for, on the clock; 0 where there is no deadline.
        self.last = 0.0
        #: The request's target where it must go out as it is: urllib3 writes "%2f" as "%2F".
        self.target: str | None = None

    def patience(self, limit: float | None) -> float | None:
        """Seconds that the next operation may take: `limit`, or what is left of the call if that is less.

        Raises:
            TimeoutError: nothing is left.
        """
        if self.deadline == math.inf:
            return limit
        self.last = now = self.monotonic()
        left = self.deadline - now
        if limit is not None and limit <= left:
            self.clamped = False
            return limit
        self.clamped = True
        if left <= 0:
            msg = "the deadline of the call passed"
            raise TimeoutError(msg)
        return left

    def unseen(self) -> Timeout:
        """The request goes over a connection that is not ours, of a SOCKS proxy or of who records calls: it tells no facts.

        So it counts as sent, lest something be sent twice; and the time left bounds each operation, where it cannot bound all.

        Raises:
            TimeoutError: nothing is left.
        """
        self.facts.bytes_written = 1
        self.phase = "headers"
        connect = self.patience(self.connect)
        return Timeout(connect=connect, read=self.patience(self.read))


#: The try that this thread is making; a connection takes it over when a request is put on it.
CURRENT_WIRE: ContextVar[Wire | None] = ContextVar("interservice.outbound.wire", default=None)


def be_patient(sock: Any, seconds: float | None) -> None:
    """Set how long the next operation on a socket may take: a system call, where that is not what it has."""
    if sock.gettimeout() != seconds:
        sock.settimeout(seconds)


class Inlet(io.RawIOBase):
    """The reading end of a socket for one response: asks for the time left before each read, and notes that something came."""

    def __init__(self, sock: Any, wire: Wire) -> None:
        self._sock = sock
        self._wire = wire
        self._hold: Any = None

    def hold(self) -> None:
        """Keep the socket open until this is closed, whoever else closes it: Python's sockets count the files made of them."""
        self._hold = self._sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Always; the socket is asked when it is read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """One read of the socket, within the time that is left."""
        wire = self._wire
        be_patient(self._sock, wire.patience(wire.read))
        count: int = self._sock.recv_into(buffer)
        if count:
            wire.facts.response_started = True
        return count

    def fileno(self) -> int:
        """The socket's, for those who select on it."""
        number: int = self._sock.fileno()
        return number

    def close(self) -> None:
        """Let go of the socket; the connection closes it, or keeps it for the next request."""
        if not self.closed:
            super().close()
            if self._hold is not None:
                self._hold.close()


class Tap:
    """What `http.client` takes for a socket: the one method it calls, giving a buffered `Inlet`.

    `held`: whether the socket stays open for the response although the connection is closed, as `http.client` takes for granted.
    """

    __slots__ = ("_held", "_sock", "_wire")

    def __init__(self, sock: Any, wire: Wire, *, held: bool) -> None:
        self._sock = sock
        self._wire = wire
        self._held = held

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        """A reader over one response."""
        inlet = Inlet(self._sock, self._wire)
        if self._held:
            inlet.hold()
        return io.BufferedReader(inlet, _BUFFER)


#: One receive takes most responses whole.
_BUFFER = 16384
