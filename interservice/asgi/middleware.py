"""The middleware: lets a request or a websocket through the gate and follows it to its end.

All state of a request is local to its call. Blocking work that a policy wants runs in a thread, so that the event loop goes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import enter
from interservice.inbound.gate import Gate

from .http import HTTP
from .request import ScopeRequest
from .websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping

    from interservice.exchange import Exchange

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    #: Frameworks disagree on how to spell the types of the three arguments; any ASGI 3 application will do.
    Application = Callable[[Any, Any, Any], Awaitable[None]]

EXCHANGE = "interservice.exchange"
GATE = "interservice.gate"
#: What follows a connection, by the type of its scope. Others pass.
_CHANNELS: dict[str, type[HTTP | WebSocket]] = {"http": HTTP, "websocket": WebSocket}
_SHUT_DOWN = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")


class Middleware:
    """An ASGI application that puts a gate in front of another one.

    The exchange is at `scope["interservice.exchange"]`, `scope["state"]["interservice"]` (Starlette's
    `request.state.interservice`) and `current()`. Lifespan and unknown scopes pass; listeners are flushed at the end of the
    first. Mounted twice with the same gate, the inner one does nothing.

    Args:
        app: The application to protect.
        gate: The gate that decides.

    Raises:
        ConfigurationError: `gate` is not a `Gate`, or `app` cannot be called.
    """

    def __init__(self, app: Application, gate: Gate) -> None:
        if not isinstance(gate, Gate):
            raise ConfigurationError(f"Middleware.gate must be a Gate, not {gate!r}")
        if not callable(app):
            raise ConfigurationError(f"Middleware.app must be an ASGI application, not {app!r}")
        self.app = app
        self.gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope (ASGI 3): admit, run the application, and see that the exchange ends whatever happens."""
        gate = self.gate
        kind = _CHANNELS.get(scope["type"])
        if kind is None or scope.get(GATE) is gate:
            await self.app(scope, receive, self._flushing(send) if scope["type"] == "lifespan" else send)
            return
        exchange = scope[EXCHANGE] = gate.open(ScopeRequest(scope))
        scope[GATE] = gate
        scope.setdefault("state", {})["interservice"] = exchange
        channel = kind(gate, exchange, scope, receive, send)
        before = enter(exchange)
        try:
            while (work := gate.prepare(exchange)) is not None:
                await sync_to_async(work, thread_sensitive=False)()
            reply = gate.admit(exchange)
            if reply is not None:
                await channel.refuse(reply)
            elif exchange.rewritten is None and exchange.mount == exchange.request.mount:
                await self.app(scope, channel.receive, channel.send)
            else:
                shown_before = _show(scope, exchange)
                try:
                    await self.app(scope, channel.receive, channel.send)
                finally:
                    scope["root_path"], scope["headers"] = shown_before
        except BaseException as error:
            if not await _answered(channel, error):
                raise
        else:
            if not exchange.finished:
                channel.finish()
        finally:
            enter(before)

    def _flushing(self, send: Send) -> Send:
        """Flush the listeners before the server is told that the application has shut down: some servers end by a signal then."""

        async def sending(message: Message) -> None:
            if message["type"] in _SHUT_DOWN:
                await sync_to_async(self.gate.flush, thread_sensitive=False)()
            await send(message)

        return sending


async def _answered(channel: HTTP | WebSocket, error: BaseException) -> bool:
    """End the exchange of an application that raised; False where the server is to hear of it too."""
    exchange = channel.exchange
    if isinstance(error, Rejection):
        if exchange.finished and exchange.refusal is error:
            return True  # Starlette raises once more what has been answered in place of its 500
        if not channel.started:
            await channel.refuse(channel.gate.refuse(exchange, error))
            channel.finish()
            return True
        channel.finish(error=error)
        return False
    # A send that fails, or an application that gives up once it was told of the disconnect, is the client's doing.
    gone = channel.disconnected and isinstance(error, (Exception, asyncio.CancelledError))
    channel.finish("client_disconnect" if gone else None if isinstance(error, Exception) else "aborted", error)
    return False


def _show(scope: Scope, exchange: Exchange) -> tuple[Any, Any]:
    """Have the application see the prefix and the fields that policies have changed.

    Gives the `root_path` and `headers` that stood there, to be put back, for the scope is the server's.
    """
    # ASGI: `path` stays whole, frameworks take root_path off it themselves.
    before = scope.get("root_path", ""), scope.get("headers")
    scope["root_path"] = exchange.mount
    if exchange.rewritten is not None:
        scope["headers"] = _rewritten(before[1] or (), exchange.rewritten)
    return before


def _rewritten(fields: Iterable[tuple[bytes, bytes]], values: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Header pairs with one field of each given name in place of any that were sent."""
    given = {name.encode("latin-1"): value.encode("latin-1") for name, value in values.items()}
    return [*(pair for pair in fields if pair[0].lower() not in given), *given.items()]
