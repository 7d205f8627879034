"""The embedded gateway: a WSGI application that passes requests on to services through their adapters.

With a gate in front it is an API gateway: the gate verifies, negotiates and sheds; the adapters balance, retry and break.
Bodies are streamed in both directions. For the edge of a large system, NGINX or Envoy do this better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import current
from interservice.http import problem
from interservice.wsgi.request import environ_request

from .headers import forwarded, returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from interservice.http import Reply, Request
    from interservice.outbound import ServiceAdapter

#: A body up to this many bytes is kept, so that the adapter may send it again; a longer one is streamed, once.
_REPLAYABLE = 65_536
_CHUNK = 65_536
#: RFC 3986 section 3.3: what may stand in a path unescaped.
_PATH_SAFE = "/:@!$&'()*+,;=~-._"


class Proxy:
    """A WSGI application that forwards each request to the service whose path prefix it matches, longest first.

    Args:
        routes: Adapters by path prefix, such as {"/orders": ServiceAdapter("orders", endpoints=[...])}. A prefix matches whole
        segments. The
            service sees the whole path, a stripped version prefix included.

    Raises:
        ConfigurationError: There is no route, a prefix does not start with "/", or an adapter has no service name.
    """

    def __init__(self, routes: Mapping[str, ServiceAdapter]) -> None:
        if not routes:
            raise ConfigurationError(f"Proxy.routes must name at least one service, not {routes!r}")
        for prefix, adapter in routes.items():
            if not prefix.startswith("/"):
                raise ConfigurationError(f"Proxy.routes must have prefixes that start with '/', not {prefix!r}")
            if not adapter.snapshot()["service"]:
                raise ConfigurationError(f"Proxy.routes must have adapters with a service name, not {adapter!r}")
        named = [(prefix.rstrip("/"), str(adapter.snapshot()["service"]), adapter) for prefix, adapter in routes.items()]
        self._routes = sorted(named, key=lambda route: -len(route[0]))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Forward one request (PEP 3333)."""
        request = environ_request(environ)
        try:
            response = self._forward(request, environ)
        except Rejection as rejection:
            exchange = current()
            if exchange is not None:
                exchange.refusal = rejection
            reply = problem(rejection, exchange.request_id if exchange else None)
            return _send(reply, request, start_response)
        start_response(f"{response.status_code} {response.reason or 'Unknown'}", returned(response.raw.headers))
        return _Relay(response)

    def _forward(self, request: Request, environ: WSGIEnvironment) -> requests.Response:
        service, adapter = self._route(request.path)
        url = f"http://{service}{quote(request.mount + request.path, safe=_PATH_SAFE)}"
        if request.query:
            url += "?" + request.query
        outgoing = requests.Request(request.method, url, headers=forwarded(request), data=_body(environ)).prepare()
        try:
            return adapter.send(outgoing, stream=True)
        except requests.Timeout as error:
            raise Rejection("The service did not answer in time.", status=504, code="upstream_timeout") from error
        except requests.RequestException as error:
            raise _unreachable(error) from error

    def _route(self, path: str) -> tuple[str, ServiceAdapter]:
        for prefix, service, adapter in self._routes:
            if path == prefix or path.startswith(prefix + "/"):
                return service, adapter
        raise Rejection("No service answers for this path.", status=404, code="no_route")


def _unreachable(error: requests.RequestException) -> Rejection:
    """502 for a service that failed, 503 with Retry-After where the adapter knew better than to ask it."""
    code = getattr(error, "code", "upstream_failed")
    retry_after = getattr(error, "retry_after", None)
    if code in ("circuit_open", "bulkhead_full", "no_endpoint"):
        return Rejection(
            "The service cannot be asked now.", status=503, code=code, retry_after=1.0 if retry_after is None else retry_after
        )
    return Rejection("The service failed.", status=502, code="upstream_failed")


def _body(environ: WSGIEnvironment) -> Any:
    """The request's body: bytes where it is short enough to be kept, else a stream; None where there is none."""
    source = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        size = int(length)
        if size <= _REPLAYABLE:
            return source.read(size) or None
        return _Sized(source, size)
    if environ.get("wsgi.input_terminated") and environ.get("HTTP_TRANSFER_ENCODING"):
        return iter(lambda: source.read(_CHUNK), b"")
    return None


class _Sized:
    """A stream of known length, so that it goes on with Content-Length and not in chunks."""

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._left = size

    def __len__(self) -> int:
        return self._left

    def read(self, amount: int = -1) -> bytes:
        """Up to `amount` bytes of what is left."""
        wanted = self._left if amount < 0 else min(amount, self._left)
        data: bytes = self._source.read(wanted)
        self._left -= len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_CHUNK), b"")


class _Relay:
    """The service's body on its way to the client, as it came: not decoded, and given back to the pool at its end."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._parts = response.raw.stream(_CHUNK, decode_content=False)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part: bytes = next(self._parts)
        return part

    def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        self._response.close()


def _send(reply: Reply, request: Request, start_response: StartResponse) -> Iterable[bytes]:
    start_response(f"{reply.status} {reply.reason}", reply.headers)
    return [] if request.method == "HEAD" else [reply.body]
