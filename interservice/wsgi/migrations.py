"""Migrations over WSGI: bodies that tell their length are read whole and carried over; streams pass as they come.

Invariants: the application's iterable is closed exactly once; nothing reaches the server before it is clear what it gets.
"""

from __future__ import annotations

import io
from itertools import chain
from typing import TYPE_CHECKING, Any

from interservice.errors import ConfigurationError
from interservice.exchange import current
from interservice.http import Head
from interservice.inbound.versions.migrations import Chain, Migration, Passage, is_whole, restate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Migrations:
    """A WSGI application that lets another one speak its newest version alone: older clients' JSON is carried forward and back.

    Stands behind a gate that negotiates: `Middleware(Migrations(app, [...]), gate)`. Requests of the newest version, and those
    without one, pass untouched; so do bodies that are not JSON, are compressed, or are streamed. Anything that compresses or adds
    a digest belongs outside of it.

    Args:
        app: The application.
        migrations: What changed, by version.
        max_bytes: JSON bodies that a migration applies to may be this large: beyond it a request is refused with 413, and a
            response replaced by a 500.

    Raises:
        ConfigurationError: `app` cannot be called, a migration is no `Migration`, or the size makes no sense.
    """

    def __init__(self, app: WSGIApplication, migrations: Sequence[Migration], *, max_bytes: int = 1_048_576) -> None:
        if not callable(app):
            raise ConfigurationError(f"Migrations.app must be a WSGI application, not {app!r}")
        self.app = app
        self._chain = Chain(migrations, max_bytes)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; refusals are raised, for the gate to send."""
        passage = self._chain.of(environ.get("interservice.exchange") or current())
        if passage is None:
            return self.app(environ, start_response)
        if passage.wants_request():
            _replace_body(environ, passage)
        if not passage.responds:
            return self.app(environ, start_response)
        return _Held(passage, environ, start_response).run(self.app)


def _replace_body(environ: WSGIEnvironment, passage: Passage) -> None:
    """Put the carried body in the place of the one that comes. A body cut short by a client that left stays cut short."""
    announced = str(environ.get("CONTENT_LENGTH") or "")
    if announced.isascii() and announced.isdecimal():
        length = int(announced)
    elif environ.get("wsgi.input_terminated"):
        length = passage.max_bytes + 1
    else:  # PEP 3333: without a length there is no body that could be read safely
        return
    body = _read(environ["wsgi.input"], length)
    if not announced or len(body) == length:
        body = passage.forward(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["wsgi.input"] = io.BytesIO(body)


def _read(stream: Any, length: int) -> bytes:
    parts: list[bytes] = []
    while length > 0 and (part := stream.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


class _Held:
    """One response, its head held back until it is clear what becomes of the body."""

    def __init__(self, passage: Passage, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self._passage = passage
        self._environ = environ
        self._start_response = start_response
        self._status = ""
        self._head: Head | None = None
        self._exc_info: Any = None
        #: The server's `write`, once the head was let go.
        self._write: Callable[[bytes], object] | None = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        """start_response as the application sees it; called again with `exc_info`, it takes the place of what was held."""
        released = self._write is not None
        self._status, self._head, self._exc_info = status, Head(int(status[:3]), list(headers)), exc_info
        return self._release() if released else self._written

    def run(self, app: WSGIApplication) -> Iterable[bytes]:
        """Run the application, and give its body: carried back where it is whole, else as it is."""
        result = app(self._environ, self.start)
        body = result if self._head is not None else _Begun(result)  # a generator starts its response with the first part
        try:
            head = self._head
            if head is None or not self._is_whole(head, result):
                if head is not None and self._write is None:
                    self._release()
                return body
            carried = self._passage.back(head.status, self._collected(body))
        except BaseException:
            _close(body)
            raise
        _close(body)
        restate(head, len(carried))
        self._release()
        return [carried]

    def _is_whole(self, head: Head, result: Iterable[bytes]) -> bool:
        """Whether there is a whole body to carry back. HEAD has none, and nobody knows how long GET's would be."""
        if self._write is not None or not self._passage.wants_response(head):
            return False
        if self._environ["REQUEST_METHOD"] == "HEAD":
            restate(head, None)
            return False
        return is_whole(head) or hasattr(result, "__len__")

    def _collected(self, body: Iterable[bytes]) -> bytes:
        parts: list[bytes] = []
        left = self._passage.max_bytes
        for part in body:
            left -= len(part)
            if left < 0:
                raise self._passage.response_too_large()
            parts.append(part)
        return b"".join(parts)

    def _release(self) -> Callable[[bytes], object]:
        """Let the head go."""
        assert self._head is not None  # noqa: S101 - the callers looked
        more = (self._exc_info,) if self._exc_info else ()
        self._exc_info = None  # or traceback and frame would hold each other
        self._write = self._start_response(self._status, self._head.headers, *more)
        return self._write

    def _written(self, data: bytes) -> object:
        """PEP 3333's `write`, for applications of old: what is written is on its way, and passes as it is."""
        return (self._write or self._release())(data)


class _Begun:
    """A body whose first part was asked for already."""

    def __init__(self, result: Iterable[bytes]) -> None:
        self._result = result
        parts = iter(result)
        try:
            self._parts: Iterator[bytes] = chain((next(parts),), parts)
        except StopIteration:
            self._parts = iter(())
        except BaseException:
            _close(result)
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        """As the application's own."""
        _close(self._result)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
