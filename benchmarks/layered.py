"""The gate's job done by hand with well-known libraries, as the services that the gate is meant for do it.

What can be kept is kept: PyJWKClient caches the key set and its look-ups, expressions are compiled, one logger and one statsd
client are shared. PyJWT verifies the token of each request, since it has no memory of tokens.
"""

from __future__ import annotations

import logging
import random
import re
import time
from typing import TYPE_CHECKING, Any

import jwt
import requests
import statsd
from pythonjsonlogger.json import JsonFormatter

from .peers import Peer
from .scene import AUDIENCE, ISSUER, SCOPE, Nowhere

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from contextlib import ExitStack
    from typing import TextIO
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from .scene import Scene

_VERSION = re.compile(r"/v([12])(?=/|$)")
_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_pybreaker = Peer("pybreaker")
_tenacity = Peer("tenacity")
_FIELDS = ("method", "path", "status", "duration_ms", "bytes_out", "subject", "client_id", "version", "request_id", "trace_id")


def json_logger(stream: TextIO | Nowhere | None = None) -> logging.Logger:
    """A logger that writes python-json-logger's lines, by default to a stream that keeps nothing."""
    handler: logging.StreamHandler[Any] = logging.StreamHandler(stream or Nowhere())
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("benchmarks.access")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers.clear()
    logger.addHandler(handler)
    return logger


def statsd_client(scene: Scene, stack: ExitStack) -> Any:
    """A client of the statsd package for the scene's socket."""
    client = statsd.StatsClient(scene.host, scene.port, prefix="orders")
    stack.callback(client.close)
    return client


def jwks_client(scene: Scene) -> jwt.PyJWKClient:
    """PyJWT's client for the scene's keys, with both of its caches, filled."""
    client = jwt.PyJWKClient(scene.jwks_url, cache_keys=True, cache_jwk_set=True, lifespan=86400)
    client.get_signing_key_from_jwt(scene.token)
    return client


def decode(keys: jwt.PyJWKClient, token: str, algorithm: str = "RS256") -> dict[str, Any]:
    """The claims of a token, as PyJWT's documentation has it."""
    key = keys.get_signing_key_from_jwt(token)
    options: Any = {"require": ["exp"]}
    return jwt.decode(token, key.key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=30, options=options)


class Layers:
    """What both bindings of the layers share.

    Args:
        keys: PyJWT's client for the keys.
        logger: Where lines go.
        client: A client of the statsd package.
    """

    def __init__(self, keys: jwt.PyJWKClient, logger: logging.Logger, client: Any) -> None:
        self._keys = keys
        self._logger = logger
        self._statsd = client

    @classmethod
    def of(cls, scene: Scene, stack: ExitStack) -> Layers:
        """For a scene."""
        return cls(jwks_client(scene), json_logger(), statsd_client(scene, stack))

    def enter(self, path: str, field: Callable[[str], str | None]) -> dict[str, Any]:
        """Everything that comes before the application; what is found out goes to the log line."""
        found = _PARENT.fullmatch(field("traceparent") or "")
        version = _VERSION.match(path)
        if version is None:
            raise LookupError(path)
        claims = decode(self._keys, (field("authorization") or "")[7:])
        if SCOPE not in claims["scope"].split():
            raise PermissionError(SCOPE)
        timeout = field("x-request-timeout-ms")
        return {
            "started": time.monotonic(),
            "deadline": int(timeout) / 1000 if timeout and timeout.isdecimal() else None,
            "path": path[version.end() :],
            "version": version[1],
            "subject": claims.get("sub"),
            "client_id": claims.get("client_id"),
            "request_id": field("x-request-id") or f"{random.getrandbits(128):032x}",
            "trace_id": found[1] if found else f"{random.getrandbits(128):032x}",
        }

    def leave(self, method: str, known: Mapping[str, Any], status: int, sent: int) -> None:
        """One line, one timing, one counter."""
        milliseconds = (time.monotonic() - known["started"]) * 1000
        line = {**known, "method": method, "status": status, "duration_ms": round(milliseconds, 3), "bytes_out": sent}
        self._logger.info("%s %s %d", method, known["path"], status, extra={name: line[name] for name in _FIELDS})
        self._statsd.timing(f"request.{method}.{status}", milliseconds)
        self._statsd.incr(f"request_total.{method}.{status}")


def wsgi_layers(app: WSGIApplication, layers: Layers) -> WSGIApplication:
    """The layers around a WSGI application whose body is short."""

    def layered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        known = layers.enter(environ["PATH_INFO"], lambda name: environ.get("HTTP_" + name.upper().replace("-", "_")))
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"/v{known['version']}", known["path"]
        statuses: list[int] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            statuses.append(int(status[:3]))
            return start_response(status, [*headers, ("X-Request-ID", known["request_id"])], exc_info)

        answer = app(environ, start)
        body = list(answer)
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        layers.leave(environ["REQUEST_METHOD"], known, statuses[-1], sum(map(len, body)))
        return body

    return layered


def asgi_layers(app: Callable[[Any, Any, Any], Awaitable[None]], layers: Layers) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """The layers around an ASGI application."""

    async def layered(scope: Any, receive: Any, send: Any) -> None:
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        known = layers.enter(scope["path"], fields.get)
        status = sent = 0

        async def counting(message: Any) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        await app({**scope, "root_path": f"/v{known['version']}"}, receive, counting)
        layers.leave(scope["method"], known, status, sent)

    return layered


def guarded(get: Callable[[], Any]) -> Callable[[], Any]:
    """A call by `requests` inside a pybreaker circuit, tried three times by tenacity with random exponential waits."""
    breaker = _pybreaker.CircuitBreaker(fail_max=20, reset_timeout=5)
    retry = _tenacity.retry(
        stop=_tenacity.stop_after_attempt(3),
        wait=_tenacity.wait_random_exponential(multiplier=0.05, max=2),
        retry=_tenacity.retry_if_exception_type((requests.ConnectionError, requests.Timeout)),
        reraise=True,
    )
    once: Callable[[], Any] = retry(lambda: breaker.call(get))
    return once
