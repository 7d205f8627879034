"""Plays a script as a WSGI application, and a strict WSGI server that can go away in the middle."""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import Any
from wsgiref.validate import validator

from .script import Answer, Script


def wsgi_app(script: Script) -> Any:
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        parts = script.begin(environ["SCRIPT_NAME"], environ["PATH_INFO"], environ.get("HTTP_ACCEPT"))
        status = f"{script.status} {HTTPStatus(script.status).phrase}"
        headers = list(script.headers)
        if script.status not in (204, 304):
            headers.append(("Content-Type", "text/plain"))
        start_response(status, headers)
        return script.streamed() if script.stream else list(parts)

    return app


def ask(app: Any, method: str, path: str, headers: dict[str, str], *, leave_after: int | None = None, mount: str = "") -> Answer:
    """Serve one request as PEP 3333 wants it; stop reading after `leave_after` parts, as when the client goes away."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": mount, "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }  # fmt: skip
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    answer = Answer(None, [], b"")

    def start_response(status: str, response_headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer.status = int(status[:3])
        answer.headers = list(response_headers)

        def write(data: bytes) -> None:
            answer.body += data

        return write

    try:
        body: Any = validator(app)(environ, start_response)
    except Exception as error:
        answer.error = error
        return answer
    try:
        for position, part in enumerate(body):
            if leave_after is not None and position >= leave_after:
                break
            answer.body += part
    except Exception as error:
        answer.error = error
    finally:
        body.close()
    if method == "HEAD":
        answer.body = b""
    return answer
