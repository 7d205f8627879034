"""What a peer can do wrong on purpose: answers that a client must survive, as WSGI."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: unavailable: 503 (Retry-After). error: 500. slow: the right answer, late. redirect: 302 to another path of the same server.
#: huge: a body of `size` bytes. html: 200 with a web page. refused: an OAuth error (RFC 6749 section 5.2), 401 invalid_client.
KINDS = ("unavailable", "error", "slow", "redirect", "huge", "html", "refused")
_CHUNK = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: One of `KINDS`.
        path: The path it happens at, or None for every path.
        seconds: How late a slow answer is, in real time.
        size: The bytes of a huge body.
        retry_after: Sent with unavailable, in seconds.
        ended: Set when the fault is over, which ends the wait of slow answers.
    """

    kind: str
    path: str | None = None
    seconds: float = 30.0
    size: int = 16 * 1024 * 1024
    retry_after: int | None = None
    ended: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def __post_init__(self) -> None:
        options.one_of("Fault.kind", self.kind, KINDS)
        options.text("Fault.path", self.path, optional=True)
        options.number("Fault.seconds", self.seconds, at_least=0)
        options.number("Fault.size", self.size, at_least=1, integer=True)
        options.number("Fault.retry_after", self.retry_after, at_least=0, integer=True, optional=True)

    def answer(self, app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer in place of `app`."""
        if self.kind == "slow":
            self.ended.wait(self.seconds)
            return app(environ, start_response)
        if self.kind == "huge":
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(self.size))])
            return _padding(self.size, self.ended)
        status, headers, body = self._plain()
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def _plain(self) -> tuple[str, list[tuple[str, str]], bytes]:
        if self.kind == "unavailable":
            later = [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]
            return "503 Service Unavailable", [("Content-Type", "text/plain"), *later], b"unavailable\n"
        if self.kind == "redirect":
            return "302 Found", [("Location", "/redirected"), ("Content-Type", "text/plain")], b""
        if self.kind == "html":
            return "200 OK", [("Content-Type", "text/html; charset=utf-8")], b"<!doctype html><title>Sign in</title>"
        if self.kind == "refused":
            return "401 Unauthorized", [("Content-Type", "application/json")], b'{"error": "invalid_client"}'
        return "500 Internal Server Error", [("Content-Type", "text/plain")], b"error\n"


def _padding(size: int, ended: threading.Event) -> Iterator[bytes]:
    """Spaces, which JSON allows before a value: only a limit on bytes stops a reader."""
    left = size
    while left > 0 and not ended.is_set():
        yield b" " * min(left, _CHUNK)
        left -= _CHUNK
