"""Questions to a forward-auth endpoint, as a WSGI and as an ASGI server would hand them over, repeated fields included."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from urllib.parse import unquote, unquote_to_bytes
from wsgiref.validate import validator

from tests.bindings.script import Answer

Pairs = list[tuple[str, str]]


class Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = readlines = read  # type: ignore[assignment]


def ask_wsgi(app: Any, method: str, url: str, *fields: tuple[str, str], peer: str = "127.0.0.1", **more: Any) -> Answer:
    """One question under WSGI, where repeated fields are joined and `_` is `-`."""
    path, _, query = url.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query,
        "REQUEST_URI": url, "SERVER_NAME": "auth", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": peer,
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": Unread(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, **more,
    }  # fmt: skip
    for name, value in fields:
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    answer = Answer(None, [], b"")

    def start_response(status: str, headers: Pairs, exc_info: Any = None) -> Any:
        answer.status, answer.headers = int(status[:3]), list(headers)
        return lambda data: None

    body = validator(app)(environ, start_response)
    try:
        answer.body = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]
    return answer


def ask_asgi(app: Any, method: str, url: str, *fields: tuple[str, str], peer: str = "127.0.0.1", **more: Any) -> Answer:
    """One question under ASGI, every field apart."""
    path, _, query = url.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode("latin-1"), "query_string": query.encode("latin-1"), "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        "client": (peer, 1), "server": ("auth", 80), **more,
    }  # fmt: skip
    answer = Answer(None, [], b"")

    async def receive() -> dict[str, Any]:
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        raise AssertionError("the body was read")

    async def send(message: dict[str, Any]) -> None:
        if message["type"].endswith("response.start"):
            answer.status = message["status"]
            answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "websocket.close":
            answer.status = 403  # as servers have it
        else:
            answer.body += message["body"]

    asyncio.run(app(scope, receive, send))
    return answer
