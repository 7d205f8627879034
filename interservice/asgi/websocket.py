"""One websocket over ASGI: refused before it is accepted, followed until it is closed.

A refusal is an HTTP response where the server can send one (extension `websocket.http.response`), else a close with 1008,
which servers answer with 403. Status 101 is an accepted handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.http import Head

from .http import encoded
from .route import route

if TYPE_CHECKING:
    from interservice.exchange import Exchange
    from interservice.http import Reply
    from interservice.inbound.gate import Gate

    from .middleware import Message, Receive, Scope, Send

_SWITCHING = 101
_POLICY_VIOLATION = 1008
#: RFC 6455 section 7.4.1: normal closure and going away; 1005 is a close frame without a code.
_ORDERLY = frozenset({1000, 1001, 1005})


class WebSocket:
    """The `receive` and `send` that the application gets for one websocket."""

    def __init__(self, gate: Gate, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate = gate
        self.exchange = exchange
        self.started = False
        self.disconnected = False
        self._scope = scope
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """The server's next message."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            if message.get("code", 1005) not in _ORDERLY:
                self.disconnected = True
            self.finish()
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        kind = message["type"]
        exchange = self.exchange
        if kind == "websocket.accept":
            message = {**message, "headers": self._amended(message, _SWITCHING)}
            self.started = True
        elif kind == "websocket.http.response.start":
            message = {**message, "headers": self._amended(message, message["status"])}
            self.started = True
        elif kind == "websocket.send":
            exchange.bytes_sent += len(message.get("bytes") or (message.get("text") or "").encode())
        await self._pass(message)
        if kind == "websocket.close":
            if exchange.status is None:  # closed before it was accepted: the server answers 403
                exchange.status = 403
            self.finish()
        elif kind == "websocket.http.response.body" and not message.get("more_body", False):
            self.finish()

    async def refuse(self, reply: Reply) -> None:
        """Deny the handshake. The server's first message is taken, as the protocol wants the application to see it first."""
        if not self.started:
            await self._receive()
        self.started = True
        if "websocket.http.response" in (self._scope.get("extensions") or {}):
            await self._pass({"type": "websocket.http.response.start", "status": reply.status, "headers": encoded(reply.headers)})
            await self._pass({"type": "websocket.http.response.body", "body": reply.body})
        else:
            await self._pass(
                {
                    "type": "websocket.close",
                    "code": _POLICY_VIOLATION,
                    "reason": self.exchange.refusal.code if self.exchange.refusal else "",
                }
            )
        self.finish()

    def finish(self, outcome: str | None = None, error: BaseException | None = None) -> None:
        """End the exchange."""
        if outcome is None and self.disconnected:
            outcome = "client_disconnect"
        self.gate.finish(self.exchange, outcome, error)

    def _amended(self, message: Message, status: int) -> list[tuple[bytes, bytes]]:
        head = Head(status, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers") or ()])
        self.exchange.route = route(self._scope)
        self.gate.respond(self.exchange, head)
        return encoded(head.headers)

    async def _pass(self, message: Message) -> None:
        try:
            await self._send(message)
        except Exception:
            self.disconnected = True
            raise
