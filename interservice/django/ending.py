"""The end of a Django response: bytes counted as they pass, the exchange ended when Django closes the response.

Django's handlers, WSGI and ASGI, call `response.close()` at the end of every response, after a disconnect too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice import handled
from interservice.exchange import enter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from interservice.exchange import Exchange
    from interservice.inbound.gate import Gate

_SERVER_ERROR = 500


class Stream:
    """How far a streamed response got."""

    def __init__(self, gate: Gate, exchange: Exchange) -> None:
        self.complete = exchange.request.method == "HEAD"
        self.error: BaseException | None = None
        self._gate = gate
        self._exchange = exchange

    def counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """The parts, each made with the exchange current, and noted."""
        try:
            while True:
                before = enter(self._exchange)
                try:
                    part = next(parts)
                except StopIteration:
                    break
                finally:
                    enter(before)
                self._count(part)
                yield part
            self.complete = True
        except Exception as error:
            self.error = error
            raise

    async def counted_async(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same for an asynchronous stream, which ends the exchange when it breaks: Django closes no response then."""
        try:
            while True:
                before = enter(self._exchange)
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    break
                finally:
                    enter(before)
                self._count(part)
                yield part
            self.complete = True
        except Exception as error:
            self.error = error
            raise
        finally:
            if not self.complete:
                self.finish()

    def finish(self) -> None:
        """End the exchange where the stream has come to."""
        broken = not self.complete and self.error is None
        self._gate.finish(self._exchange, "client_disconnect" if broken else None, self.error)

    def _count(self, part: bytes) -> None:
        exchange = self._exchange
        if part:
            if exchange.first_byte is None:
                exchange.first_byte = self._gate.clock.monotonic() - exchange.started
            if exchange.request.method != "HEAD":
                exchange.bytes_sent += len(part)


def follow(gate: Gate, exchange: Exchange, request: HttpRequest, response: HttpResponseBase) -> None:
    """See `response` to its end, and end the exchange there."""
    stream = _streamed(gate, exchange, request, response)
    closing = response.close

    def close() -> None:
        broken = handled.broken_connection()
        try:
            closing()
        finally:
            if response.status_code < _SERVER_ERROR:
                exchange.error = None  # another middleware made an answer of the view's exception
            if stream is None:
                exchange.bytes_sent = 0 if broken else _length(exchange, response)
                gate.finish(exchange, "client_disconnect" if broken else None)
            else:
                stream.finish()

    response.close = close  # type: ignore[method-assign]


def _streamed(gate: Gate, exchange: Exchange, request: HttpRequest, response: Any) -> Stream | None:
    """The stream to follow; None for a body in one piece, and for a file that the server will send by itself."""
    sent_by_server = getattr(response, "file_to_stream", None) is not None and "wsgi.file_wrapper" in request.META
    if not response.streaming or sent_by_server:
        return None
    stream = Stream(gate, exchange)
    parts = response.streaming_content
    response.streaming_content = stream.counted_async(parts) if response.is_async else stream.counted(parts)
    return stream


def _length(exchange: Exchange, response: Any) -> int:
    """The bytes of a response that was not followed part by part; HEAD sends none."""
    if exchange.request.method == "HEAD":
        return 0
    if not response.streaming:
        return len(response.content)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0
