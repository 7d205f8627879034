"""A service behind a gateway and the gateway's forward-auth endpoint in one process, the same under every real server."""

from __future__ import annotations

import json
import os
from typing import Any

import interservice.asgi
import interservice.wsgi
from interservice import Gate, GatewayIdentity, JWTAuth, Rule, current
from interservice.gateway import Signer, forward_auth
from interservice.tokens import StaticKeys, Verifier

SECRET = bytes.fromhex(os.environ["GATEWAY_SECRET"])
verifier = Verifier("https://auth.test", "peer", keys=StaticKeys.secret(SECRET))
rules = [Rule("GET", "/open/{id}", public=True), Rule("GET", "/closed/{id}", scopes=["all"])]
auth = forward_auth(Gate([JWTAuth(verifier, rules=rules)]), signer=Signer(secret=SECRET), base="/auth")
service = Gate([GatewayIdentity(SECRET)], service="peer")


def told() -> bytes:
    """Who asks, as the application knows it."""
    exchange = current()
    assert exchange is not None
    principal = exchange.principal
    return json.dumps({"subject": principal and principal.subject}).encode()


def hello(environ: Any, start_response: Any) -> list[bytes]:
    body = told()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def async_hello(scope: Any, receive: Any, send: Any) -> None:
    body = told()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


_wsgi = interservice.wsgi.Middleware(hello, service)
_asgi = interservice.asgi.Middleware(async_hello, service)


def wsgi(environ: Any, start_response: Any) -> Any:
    """The endpoint below /auth, and the service elsewhere."""
    app = auth.wsgi if environ["PATH_INFO"].startswith("/auth/") else _wsgi
    return app(environ, start_response)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """As `wsgi`."""
    app = auth.asgi if scope["type"] == "lifespan" or scope["path"].startswith("/auth/") else _asgi
    await app(scope, receive, send)
