"""A server that fails on purpose, for tests of clients: real sockets on loopback, each request answered as a script says.

    with FaultServer([Reply.reset(), Reply(status=503, headers={"Retry-After": "1"})]) as server:
        session.get(server.url)             # reset, then 503, then as often as wanted: 200
    assert [request.method for request in server.requests] == ["GET", "GET", "GET"]

It speaks enough HTTP/1.1 to be talked to by any client: keep-alive, Content-Length and chunked request bodies, HEAD.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from . import options
from .http import phrase

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

_RESET = struct.pack("ii", 1, 0)
_BODYLESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What becomes of one request. As it is: 200 with a short body, and the connection stays open.

    Attributes:
        status: The status.
        headers: Further header fields.
        body: The body.
        chunked: Send the body in chunks instead of with a Content-Length.
        length: A Content-Length to announce in place of the true one.
        delay: Seconds to wait before the first byte.
        cut: Send only so many bytes of the whole response, head included; 0 sends nothing.
        pace: Seconds to wait before each single byte of the response, a trickle; 0 sends it at once.
        pace_from: Trickle only from this byte on.
        end: What comes then: "keep" the connection for the next request, "close" it (FIN), "reset" it (RST), or "stall": no more.
        unread: Answer without reading the request's body, and then keep nothing; not for what a callable returns.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    chunked: bool = False
    length: int | None = None
    delay: float = 0.0
    cut: int | None = None
    pace: float = 0.0
    pace_from: int = 0
    end: Literal["keep", "close", "reset", "stall"] = "keep"
    unread: bool = False

    def __post_init__(self) -> None:
        options.number("Reply.status", self.status, at_least=100, at_most=999, integer=True)
        options.number("Reply.length", self.length, at_least=0, integer=True, optional=True)
        options.number("Reply.delay", self.delay, at_least=0)
        options.number("Reply.cut", self.cut, at_least=0, integer=True, optional=True)
        options.number("Reply.pace", self.pace, at_least=0)
        options.one_of("Reply.end", self.end, ("keep", "close", "reset", "stall"))

    @classmethod
    def drop(cls) -> Reply:
        """Read the request, and close the connection without an answer (FIN)."""
        return cls(cut=0, end="close")

    @classmethod
    def reset(cls) -> Reply:
        """Read the request, and reset the connection (RST)."""
        return cls(cut=0, end="reset")

    @classmethod
    def stall(cls, after: int = 0) -> Reply:
        """Read the request, send the first `after` bytes of an answer, and say nothing more."""
        return cls(cut=after, end="stall")

    @classmethod
    def cut_head(cls) -> Reply:
        """Close the connection inside the response's head."""
        return cls(cut=len(b"HTTP/1.1 200 OK\r\nContent-Le"), end="close")

    @classmethod
    def truncated(cls, body: bytes = b"truncated", *, chunked: bool = False) -> Reply:
        """Close the connection one byte before the announced end of the body, or before the last chunk."""
        if not chunked:
            return cls(body=body, length=len(body) + 1, end="close")
        whole = cls(body=body, chunked=True)
        return replace(whole, cut=len(whole.wire("GET")) - len(b"0\r\n\r\n"), end="close")

    @classmethod
    def trickle(cls, pace: float, body: bytes = b"trickle" * 100, *, from_head: bool = False) -> Reply:
        """Send the body (the head too when `from_head`) byte by byte, `pace` seconds apart."""
        reply = cls(body=body)
        return replace(reply, pace=pace, pace_from=0 if from_head else len(reply.head(body)))

    def head(self, body: bytes) -> bytes:
        """The bytes of the response's head."""
        lines = [f"HTTP/1.1 {self.status} {phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif self.status not in _BODYLESS and not any(name.lower() == "content-length" for name in self.headers):
            lines.append(f"Content-Length: {len(body) if self.length is None else self.length}")
        return "\r\n".join([*lines, "", ""]).encode("iso-8859-1")

    def wire(self, method: str) -> bytes:
        """All the bytes of the response to a request with that method."""
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(self.body), self.body) if self.chunked and self.body else self.body
        whole = self.head(self.body) + (b"" if method == "HEAD" or self.status in _BODYLESS else body)
        return whole if self.cut is None else whole[: self.cut]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came.

    Attributes:
        method: Its method.
        target: Path and query.
        headers: Field names in lower case; the last value of each.
        body: Its body, chunks joined.
        connection: Which connection it came on; the first is 1.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


Scripted: TypeAlias = "Reply | Callable[[Received], Reply]"


class FaultServer:
    """An HTTP server on an ephemeral port of 127.0.0.1 that answers request after request as scripted.

    Args:
        script: What becomes of each request, in the order they come; a callable is given the request and says.
        then: What becomes of those after the script.
        accept: What becomes of each connection before its first request (and before TLS), in order: "accept", "close", "reset",
            or "stall", which keeps it and never reads; then "accept".
        tls: The server's side of TLS; None for none.

    Attributes:
        requests: Every request, in order.
        connections: How many connections were accepted.
        bytes_received: How many bytes were read, on all connections.
    """

    def __init__(
        self,
        script: Iterable[Scripted] = (),
        *,
        then: Scripted | None = None,
        accept: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        for word in accept:
            options.one_of("FaultServer.accept", word, ("accept", "close", "reset", "stall"))
        self.requests: list[Received] = []
        self.connections = 0
        self.bytes_received = 0
        self._script: deque[Scripted] = deque(script)
        self._then: Scripted = then if then is not None else Reply()
        self._accept = deque(accept)
        self._tls = tls
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._open: dict[int, socket.socket] = {}
        self._hung_up: set[int] = set()
        self._listener: socket.socket | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port, once started."""
        return self._port

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(128)
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), name="fault-server", daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections from now on, and reset those that are open; `start()` listens again."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.hang_up(reset=True)

    def hang_up(self, *, reset: bool = False) -> None:
        """Close every open connection, as servers do with idle ones."""
        with self._changed:
            connections = list(self._open.values())
            self._hung_up.update(self._open)
        for connection in connections:
            _end(connection, reset=reset)

    def expect(self, *script: Scripted) -> None:
        """Append to the script."""
        with self._changed:
            self._script.extend(script)

    def wait_for(self, requests: int, timeout: float = 10.0) -> bool:
        """Wait until so many requests came; whether they did."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= requests, timeout)

    def close(self) -> None:
        """Stop: every connection is closed, stalled ones too."""
        self._over.set()
        self.refuse()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _serve(self, listener: socket.socket) -> None:
        for _ in itertools.count():
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                number = self.connections
                fate = self._accept.popleft() if self._accept else "accept"
                self._open[number] = connection
            if fate in {"close", "reset"}:
                self._forget(number, reset=fate == "reset")
                continue
            handle = self._ignore if fate == "stall" else self._talk
            threading.Thread(target=handle, args=(number, connection), name=f"fault-server-{number}", daemon=True).start()

    def _ignore(self, number: int, _connection: socket.socket) -> None:
        self._over.wait()
        self._forget(number, reset=False)

    def _talk(self, number: int, connection: socket.socket) -> None:
        reset = False
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._encrypt(number, connection, self._tls)
            with connection.makefile("rb") as lines:
                while (request := self._receive(number, connection, lines)) is not None:
                    reply = self._next(request)
                    self._send(connection, reply, request)
                    if reply.end != "keep" or reply.unread:
                        reset = reply.end == "reset"
                        if reply.unread and not reset:
                            _linger(connection)
                        break
        except (OSError, ValueError):  # the client went away, or spoke no HTTP
            pass
        finally:
            self._forget(number, reset=reset)

    def _encrypt(self, number: int, connection: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        encrypted = tls.wrap_socket(connection, server_side=True)
        with self._changed:
            if number in self._open:
                self._open[number] = encrypted
        return encrypted

    def _receive(self, number: int, connection: socket.socket, lines: Any) -> Received | None:
        first = lines.readline()
        if not first.endswith(b"\r\n"):
            return None
        headers, size = {}, len(first)
        for line in iter(lines.readline, b"\r\n"):
            if not line:
                return None
            size += len(line)
            name, _, value = line.decode("iso-8859-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._unread():
            body = b""
        elif "transfer-encoding" in headers:
            body = b"".join(_chunks(lines))
        else:
            body = lines.read(int(headers.get("content-length", 0)))
        method, target, _ = first.decode("iso-8859-1").split(" ", 2)
        request = Received(method, target, headers, body, number)
        with self._changed:
            if number in self._hung_up:  # it came while the reader was still to wake and close the connection
                return None
            self.requests.append(request)
            self.bytes_received += size + 2 + len(body)
            self._changed.notify_all()
        return request

    def _unread(self) -> bool:
        with self._changed:
            scripted = self._script[0] if self._script else self._then
        return isinstance(scripted, Reply) and scripted.unread

    def _next(self, request: Received) -> Reply:
        with self._changed:
            scripted = self._script.popleft() if self._script else self._then
        return scripted if isinstance(scripted, Reply) else scripted(request)

    def _send(self, connection: socket.socket, reply: Reply, request: Received) -> None:
        data = reply.wire(request.method)
        if reply.delay:
            self._over.wait(reply.delay)
        at_once = reply.pace_from if reply.pace else len(data)
        connection.sendall(data[:at_once])
        for position in range(at_once, len(data)):
            if self._over.wait(reply.pace):
                return
            connection.sendall(data[position : position + 1])
        if reply.end == "stall":
            self._over.wait()

    def _forget(self, number: int, *, reset: bool) -> None:
        with self._changed:
            connection = self._open.pop(number, None)
        if connection is not None:
            _end(connection, reset=reset)
            connection.close()


def _end(connection: socket.socket, *, reset: bool) -> None:
    """End a connection, whoever reads it: FIN at once, or RST when its reader, woken by this, closes it."""
    with contextlib.suppress(OSError):
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)


def _linger(connection: socket.socket) -> None:
    """Read what the client still sends, so that closing the connection does not reset it and lose the answer on the way."""
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def _chunks(lines: Any) -> Iterator[bytes]:
    while (size := int(lines.readline().split(b";")[0], 16)) > 0:
        yield lines.read(size)
        lines.readline()
    while lines.readline() not in {b"\r\n", b""}:
        pass
