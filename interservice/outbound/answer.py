"""A response of urllib3 that knows when its body has ended, however it ends: read, closed, broken, or forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import urllib3
from urllib3.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .head import Head
    from .wire import Wire


class Ending(Protocol):
    """Who is told of the end of a streamed body; exactly one of the three is called, and once."""

    def ended(self, error: BaseException | None) -> None:
        """The body was read or closed, or broke with `error`."""

    def forgotten(self) -> None:
        """Nobody holds the response any more. Called by the garbage collector: must take no lock."""

    def expired(self, error: BaseException) -> BaseException:
        """The call's deadline passed inside the body: the error to raise instead."""


class Answer(urllib3.HTTPResponse):
    """A response as urllib3's, with an `ending`.

    Args:
        head: Its head, read, from which its body can be.
        method: Of the request.
        url: Its target.
        wire: The try that it belongs to.
        shutdown: The socket's own, to end it from another thread.
        how: urllib3's options: preload_content, decode_content, enforce_content_length.
    """

    def __init__(  # noqa: PLR0917 - what a response is made of, by one caller
        self,
        head: Head,
        method: str,
        url: str,
        wire: Wire,
        shutdown: Callable[[int], None] | None,
        how: Mapping[str, bool],
    ) -> None:
        self.ending: Ending | None = None
        self._reading = 0
        self.wire = wire
        #: Its head, for those who want to know in a hurry what it says.
        self.head = head
        headers = urllib3.HTTPHeaderDict()
        for name, value in head.fields:
            headers.add(name, value)
        super().__init__(
            body=head,
            headers=headers,
            status=head.status,
            version=head.version,
            version_string="HTTP/1.0" if head.version == 10 else "HTTP/1.1",  # noqa: PLR2004
            reason=head.reason,
            original_response=head,
            preload_content=how.get("preload_content", True),
            decode_content=how.get("decode_content", True),
            enforce_content_length=how.get("enforce_content_length", True),
            request_method=method,
            request_url=url,
            sock_shutdown=shutdown,
        )

    def take(self) -> bytes | None:
        """The whole body as it came, if it came along with the head and is not coded; else None, and nothing was read."""
        head, length = self.head, self.length_remaining
        if self._fp is not head or self.tell() or not length or length > head.ahead or length != head.length:
            return None  # somebody reads along, as caches do; or began to; or more is to come
        if "content-encoding" in head.first:
            return None
        data = head.take(length)
        self._fp_bytes_read, self.length_remaining = length, 0
        self.release_conn()
        return data

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """As urllib3's; a passed deadline raises `DeadlineExceeded`."""
        if self.ending is None:
            return super().read(*args, **kwargs)
        return self._watched(super().read, *args, **kwargs)

    def read1(self, *args: Any, **kwargs: Any) -> bytes:
        """As urllib3's; a passed deadline raises `DeadlineExceeded`."""
        if self.ending is None:
            return super().read1(*args, **kwargs)
        return self._watched(super().read1, *args, **kwargs)

    def read_chunked(self, *args: Any, **kwargs: Any) -> Any:
        """As urllib3's; a passed deadline raises `DeadlineExceeded`."""
        chunks = super().read_chunked(*args, **kwargs)
        return chunks if self.ending is None else self._watched_each(chunks)

    def release_conn(self) -> None:
        """As urllib3's: at the end of the body, or before it by the caller."""
        super().release_conn()
        if not self._reading:
            self._end(None)

    def close(self) -> None:
        """As urllib3's: the connection is closed unless the body was read."""
        super().close()
        if not self._reading:
            self._end(None)

    def __del__(self) -> None:
        ending, self.ending = self.ending, None
        if ending is not None:
            ending.forgotten()
        super().__del__()

    def _end(self, error: BaseException | None) -> None:
        ending, self.ending = self.ending, None
        if ending is not None:
            ending.ended(error)

    def _watched(self, read: Callable[..., bytes], *args: Any, **kwargs: Any) -> bytes:
        self._reading += 1
        try:
            data = read(*args, **kwargs)
        except Exception as error:
            self._reading -= 1
            self._failed(error)
            raise
        self._reading -= 1
        if self.closed:
            self._end(None)
        return data

    def _watched_each(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        self._reading += 1
        try:
            yield from chunks
        except Exception as error:
            self._failed(error)
            raise
        finally:
            self._reading -= 1
            if self.closed:
                self._end(None)

    def _failed(self, error: Exception) -> None:
        """Tell the ending, and raise in the place of a timeout what says that the call's time was up."""
        ending = self.ending
        if ending is not None and isinstance(error, ReadTimeoutError) and self.wire.clamped:
            exceeded = ending.expired(error)
            self._end(exceeded)
            try:
                raise exceeded from error
            finally:
                del exceeded  # no circle of exception, traceback, frame and exception
        self._end(error)
