"""Connections of urllib3 that note what happens on the wire, mind the time, age, and can be pinned to an endpoint.

The URL's host stays the name of everything (Host, SNI, certificate, cookies, `Response.url`); an endpoint only changes where the
socket is dialled to. Nearly every request is written in one piece, and its response read, by this class itself; unusual ones, and
all of them where somebody replaced methods of urllib3's or `http.client`'s connections to see requests pass, go through those.
"""

from __future__ import annotations

import http.client
import math
import re
import socket
import ssl
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3
import urllib3.connection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from interservice.clock import SYSTEM

from .answer import Answer
from .dial import dial
from .head import Head
from .replaced import watched
from .request_head import plain_head
from .wire import CURRENT_WIRE, Tap, Wire, be_patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.clock import Clock

    from .resolve import Resolver

_KEEP_ALIVE_TIMEOUT = re.compile(r"(?:^|[,\s])timeout=([0-9]{1,6})(?:$|[,\s])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialling:
    """How the connections of a pool are made and how long they are kept.

    Attributes:
        endpoint: Host and port to dial instead of the URL's; None for the URL's own.
        max_idle: Seconds without use after which a connection is closed instead of used: less than servers keep theirs.
        max_age: Seconds after which a connection is closed however busy, so that a changed address is noticed.
        clock: What both are measured on.
        resolver: Looks up names; None for one that shares no lookup.
    """

    endpoint: tuple[str, int] | None = None
    max_idle: float = 55.0
    max_age: float = 300.0
    clock: Clock = SYSTEM
    resolver: Resolver | None = field(default=None, compare=False)


#: Of a connection that no adapter made: the URL's own host, and the system's clock.
AS_IT_IS = Dialling()


class Noting:
    """What both kinds of connection add to urllib3's."""

    sock: Any
    host: str
    port: int
    default_port: int
    debuglevel: int
    proxy: Any
    source_address: tuple[str, int] | None
    socket_options: Any
    _dns_host: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialling = AS_IT_IS
        self._wire: Wire | None = None
        self._connecting = False
        self._until = math.inf
        self._carried = 0
        self._born = -math.inf
        self._touched = -math.inf
        self._idle = math.inf
        self._asked: tuple[str, str, dict[str, bool]] = ("", "", {})
        #: Whether what was sent last, in one piece, has no response yet; and the last response to such a request.
        self._waiting = False
        self._last: Head | None = None

    def dial_as(self, dialling: Dialling) -> None:
        """Say how it is made, before it is."""
        self._dialling = dialling

    # Made and kept

    def connect(self) -> None:
        """Connect, and shake hands where there is TLS."""
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False
        self._carried = 0
        self._born = self._touched = self._dialling.clock.monotonic()
        self._idle = self._dialling.max_idle

    def _new_conn(self) -> socket.socket:
        wire = CURRENT_WIRE.get() or _unbounded(self._dialling.clock)
        self._until = min(wire.deadline, math.inf if wire.connect is None else wire.monotonic() + wire.connect)
        host, port = self._dialling.endpoint or (self._dns_host, self.port)
        try:
            sock = dial(
                host,
                port,
                wire,
                source_address=self.source_address,
                options=self.socket_options,
                resolver=self._dialling.resolver,
            )
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error  # type: ignore[arg-type]
        except TimeoutError as error:
            msg = f"Connection to {host} timed out. (connect timeout={wire.connect})"
            raise ConnectTimeoutError(self, msg) from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error  # type: ignore[arg-type]
        wire.phase = "tls"
        sys.audit("http.client.connect", self, host, port)
        return sock

    @property
    def is_connected(self) -> bool:
        """Whether it can take another request: open, nothing unasked to read, used lately and not too old."""
        if self.sock is None:
            return False
        now = self._dialling.clock.monotonic()
        touched = self._touched if self._wire is None else max(self._touched, self._wire.last)
        if now - touched > self._idle or now - self._born > self._dialling.max_age:
            return False
        return bool(super().is_connected)  # type: ignore[misc]

    # One request and its response

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, **how: Any) -> None:
        """Send a request; what is written is noted on the current `Wire`.

        Raises:
            http.client.CannotSendRequest: the response to the last one was not read to its end.
        """
        if self._waiting or not (self._last is None or self._last.isclosed()):
            msg = "the response to the request before was not read"
            raise http.client.CannotSendRequest(msg)
        self._asked = (method, url, how)
        wire = self._wire = CURRENT_WIRE.get() or _unbounded(self._dialling.clock)
        wire.facts.reused = self._carried > 0 and self.sock is not None
        wire.phase = "source"
        url = wire.target or url
        head = self._plain_head(method, url, body, headers, how)
        if head is None:
            super().request(method, url, body=body, headers=headers, **how)  # type: ignore[misc]
            return
        self._waiting = True
        if body and len(body) <= _PIECE:
            self.send(head + body)
        else:
            self.send(head)
            if body:
                self.send(body)

    def _plain_head(
        self, method: str, url: str, body: Any, headers: Mapping[str, str] | None, how: Mapping[str, bool]
    ) -> bytes | None:
        """The head of a request that can be sent in one piece, with nobody there who wants to see how it is made; else None."""
        host = self.host
        if headers is None or self.proxy is not None or how.get("chunked") or self.debuglevel > 0 or watched():
            return None
        if ":" in host or not host.isascii():
            return None
        if self.port != self.default_port:
            host = f"{host}:{self.port}"
        return plain_head(method, url, host, headers, body)

    def send(self, data: Any) -> None:
        """Write `data`, in pieces that each have the time of one write; counts what the socket took."""
        wire = self._wire
        if self._connecting or wire is None:  # a proxy's CONNECT
            super().send(data)  # type: ignore[misc]
            return
        if self.sock is None:
            self.connect()
        wire.phase = "send"
        sys.audit("http.client.send", self, data)
        facts, sock = wire.facts, self.sock
        encrypted = isinstance(sock, ssl.SSLSocket)
        view, position = memoryview(data), 0
        while position < len(view):
            be_patient(sock, wire.patience(wire.read))
            if encrypted:
                facts.bytes_written += 1  # what TLS was given may be on its way even when it raises
            sent = sock.send(view[position : position + _PIECE])
            position += sent
            facts.bytes_written += sent - encrypted
        wire.phase = "source"

    def response_class(self, sock: Any, debuglevel: int = 0, method: str | None = None, url: str | None = None) -> Any:
        """What reads a response: strictly, and within the time left; a proxy's to CONNECT as ever, within the time to connect."""
        if self._connecting or self._wire is None:
            until = Wire(self._dialling.clock, self._until, None, None)
            return http.client.HTTPResponse(Tap(sock, until, held=True), debuglevel, method, url)  # type: ignore[arg-type]
        return Head(Tap(sock, self._wire, held=True), debuglevel, method, url)

    def getresponse(self) -> Answer:
        """Read the head of the response."""
        wire = self._wire
        assert wire is not None  # noqa: S101 - urllib3 sends before it reads
        method, url, how = self._asked
        wire.phase = "headers"
        shutdown = getattr(self.sock, "shutdown", None)
        read = super(urllib3.connection.HTTPConnection, self).getresponse  # type: ignore[misc]
        head: Head = self._read_head(method, wire) if self._waiting else read()
        wire.phase = "body"
        wire.facts.body_started = True
        self._carried += 1
        self._touched = self._dialling.clock.monotonic()
        hint = head.keep_alive
        if hint and (match := _KEEP_ALIVE_TIMEOUT.search(hint)):
            self._idle = min(self._dialling.max_idle, max(0.0, int(match[1]) - 1.0))
        return Answer(head, method, url, wire, shutdown, how)

    def _read_head(self, method: str, wire: Wire) -> Head:
        self._waiting = False
        head = Head(Tap(self.sock, wire, held=False), method=method)
        try:
            head.begin()
        except BaseException:
            head.close()
            raise
        if head.will_close:
            head.hold()
            self.close()  # the response has the socket until it was read
        else:
            self._last = head
        return head

    def close(self) -> None:
        """As urllib3's; a response that was not read to its end is closed, too."""
        last, self._last, self._waiting = self._last, None, False
        try:
            super().close()  # type: ignore[misc]
        finally:
            if last is not None:
                last.close()


#: Bytes handed to the socket at once; each such piece may take the read timeout.
_PIECE = 1 << 18


def _unbounded(clock: Clock) -> Wire:
    return Wire(clock, math.inf, None, None)


class PlainConnection(Noting, urllib3.connection.HTTPConnection):  # type: ignore[misc]
    """A connection without TLS."""


class TLSConnection(Noting, urllib3.connection.HTTPSConnection):  # type: ignore[misc]
    """A connection with TLS."""
