"""Connections and pools of urllib3 that note what happens on the wire, mind the time, age, and can be pinned to an endpoint.

Made through urllib3's public seams: a manager's `pool_classes_by_scheme` and `key_fn_by_scheme`, a pool's `ConnectionCls`. The
URL's host stays the name of everything (Host, SNI, certificate, cookies, `Response.url`); an endpoint only changes where the
socket is dialled to.
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
from urllib3.util import SKIP_HEADER

from interservice.clock import SYSTEM

from .answer import Answer
from .dial import dial
from .head import Head
from .wire import CURRENT_WIRE, Tap, Wire

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
_AS_IT_IS = Dialling()


class _Noting:
    """What both kinds of connection add to urllib3's."""

    sock: Any
    host: str
    port: int
    source_address: tuple[str, int] | None
    socket_options: Any
    _dns_host: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialling = _AS_IT_IS
        self._wire: Wire | None = None
        self._connecting = False
        self._until = math.inf
        self._carried = 0
        self._born = -math.inf
        self._touched = -math.inf
        self._idle = math.inf
        self._asked: tuple[str, str, dict[str, bool]] = ("", "", {})

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
        """Send a request; what is written is noted on the current `Wire`."""
        self._asked = (method, url, how)
        wire = self._wire = CURRENT_WIRE.get() or _unbounded(self._dialling.clock)
        wire.facts.reused = self._carried > 0 and self.sock is not None
        wire.phase = "source"
        super().request(method, wire.target or url, body=body, headers=headers, **how)  # type: ignore[misc]

    def putheader(self, header: Any, *values: Any) -> None:
        """As urllib3's, which looks for its SKIP_HEADER in every value."""
        if len(values) == 1 and values[0] != SKIP_HEADER:
            super(urllib3.connection.HTTPConnection, self).putheader(header, *values)  # type: ignore[misc]
        else:
            super().putheader(header, *values)  # type: ignore[misc]

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
            sock.settimeout(wire.patience(wire.read))
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
            return http.client.HTTPResponse(Tap(sock, until), debuglevel, method, url)  # type: ignore[arg-type]
        return Head(Tap(sock, self._wire), debuglevel, method, url)

    def getresponse(self) -> Answer:
        """Read the head of the response."""
        wire = self._wire
        assert wire is not None  # noqa: S101 - urllib3 sends before it reads
        method, url, how = self._asked
        wire.phase = "headers"
        shutdown = getattr(self.sock, "shutdown", None)
        head = super(urllib3.connection.HTTPConnection, self).getresponse()  # type: ignore[misc]
        wire.phase = "body"
        wire.facts.body_started = True
        self._carried += 1
        self._touched = self._dialling.clock.monotonic()
        hint = head.keep_alive
        if hint and (match := _KEEP_ALIVE_TIMEOUT.search(hint)):
            self._idle = min(self._dialling.max_idle, max(0.0, int(match[1]) - 1.0))
        return Answer(head, method, url, wire, shutdown, how)


#: Bytes handed to the socket at once; each such piece may take the read timeout.
_PIECE = 1 << 18


def _unbounded(clock: Clock) -> Wire:
    return Wire(clock, math.inf, None, None)


class PlainConnection(_Noting, urllib3.connection.HTTPConnection):  # type: ignore[misc]
    """A connection without TLS."""


class TLSConnection(_Noting, urllib3.connection.HTTPSConnection):  # type: ignore[misc]
    """A connection with TLS."""


class _OurKind:
    """A pool's class of connections: ours, or what somebody put in the place of urllib3's, as libraries that record calls do."""

    __slots__ = ("_kind", "_of", "_theirs")

    def __init__(self, kind: type[Any], of: type[urllib3.HTTPConnectionPool]) -> None:
        self._kind = kind
        self._of = of
        self._theirs = of.ConnectionCls

    def __get__(self, pool: object, owner: type | None = None) -> type[Any]:
        now = self._of.ConnectionCls
        return self._kind if now is self._theirs else now


class _Dialling:
    """What both kinds of pool add to urllib3's."""

    def __init__(self, *args: Any, dialling: Dialling | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dialling = dialling or _AS_IT_IS

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        if isinstance(connection, _Noting):
            connection.dial_as(self._dialling)
        return connection


class PlainPool(_Dialling, urllib3.HTTPConnectionPool):
    """A pool of connections without TLS."""

    ConnectionCls = _OurKind(PlainConnection, urllib3.HTTPConnectionPool)


class TLSPool(_Dialling, urllib3.HTTPSConnectionPool):
    """A pool of connections with TLS."""

    ConnectionCls = _OurKind(TLSConnection, urllib3.HTTPSConnectionPool)


class _KeyFor:
    """A pool manager's key function: urllib3's key and how the pool dials, for which that has no field."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, context: dict[str, Any]) -> Any:
        return self._inner({name: value for name, value in context.items() if name != "dialling"}), context.get("dialling")


def ours(pool: urllib3.HTTPConnectionPool) -> bool:
    """Whether the connections of a pool note what happens; those of SOCKS proxies, and of who replaced urllib3's, do not."""
    return issubclass(pool.ConnectionCls, _Noting)


def instrument(manager: Any) -> None:
    """Have a `PoolManager` make our pools, and tell pools that dial differently apart."""
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": TLSPool}
    manager.key_fn_by_scheme = {scheme: _KeyFor(inner) for scheme, inner in manager.key_fn_by_scheme.items()}
