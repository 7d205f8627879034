"""The applications that real servers load: the same routes behind the same gate, as WSGI (Flask) and as ASGI (Starlette)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

import interservice.asgi
import interservice.wsgi
from interservice import AccessLog, Deadlines, Gate, StatsD, Tracing
from tests.servers import shapes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

CHUNK = b"x" * 65536
#: Far more than sockets hold, and an end for a server that never notices that its client has gone.
CHUNKS = 2000

log = Path(os.environ["TEST_ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - as long as the process
listeners: list[Any] = [AccessLog(stream=log)]
if "TEST_STATSD" in os.environ:
    listeners.append(StatsD(os.environ["TEST_STATSD"], flush_every=float(os.environ["TEST_FLUSH_EVERY"])))
gate = Gate(service="peer", policies=[Tracing(), Deadlines()], listeners=listeners)

flask_app = flask.Flask("peer")


@flask_app.get("/hello")
def hello() -> str:
    return "hello"


@flask_app.get("/stream")
def stream() -> flask.Response:
    return flask.Response((b"part" for _ in range(3)), mimetype="text/plain")


@flask_app.get("/endless")
def endless() -> flask.Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(CHUNKS):
            yield CHUNK

    return flask.Response(chunks(), mimetype="application/octet-stream")


@flask_app.get("/boom")
def boom() -> str:
    raise RuntimeError("boom")


async def async_hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def async_stream(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"part"

    return StreamingResponse(parts(), media_type="text/plain")


async def async_endless(request: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(CHUNKS):
            # As a stream that comes from somewhere does: without it the event loop never gets to tell of the disconnect.
            await asyncio.sleep(0)
            yield CHUNK

    return StreamingResponse(chunks(), media_type="application/octet-stream")


async def async_boom(request: Request) -> PlainTextResponse:
    raise RuntimeError("boom")


starlette_app = Starlette(
    routes=[
        Route("/hello", async_hello),
        Route("/stream", async_stream),
        Route("/endless", async_endless),
        Route("/boom", async_boom),
    ]
)


def either_wsgi(environ: Any, start_response: Any) -> Any:
    """Flask, but for the bare shapes."""
    app = shapes.wsgi if environ["PATH_INFO"].startswith("/shapes/") else flask_app.wsgi_app
    return app(environ, start_response)


async def either_asgi(scope: Any, receive: Any, send: Any) -> None:
    """Starlette, but for the bare shapes."""
    app = shapes.asgi if scope["type"] == "http" and scope["path"].startswith("/shapes/") else starlette_app
    await app(scope, receive, send)


wsgi = interservice.wsgi.Middleware(either_wsgi, gate)
asgi = interservice.asgi.Middleware(either_asgi, gate)
