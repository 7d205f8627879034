"""Every shape that a response can have, as a bare WSGI and a bare ASGI application; what an application can end in, too.

A shape is the last part of the path. Both applications know all of them: what an interface or a server does not have (`write`,
`pathsend`, trailers) is answered in the next best way, with the same bytes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).with_name("nginx.conf")
FILE_SIZE = FILE.stat().st_size
PART = b"part"


class Parts:
    """A body that is no generator, with a `close` of its own."""

    def __init__(self) -> None:
        self._left = 3

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return PART

    def close(self) -> None:
        self._left = 0


def broken() -> Iterator[bytes]:
    yield PART
    raise RuntimeError("after the start")


def wsgi(environ: Any, start_response: Any) -> Any:
    shape = environ["PATH_INFO"].rpartition("/")[2]
    if shape == "late-start":
        return late_start(start_response)
    if shape == "early":
        raise RuntimeError("before the start")
    if shape in ("nothing", "same"):
        start_response({"nothing": "204 No Content", "same": "304 Not Modified"}[shape], [])
        return []
    if shape == "file":
        start_response("200 OK", [("Content-Length", str(FILE_SIZE))])
        file = FILE.open("rb")
        wrapper = environ.get("wsgi.file_wrapper")
        return wrapper(file, 8192) if wrapper else iter(lambda: file.read(8192), b"")
    length = [("Content-Length", "12")] if shape in ("whole", "write") else []
    write = start_response("200 OK", [("Content-Type", "text/plain"), *length])
    if shape == "write" and environ.get("SERVER_SOFTWARE") != "Granian":  # which gives no write
        write(PART)
        return [PART * 2]
    return {"whole": [PART * 3], "object": Parts(), "late": broken()}.get(shape) or (PART for _ in range(3))


def late_start(start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(3):
        yield PART


#: Set by a request to `release`: what the background task of another waits for.
_released: list[asyncio.Event] = []


def released() -> asyncio.Event:
    """The event, made in the loop that it is used in."""
    if not _released:
        _released.append(asyncio.Event())
    return _released[0]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    shape = scope["path"].rpartition("/")[2]
    if shape == "early":
        raise RuntimeError("before the start")
    if shape == "release":
        released().set()
    status = {"nothing": 204, "same": 304}.get(shape, 200)
    length = {"whole": 12, "background": 12, "file": FILE_SIZE}.get(shape)
    headers = [(b"content-length", str(length).encode())] if length else []
    extensions = scope.get("extensions") or {}
    trailers = shape == "trailers" and "http.response.trailers" in extensions
    await send({"type": "http.response.start", "status": status, "headers": headers, **({"trailers": True} if trailers else {})})
    if shape in ("nothing", "same"):
        await send({"type": "http.response.body"})
    elif shape == "file" and "http.response.pathsend" in extensions:
        await send({"type": "http.response.pathsend", "path": str(FILE)})
    elif shape == "file":
        await send({"type": "http.response.body", "body": FILE.read_bytes()})
    elif length:
        await send({"type": "http.response.body", "body": PART * 3})
    else:
        await _stream(shape, send)
    if trailers:
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"12")]})
    if shape == "background":
        await released().wait()


async def _stream(shape: str, send: Any) -> None:
    for _ in range(3):
        await send({"type": "http.response.body", "body": PART, "more_body": True})
        if shape == "late":
            raise RuntimeError("after the start")
    await send({"type": "http.response.body"})
