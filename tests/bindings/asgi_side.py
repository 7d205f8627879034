"""Plays a script as an ASGI application, and a strict ASGI server that can go away in the middle."""

from __future__ import annotations

import asyncio
from typing import Any

from .script import Answer, Script


def asgi_app(script: Script) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        root_path = scope.get("root_path", "")
        accept = dict(scope["headers"]).get(b"accept", b"").decode()
        parts = script.begin(root_path, scope["path"].removeprefix(root_path) or "/", accept)
        headers = [(b"content-type", b"text/plain"), *((n.lower().encode(), v.encode()) for n, v in script.headers)]
        await send({"type": "http.response.start", "status": script.status, "headers": headers})
        if script.stream:
            for part in script.streamed():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": b"".join(parts)})

    return app


class Strict:
    """The server's side of one request, with the protocol's rules: one start, then bodies, nothing after the last."""

    def __init__(self, leave_after: int | None) -> None:
        self.answer = Answer(None, [], b"")
        self.ended = False
        self._leave_after = leave_after
        self._parts = 0
        self._asked = False
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        assert not self.ended, f"{message['type']} after the end"
        if message["type"] == "http.response.start":
            assert self.answer.status is None, "started twice"
            self.answer.status = message["status"]
            pairs = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            self.answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
        elif message["type"] == "http.response.body":
            assert self.answer.status is not None, "body before start"
            if self._leave_after is not None and self._parts >= self._leave_after:
                self._gone.set()
                await asyncio.sleep(0)  # let whoever waits for the disconnect see it, as a server's loop would
                raise OSError("the client has gone")
            self._parts += 1
            self.answer.body += message.get("body", b"")
            self.ended = not message.get("more_body", False)
            if self.ended:
                self._gone.set()


def ask(app: Any, method: str, path: str, headers: dict[str, str], *, leave_after: int | None = None, mount: str = "") -> Answer:
    """Serve one request as ASGI 3 wants it; sends fail after `leave_after` parts, as when the client goes away."""
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method, "scheme":
        "http",
        "path": mount + path, "raw_path": (mount + path).encode(), "query_string": query.encode(), "root_path": mount,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip

    async def serve() -> Answer:
        side = Strict(leave_after)
        try:
            await app(scope, side.receive, side.send)
        except Exception as error:
            error.__context__ = error.__cause__ = None
            side.answer.error = error.with_traceback(None)  # or the frames would live as long as the answer
        if method == "HEAD":
            side.answer.body = b""
        return side.answer

    return asyncio.run(serve())
