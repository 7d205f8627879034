"""What the tables of the gate have in common: an issuer, a token, a request, an application that does nothing, and sinks."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from interservice import Deadlines, JWTAuth, PathVersion, Rule, Tracing, Versions
from interservice.testing import Issuer
from interservice.tokens import JWKS, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ISSUER = "https://auth.internal"
AUDIENCE = "orders"
SCOPE = "orders:read"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REQUEST_ID = "0d5f8c1e-6a0f-4d0e-9c57-2f1d1f0a7b11"
PATH = "/v1/orders/7"
BODY = b'{"id": 7}'
HEAD = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


class Nowhere:
    """A text stream that takes lines and keeps none."""

    def write(self, text: str, /) -> object:
        """Take a line."""

    def flush(self) -> object:
        """Nothing is kept."""


class Scene:
    """An issuer served on loopback, its keys fetched, a token of it, and a socket that nobody reads.

    The issuer's thread sleeps while anything is measured. Packets for the socket are sent as they would be to a receiver; the
    kernel drops what does not fit.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.issuer = Issuer(ISSUER, algorithms=("RS256",), expires_in=86400)
        self.jwks_url = stack.enter_context(self.issuer.serve()) + "/jwks"
        self.token = self.issuer.mint(sub="billing", aud=AUDIENCE, scope=SCOPE)
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind(("127.0.0.1", 0))
        self.host, self.port = receiver.getsockname()

    @property
    def statsd(self) -> str:
        """The address of the socket."""
        return f"{self.host}:{self.port}"

    def auth(self, rules: Iterable[Rule] | None = None) -> JWTAuth:
        """Tokens of the issuer, and two rules unless others are given."""
        verifier = Verifier(ISSUER, AUDIENCE, keys=JWKS(self.jwks_url, allow_http=True))
        verifier.verify(self.token)
        given = [Rule("*", "/healthz", public=True), Rule("GET", "/orders/{id}", scopes=[SCOPE])]
        return JWTAuth(verifier, rules=given if rules is None else list(rules))

    def policies(self) -> list[Any]:
        """Every policy of the whole gate, in the order in which the documentation has them."""
        return [Tracing(), Deadlines(), versions(), self.auth()]

    def environ(self) -> WSGIEnvironment:
        """A request as gunicorn hands it over, from a service that sends its trace, its id and its time left."""
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": PATH,
            "RAW_URI": PATH,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "gunicorn/25.1",
            "REMOTE_ADDR": "10.0.0.9",
            "REMOTE_PORT": "51234",
            "HTTP_HOST": "orders.internal",
            "HTTP_USER_AGENT": "python-requests/2.34.2",
            "HTTP_ACCEPT": "application/json",
            "HTTP_ACCEPT_ENCODING": "gzip, deflate",
            "HTTP_CONNECTION": "keep-alive",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "HTTP_TRACEPARENT": TRACEPARENT,
            "HTTP_X_REQUEST_ID": REQUEST_ID,
            "HTTP_X_REQUEST_TIMEOUT_MS": "2000",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": None,
            "wsgi.errors": None,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def scope(self) -> dict[str, Any]:
        """The same request as uvicorn hands it over."""
        fields = {name[5:].replace("_", "-").lower(): value for name, value in self.environ().items() if name.startswith("HTTP_")}
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), str(value).encode()) for name, value in fields.items()],
            "client": ("10.0.0.9", 51234),
            "server": ("127.0.0.1", 8000),
        }


def versions() -> Versions:
    """The version in the path, and the path without it for the rules and the application."""
    return Versions(["1", "2"], readers=[PathVersion("/v{version}")], path="strip")


def bare(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A WSGI application that does nothing."""
    start_response("200 OK", list(HEAD))
    return [BODY]


def served(app: WSGIApplication, environ: WSGIEnvironment) -> Callable[[], object]:
    """What a server does with one request: a fresh environ, the whole body, `close`.

    Raises:
        RuntimeError: the application refuses the request, so that timing it would say nothing.
    """
    statuses: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _exc_info: Any = None, /) -> Callable[[bytes], object]:
        statuses[:] = (status,)
        return _ignore

    def serve() -> None:
        body = app(environ.copy(), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()

    serve()
    if statuses != ["200 OK"]:
        msg = f"{app!r} answered {statuses}"
        raise RuntimeError(msg)
    return serve


def _ignore(_data: bytes) -> object:
    return None
