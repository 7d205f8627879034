"""Applications that take a moment, behind a `Health` that drains by a file, and by SIGTERM where a test asks for it."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import interservice.asgi
import interservice.wsgi
from interservice import Gate, Health, drain_on_sigterm
from interservice.clock import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Seconds that a request takes: long enough to be under way when a server stops.
_TAKES = 0.02

health = Health(drain_file=os.environ["TEST_DRAIN_FILE"])
gate = Gate([health])


def hold_sigterm_back() -> None:
    """Where the server has its handler by now."""
    if "TEST_DRAIN_SECONDS" in os.environ:
        drain_on_sigterm(health, seconds=float(os.environ["TEST_DRAIN_SECONDS"]))


def _answer() -> bytes:
    """Which instance answers: servers with several workers have one parent."""
    return os.environ["TEST_INSTANCE"].encode()


def wsgi_app(environ: Any, start_response: Any) -> Iterable[bytes]:
    SYSTEM.sleep(_TAKES)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(_answer())))])
    return [_answer()]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            if phase == "startup":
                hold_sigterm_back()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    await asyncio.sleep(_TAKES)
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(_answer())).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _answer()})


wsgi = interservice.wsgi.Middleware(wsgi_app, gate)
asgi = interservice.asgi.Middleware(asgi_app, gate)
if "TEST_DRAIN_AT_IMPORT" in os.environ:
    hold_sigterm_back()
