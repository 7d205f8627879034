"""One HTTP exchange over ASGI: heads amended, bytes counted, the end seen at the last message and not at the return.

Ends: the last `http.response.body`, a `pathsend` or the last `zerocopysend`, or the last trailers where trailers were announced.
Unknown messages pass through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice import handled
from interservice.http import Head

from .route import route

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from interservice.exchange import Exchange
    from interservice.http import Reply
    from interservice.inbound.gate import Gate

    from .middleware import Message, Receive, Scope, Send

_SERVER_ERROR = 500
_MOST_NAMES = 256
#: A file that the server sends by itself: the whole of it, or a part.
_FILES = ("http.response.pathsend", "http.response.zerocopysend")


class HTTP:
    """The `receive` and `send` that the application gets for one request."""

    __slots__ = (
        "_ended", "_head", "_receive", "_replaced", "_scope", "_send", "_trailers", "disconnected", "exchange", "gate", "started",
    )  # fmt: skip

    def __init__(self, gate: Gate, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate = gate
        self.exchange = exchange
        self.started = False
        self.disconnected = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._trailers = False
        self._replaced = False
        self._head: Head | None = None
        #: When the last byte went out, on the gate's clock.
        self._ended: float | None = None

    async def receive(self) -> Message:
        """The server's next message. A disconnect counts only before the response is complete: one follows every response."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._ended is None:
            self.disconnected = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message of the application on. What is to decide is decided at once: one coroutine is awaited, not three."""
        if self._replaced:
            return _nothing()
        if message["type"] == "http.response.start":
            status = message["status"]
            self.exchange.route = route(self._scope)
            refusal = (self.exchange.refusal or handled.refusal()) if status >= _SERVER_ERROR else None
            if refusal is not None:  # a handler refused, and the framework knew no better
                self._replaced = True
                return self.refuse(self.gate.refuse(self.exchange, refusal))
            message = self._amended(message, status)
        return self._deliver(message)

    async def refuse(self, reply: Reply) -> None:
        """Send a refusal; the application is not asked, or is not listened to any more."""
        await self._deliver({"type": "http.response.start", "status": reply.status, "headers": self._fields(reply.headers)})
        await self._deliver({"type": "http.response.body", "body": reply.body})

    def finish(self, outcome: str | None = None, error: BaseException | None = None) -> None:
        """End the exchange, unless its last byte has already ended it."""
        if self._ended is None and outcome is None and error is None:
            # The application returned, but its response is not whole: either nobody was there any more, or it is a fault of
            # the application.
            outcome = "client_disconnect" if self.disconnected else "aborted"
        if self.exchange.route is None:
            self.exchange.route = route(self._scope)
        self.gate.finish(self.exchange, outcome, error, ended=self._ended)

    def _amended(self, message: Message, status: int) -> Message:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers") or ()]
        head = self._head = Head(status, headers)
        self.gate.respond(self.exchange, head)
        self._trailers = message.get("trailers", False)
        return {**message, "status": head.status, "headers": self._fields(head.headers)}

    def _fields(self, headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
        """Header pairs for the server; servers of HTTP/1 end a connection whose response says so, HTTP/2 forbids the field."""
        fields = encoded(headers)
        if self.exchange.closing and self._scope.get("http_version", "1.1")[:1] == "1":
            fields = [*(field for field in fields if field[0] != b"connection"), (b"connection", b"close")]
        return fields

    async def _deliver(self, message: Message) -> None:
        """Hand a message to the server, and note what has gone out with it."""
        exchange, kind = self.exchange, message["type"]
        body = message.get("body") if kind == "http.response.body" else None
        if body and exchange.first_byte is None:
            exchange.first_byte = self.gate.clock.monotonic() - exchange.started
        try:
            await self._send(message)
        except Exception:
            self.disconnected = self.disconnected or self._ended is None
            raise
        if kind == "http.response.start":
            self.started = True
            return
        if exchange.request.method != "HEAD":
            if body:
                exchange.bytes_sent += len(body)
            elif kind in _FILES:
                exchange.bytes_sent += self._size(message)
        if self._ended is None and self._is_last(kind, message):
            self._ended = self.gate.clock.monotonic()
            # A server error waits for the application's return: frameworks send a 500 and then raise.
            if (exchange.status or 0) < _SERVER_ERROR:
                self.gate.finish(exchange, ended=self._ended)

    def _size(self, message: Message) -> int:
        """The bytes of a file that the server sends: as many as the message, or else the head, says."""
        length = (self._head and self._head.get("Content-Length")) or ""
        return message.get("count") or (int(length) if length.isdecimal() else 0)

    def _is_last(self, kind: str, message: Message) -> bool:
        """Whether nothing of the response is left."""
        if kind == "http.response.body" or kind in _FILES:
            return not message.get("more_body", False) and not self._trailers
        return kind == "http.response.trailers" and not message.get("more_trailers", False)


async def _nothing() -> None:
    """Takes what nobody listens to any more."""


class _FieldNames(dict[str, bytes]):
    """Field names as bytes in lower case, made on first use. Applications choose them, perhaps without end: then all go."""

    def __missing__(self, name: str) -> bytes:
        if len(self) >= _MOST_NAMES:
            self.clear()
        key = self[name] = name.lower().encode("latin-1")
        return key


_FIELD_NAMES = _FieldNames()


def encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Header pairs as ASGI has them: bytes, names in lower case."""
    return [(_FIELD_NAMES[name], value.encode("latin-1")) for name, value in headers]
