"""The shared gate as middleware, over an application that says yes to everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import interservice.asgi
import interservice.wsgi
from tests.servers.edge_gate import the_gate

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from wsgiref.types import StartResponse, WSGIEnvironment

gate = the_gate()


def _wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"{}"]


async def _asgi(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"{}"})


wsgi = interservice.wsgi.Middleware(_wsgi, gate)
asgi = interservice.asgi.Middleware(_asgi, gate)
