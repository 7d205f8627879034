"""A websocket behind a gate, as real ASGI servers load it: says back what it is sent, and closes when told to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import interservice.asgi
from interservice import AccessLog, Gate, JWTAuth, Tracing, current
from interservice.tokens import StaticKeys, Verifier
from tests.servers.websocket_keys import ISSUER, SECRET

log = Path(os.environ["TEST_ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
verifier = Verifier(ISSUER, "peer", keys=StaticKeys.secret(SECRET), algorithms=["HS256"])
gate = Gate(service="peer", policies=[Tracing(), JWTAuth(verifier)], listeners=[AccessLog(stream=log)])


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Every message once more, with who sent it; "bye" closes."""
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"not a websocket"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        exchange = current()
        assert exchange is not None
        assert exchange.principal is not None
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "websocket.send", "text": f"{exchange.principal.subject}: {message.get('text')}"})


asgi = interservice.asgi.Middleware(echo, gate)
