"""The response on its way to the server: its head amended, its bytes counted, its end seen exactly once.

Invariants: the application's iterable is closed exactly once; `close()` ends the exchange and is idempotent; every step of the
iteration runs in the context the application was called in; no exception is invented or lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice import handled
from interservice.http import Head, Reply, phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextvars import Context
    from wsgiref.types import StartResponse, WSGIEnvironment

    from interservice.exchange import Exchange
    from interservice.inbound.gate import Gate

_NO_BODY = frozenset({204, 304})
_SERVER_ERROR = 500


class Response:
    """The start_response that the application gets, and what becomes of its result."""

    __slots__ = ("_environ", "_start_response", "_written", "context", "exchange", "gate", "head", "replacement")

    def __init__(
        self, gate: Gate, exchange: Exchange, context: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        self.gate = gate
        self.exchange = exchange
        self.context = context
        self.head: Head | None = None
        #: A refusal by a handler that takes the place of the framework's own 500.
        self.replacement: Reply | None = None
        self._environ = environ
        self._start_response = start_response
        #: The server's own `write`, once the response was started.
        self._written: Callable[[bytes], object]

    @property
    def started(self) -> bool:
        """Whether the server has been given a head."""
        return self.head is not None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
        """start_response as the application sees it; may come late, and again with `exc_info`."""
        exchange = self.exchange
        code = int(status[:3])
        head = Head(code, list(headers))
        request = self._environ.get("werkzeug.request")
        if request is not None:
            exchange.route = _route(request)
        refusal = (exchange.refusal or handled.refusal()) if code >= _SERVER_ERROR else None
        if refusal is not None:  # a handler refused, and the framework knew no better
            self.replacement = self.gate.refuse(exchange, refusal)
            head = Head(self.replacement.status, self.replacement.headers)
        else:
            self.gate.respond(exchange, head)
        if head.status != code:
            status = _line(head.status)
        self.head = head
        # PEP 3333 has exc_info optional: servers and middleware exist that count arguments.
        start = self._start_response
        self._written = start(status, head.headers, exc_info) if exc_info else start(status, head.headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333's `write`, for applications of old."""
        if self.replacement is None:
            self.count(data)
            self._written(data)

    def refuse(self, reply: Reply) -> Iterable[bytes]:
        """Send a refusal; the application is not asked."""
        self.head = Head(reply.status, reply.headers)
        self._start_response(_line(reply.status), reply.headers)
        # Never without a part, if an empty one: Hypercorn's WSGI sends the head with the first.
        return Listed(self, [reply.body])

    def body(self, result: Iterable[bytes]) -> Iterable[bytes]:
        """The application's result as the server is to get it."""
        if type(result) is list and self.replacement is None:
            return Listed(self, result)
        file_wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(result, file_wrapper) and self.replacement is None:
            return self._file(result)
        # wsgiref and others derive Content-Length from the length of the result: keep it where there is one.
        return SizedBody(self, result) if hasattr(result, "__len__") else Body(self, result)

    def count(self, data: bytes) -> None:
        """Note bytes that are handed to the server."""
        exchange = self.exchange
        if data:
            if exchange.first_byte is None:
                exchange.first_byte = exchange.clock.monotonic() - exchange.started
            if exchange.request.method != "HEAD":
                exchange.bytes_sent += len(data)

    @property
    def complete(self) -> bool:
        """Whether all that the head announced went out, although the server did not exhaust the body."""
        head = self.head
        if head is None:
            return False
        if self.exchange.request.method == "HEAD" or head.status in _NO_BODY:
            return True
        length = head.get("Content-Length")
        return length is not None and length.isdecimal() and self.exchange.bytes_sent >= int(length)

    def _file(self, result: Any) -> Iterable[bytes]:
        """Leave a file wrapper as it is, for the server's sendfile; its `close` tells the end.

        How much of a file went out before its connection broke is known to nobody; then no bytes are counted.
        """
        inner: Callable[[], object] | None = getattr(result, "close", None)
        exchange = self.exchange
        length = self.head.get("Content-Length") if self.head else None

        def close() -> None:
            broken = handled.broken_connection()
            try:
                if inner is not None:
                    self.context.run(inner)
            finally:
                if exchange.request.method != "HEAD" and length is not None and length.isdecimal() and not broken:
                    exchange.bytes_sent = int(length)
                self.gate.finish(exchange, "client_disconnect" if broken else None)

        try:
            result.close = close
        except (AttributeError, TypeError):  # a C type: its end cannot be seen, so what is known now is said now
            inner = None
            close()
        return result  # type: ignore[no-any-return]


class Body:
    """The iterable that the server gets: a class, since a generator that never started runs nothing when it is closed."""

    __slots__ = ("_closed", "_error", "_exhausted", "_next", "_response", "_result")

    def __init__(self, response: Response, result: Iterable[bytes]) -> None:
        self._response = response
        self._result = result
        self._next: Callable[[], bytes] | None = None
        self._exhausted = False
        self._closed = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        response = self._response
        run = response.context.run
        try:
            if self._next is None:
                self._next = run(iter, self._result).__next__
            chunk = run(self._next)
            if response.replacement is not None:
                chunk = self._replace(response.replacement)
        except StopIteration:
            self._exhausted = True
            raise
        except BaseException as error:
            self._error = error
            raise
        response.count(chunk)
        return chunk

    def close(self) -> None:
        """End the response (PEP 3333: servers call it whatever happened)."""
        if self._closed:
            return
        self._closed = True
        response = self._response
        try:
            close = getattr(self._result, "close", None)
            if close is not None:
                response.context.run(close)
        except BaseException as error:
            self._error = self._error or error
            raise
        finally:
            response.gate.finish(response.exchange, self._outcome(), self._error)

    def _outcome(self) -> str | None:
        if self._error is not None:
            return None if isinstance(self._error, Exception) else "aborted"
        return None if self._exhausted or self._response.complete else "client_disconnect"

    def _replace(self, reply: Reply) -> bytes:
        """The refusal's body once, in place of whatever the framework wrote."""
        self._next = iter(()).__next__
        return reply.body


class Listed:
    """A list that the server gets: going through it runs nothing of the application's, and it has nothing to close."""

    __slots__ = ("_exhausted", "_left", "_parts", "_response")

    def __init__(self, response: Response, parts: list[bytes]) -> None:
        self._response = response
        self._parts = parts
        #: Shared by all who iterate, so that no part is handed out twice.
        self._left = iter(parts)
        self._exhausted = False

    def __iter__(self) -> Iterator[bytes]:
        for part in self._left:
            self._response.count(part)
            yield part
        self._exhausted = True

    def __len__(self) -> int:
        return len(self._parts)

    def close(self) -> None:
        """End the response (PEP 3333: servers call it whatever happened)."""
        response = self._response
        whole = self._exhausted or response.complete
        response.gate.finish(response.exchange, None if whole else "client_disconnect")


class SizedBody(Body):
    """A body whose length the application told."""

    __slots__ = ()

    def __len__(self) -> int:
        if self._response.replacement is not None:
            return 1
        return len(self._result)  # type: ignore[arg-type]


def _line(status: int) -> str:
    return f"{status} {phrase(status)}"


def _route(request: object) -> str | None:
    """The template of the route that a werkzeug application (Flask) matched; known only while the request is handled."""
    rule = getattr(request, "url_rule", None)
    return None if rule is None else str(rule.rule)
