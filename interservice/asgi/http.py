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
    from interservice.exchange import Exchange
    from interservice.http import Reply
    from interservice.inbound.gate import Gate

    from .middleware import Message, Receive, Scope, Send

_SERVER_ERROR = 500
#: A file that the server sends by itself: the whole of it, or a part.
_FILES = ("http.response.pathsend", "http.response.zerocopysend")


class HTTP:
    """The `receive` and `send` that the application gets for one request."""

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

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        kind = message["type"]
        if self._replaced:
            return
        if kind == "http.response.start":
            await self._start(message)
        elif kind == "http.response.body":
            await self._body(message)
        else:
            await self._pass(message)
            if kind in _FILES:
                self._file(message)
            elif kind == "http.response.trailers" and not message.get("more_trailers", False):
                self._complete()

    async def refuse(self, reply: Reply) -> None:
        """Send a refusal; the application is not asked, or is not listened to any more."""
        await self._pass({"type": "http.response.start", "status": reply.status, "headers": self._fields(reply.headers)})
        self.started = True
        await self._body({"type": "http.response.body", "body": reply.body})

    def finish(self, outcome: str | None = None, error: BaseException | None = None) -> None:
        """End the exchange, unless its last byte has already ended it."""
        if self._ended is None and outcome is None and error is None:
            # The application returned, but its response is not whole: either nobody was there any more, or it is a fault of
            # the application.
            outcome = "client_disconnect" if self.disconnected else "aborted"
        if self.exchange.route is None:
            self.exchange.route = route(self._scope)
        self.gate.finish(self.exchange, outcome, error, ended=self._ended)

    async def _start(self, message: Message) -> None:
        exchange = self.exchange
        status = message["status"]
        exchange.route = route(self._scope)
        refusal = (exchange.refusal or handled.refusal()) if status >= _SERVER_ERROR else None
        if refusal is not None:  # a handler refused, and the framework knew no better
            self._replaced = True
            await self.refuse(self.gate.refuse(exchange, refusal))
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers") or ()]
        head = Head(status, headers)
        self.gate.respond(exchange, head)
        self._trailers = bool(message.get("trailers", False))
        self._head = head
        await self._pass({**message, "status": head.status, "headers": self._fields(head.headers)})
        self.started = True

    def _fields(self, headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
        """Header pairs for the server; servers of HTTP/1 end a connection whose response says so, HTTP/2 forbids the field."""
        fields = encoded(headers)
        if self.exchange.closing and self._scope.get("http_version", "1.1")[:1] == "1":
            fields = [*(field for field in fields if field[0] != b"connection"), (b"connection", b"close")]
        return fields

    async def _body(self, message: Message) -> None:
        exchange = self.exchange
        body = message.get("body", b"")
        if body and exchange.first_byte is None:
            exchange.first_byte = self.gate.clock.monotonic() - exchange.started
        await self._pass(message)
        if exchange.request.method != "HEAD":
            exchange.bytes_sent += len(body)
        if not message.get("more_body", False) and not self._trailers:
            self._complete()

    def _file(self, message: Message) -> None:
        """Note a file that the server sends: as many bytes as the message, or else the head, says."""
        exchange = self.exchange
        if exchange.request.method != "HEAD":
            length = (self._head and self._head.get("Content-Length")) or ""
            exchange.bytes_sent += message.get("count") or (int(length) if length.isdecimal() else 0)
        if not message.get("more_body", False) and not self._trailers:
            self._complete()

    async def _pass(self, message: Message) -> None:
        try:
            await self._send(message)
        except Exception:
            self.disconnected = self.disconnected or self._ended is None
            raise

    def _complete(self) -> None:
        """The last byte is out. A server error waits for the application's return: frameworks send a 500 and then raise."""
        if self._ended is None:
            self._ended = self.gate.clock.monotonic()
            if (self.exchange.status or 0) < _SERVER_ERROR:
                self.gate.finish(self.exchange, ended=self._ended)


def encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Header pairs as ASGI has them: bytes, names in lower case."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
