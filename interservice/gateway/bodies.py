"""Bodies on their way through the embedded gateway, in either direction: streamed, and never made to look whole if they are not.

A request's body that stops early, or grows too long, ends the call to the service, which closes that connection; a response's
that breaks off raises, so that the server breaks off too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.errors import InterserviceError, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIEnvironment

    import requests

#: A body up to this many bytes is kept, so that the adapter may send it again; a longer one is streamed, once.
REPLAYABLE = 65_536
_CHUNK = 65_536
_TELLS_FRAMES = "HTTP/1"


class UpstreamBroken(InterserviceError):
    """A service's answer broke off after its head had been passed on: all that is left to do is to break off as well."""

    code = "upstream_truncated"


def request_body(environ: WSGIEnvironment, max_body: int) -> tuple[Any, int | None]:
    """The request's body and its length.

    Returns:
        Bytes where the body is short enough to be kept, else a stream, or None where there is none; and how long it is, None
        where nobody has said.

    Raises:
        Rejection: 400 when lengths contradict each other or it stops early, 411 when it cannot be read without a length, 413 when
            it is longer than `max_body`, 501 for a transfer coding other than chunked (RFC 9112 section 6.1).
    """
    coding = environ.get("HTTP_TRANSFER_ENCODING", "")
    length = environ.get("CONTENT_LENGTH") or ""
    if coding and (length or coding.strip().lower() != "chunked"):
        raise _contradiction() if length else _unknown_coding()
    source = environ["wsgi.input"]
    if length:
        if not (length.isascii() and length.isdecimal()):
            raise _contradiction()
        size = int(length)
        if size > max_body:
            raise _too_long()
        if size <= REPLAYABLE:
            return (_whole(source, size) or None), size
        return Sized(source, size), size
    terminated = environ.get("wsgi.input_terminated")
    if coding and not terminated:  # PEP 3333: the end of such a body cannot be seen
        raise Rejection("The request must tell the length of its body.", status=411, code="length_required")
    if not coding and (not terminated or environ.get("SERVER_PROTOCOL", _TELLS_FRAMES).startswith(_TELLS_FRAMES)):
        return None, None
    return _unsized(source, max_body)


def _whole(source: Any, size: int) -> bytes:
    """All of a short body, however many reads it takes."""
    parts = list(Sized(source, size))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unsized(source: Any, max_body: int) -> tuple[Any, int | None]:
    """A chunked body: read ahead, as a short one can be kept after all."""
    parts = Unsized(source, max_body)
    kept, size = [], 0
    for part in parts:
        kept.append(part)
        size += len(part)
        if size > REPLAYABLE:
            return _After(kept, parts), None
    return b"".join(kept) or None, size


class Sized:
    """A stream of known length, so that it goes on with Content-Length and not in chunks.

    Args:
        source: The server's `wsgi.input`.
        size: How many bytes are to come.
    """

    def __init__(self, source: Any, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, amount: int = -1) -> bytes:
        """Up to `amount` bytes of what is left.

        Raises:
            Rejection: 400: the client stopped before the end.
        """
        wanted = self._left if amount < 0 else min(amount, self._left)
        data = _read(self._source, wanted) if wanted else b""
        if wanted and not data:
            raise _incomplete()
        self._left -= len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_CHUNK), b"")


class Unsized:
    """A stream that ends where the server says.

    Args:
        source: The server's `wsgi.input`, which is terminated.
        most: How many bytes it may have.
    """

    def __init__(self, source: Any, most: int) -> None:
        self._source = source
        self._left = most

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data = _read(self._source, _CHUNK)
        if not data:
            raise StopIteration
        self._left -= len(data)
        if self._left < 0:
            raise _too_long()
        return data


class _After:
    """What was read ahead, and then the rest."""

    def __init__(self, kept: list[bytes], rest: Unsized) -> None:
        self._kept = kept
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        kept, self._kept = self._kept, []
        yield from kept
        yield from self._rest


def _read(source: Any, amount: int) -> bytes:
    try:
        data: bytes = source.read(amount)
    except OSError as error:  # servers raise it for a connection that went, and for chunks that are none
        raise _incomplete() from error
    return data


class Relay:
    """The service's body on its way to the client, as it came: not decoded, each piece at once, and its connection given back.

    Args:
        response: Streamed, nothing read of it.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raw = self._response.raw
        if self._ended or raw.length_remaining == 0:
            raise StopIteration
        try:
            part: bytes = raw.read1(_CHUNK, decode_content=False)
        except Exception as error:  # whatever it is, the body is not whole
            self._ended = True
            raise UpstreamBroken("The answer of the service broke off.") from error
        if not part:
            self._ended = True
            raise StopIteration
        return part

    def close(self) -> None:
        """Give the connection back, or end it where the body was not read to its end."""
        self._ended = True
        self._response.close()


def _contradiction() -> Rejection:
    return Rejection("The length of the body is not clear.", status=400, code="bad_framing")


def _unknown_coding() -> Rejection:
    return Rejection("The transfer coding is not known.", status=501, code="unknown_transfer_coding")


def _too_long() -> Rejection:
    return Rejection("The body is too long.", status=413, code="body_too_large")


def _incomplete() -> Rejection:
    return Rejection("The body did not come to its end.", status=400, code="incomplete_body")
