"""Migrations over ASGI: bodies that tell their length, or come in one message, are carried over; streams pass as they come.

All state of a request is local to its call. What goes wrong while the application sends is kept from it, and raised to the gate
when it has returned: frameworks would make an error page of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import current
from interservice.http import Head
from interservice.inbound.versions.migrations import Chain, Migration, Passage, is_whole, restate

from .http import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .middleware import Application, Message, Receive, Scope, Send


class Migrations:
    """An ASGI application that lets another one speak its newest version alone: older clients' JSON is carried forward and back.

    Stands behind a gate that negotiates: `Middleware(Migrations(app, [...]), gate)`. Requests of the newest version, and those
    without one, pass untouched; so do websockets, lifespans, and bodies that are not JSON, are compressed, or are streamed.
    Anything that compresses or adds a digest belongs outside of it.

    Args:
        app: The application.
        migrations: What changed, by version.
        max_bytes: JSON bodies that a migration applies to may be this large: beyond it a request is refused with 413, and a
            response replaced by a 500.

    Raises:
        ConfigurationError: `app` cannot be called, a migration is no `Migration`, or the size makes no sense.
    """

    def __init__(self, app: Application, migrations: Sequence[Migration], *, max_bytes: int = 1_048_576) -> None:
        if not callable(app):
            raise ConfigurationError(f"Migrations.app must be an ASGI application, not {app!r}")
        self.app = app
        self._chain = Chain(migrations, max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope (ASGI 3); refusals are raised, for the gate to send."""
        passage = self._chain.of(scope.get("interservice.exchange") or current()) if scope["type"] == "http" else None
        if passage is None:
            await self.app(scope, receive, send)
            return
        fields = scope["headers"]
        if passage.wants_request():
            receive = await _carried(scope, receive, passage)
        try:
            if passage.responds:
                held = _Held(passage, send, is_head=scope["method"] == "HEAD")
                await held.run(self.app, scope, receive)
            else:
                await self.app(scope, receive, send)
        finally:
            scope["headers"] = fields  # the scope is the server's


async def _carried(scope: Scope, receive: Receive, passage: Passage) -> Receive:
    """Take the body, and give a `receive` that has the carried one. A body that a client cut short by leaving is not given."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > passage.max_bytes:
            raise passage.request_too_large()
        if not message.get("more_body", False):
            body = passage.forward(b"".join(parts))
            kept = [pair for pair in scope["headers"] if pair[0].lower() not in (b"content-length", b"transfer-encoding")]
            scope["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
            message = {"type": "http.request", "body": body, "more_body": False}
            break
    first: list[Message] = [message]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


class _Held:
    """The `send` of one response, its head held back until it is clear what becomes of the body."""

    def __init__(self, passage: Passage, send: Send, *, is_head: bool) -> None:
        self._passage = passage
        self._send = send
        self._is_head = is_head
        self._start: Message | None = None
        self._head = Head(0, [])
        self._parts: list[bytes] = []
        self._size = 0
        self._rejection: Rejection | None = None

    async def run(self, app: Application, scope: Scope, receive: Receive) -> None:
        """Run the application, then raise what went wrong with its response, if anything did."""
        try:
            await app(scope, receive, self.send)
        except Exception:
            if self._rejection is None:
                raise
        if self._rejection is not None:
            raise self._rejection

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if self._rejection is not None:
            return
        try:
            await self._take(message)
        except Rejection as rejection:
            self._rejection = rejection

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            await self._collect(message)
        else:  # a file by its path, or a push: nothing that could be carried
            await self._release()
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers") or ()]
        head = Head(message["status"], pairs)
        wanted = not message.get("trailers", False) and self._passage.wants_response(head)
        if wanted and self._is_head:  # nobody knows how long GET's body would be
            restate(head, None)
            message = {**message, "headers": encoded(head.headers)}
        elif wanted:
            self._start, self._head = message, head
            return
        await self._send(message)

    async def _collect(self, message: Message) -> None:
        more = message.get("more_body", False)
        if more and not is_whole(self._head):
            await self._release()
            await self._send(message)
            return
        body = message.get("body", b"")
        self._parts.append(body)
        self._size += len(body)
        if self._size > self._passage.max_bytes:
            raise self._passage.response_too_large()
        if not more:
            carried = self._passage.back(self._head.status, b"".join(self._parts))
            self._parts = []
            restate(self._head, len(carried))
            await self._release()
            await self._send({**message, "body": carried})

    async def _release(self) -> None:
        """Let the head go, and with it what was held of a body that turns out not to be carried."""
        assert self._start is not None  # noqa: S101 - the callers looked
        start, self._start = self._start, None
        await self._send({**start, "headers": encoded(self._head.headers)})
        if self._parts:
            await self._send({"type": "http.response.body", "body": b"".join(self._parts), "more_body": True})
            self._parts = []
