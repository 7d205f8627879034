"""The table of version decisions over every binding: what the policy decides by hand, each server's request decides too."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from interservice.asgi import Middleware
from interservice.events import Served
from interservice.inbound.gate import Gate
from interservice.inbound.versions import Versions
from interservice.testing import Recorder
from interservice.wsgi.request import encoded
from tests.inbound.versions.asking import ask
from tests.inbound.versions.test_decision_table import CORS, POLICIES, ROWS

from .conftest import Serving
from .script import Script

BY_POLICY = {name: [row for row in ROWS if row[0] == name and row[2].get("kind") != "websocket"] for name in POLICIES}
WEBSOCKETS = [row for row in ROWS if row[2].get("kind") == "websocket"]
#: PEP 3333's validator knows neither `OPTIONS *` nor an absolute form, which servers hand over all the same.
UNUSUAL = frozenset({"", "*", "http://h/v1/orders"})


class Pairs(list[tuple[str, str]]):
    """Header pairs, where a dictionary is expected: repeated fields stay apart."""

    def items(self) -> Pairs:
        return self


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Header pairs as a WSGI server hands them over."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.title()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def unchecked(app: Any, method: str, path: str, query: str) -> None:
    """A request that the validator would not let through."""
    environ = {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "test",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }  # fmt: skip
    body = app(environ, lambda status, headers, exc_info=None: lambda data: None)
    list(body)
    body.close()


def decided(serving: Serving, row: tuple[str, str, dict[str, Any], int, str | None]) -> tuple[Any, ...]:
    """What came of one row: the status, the version or the word, and what the application saw of the path."""
    _, path, options, _, _ = row
    serving.recorder.clear()
    serving.script.seen.clear()
    method, query = options.get("method", "GET"), options.get("query", "")
    asks_asgi = serving.binding in ("asgi", "django-async")
    if path in UNUSUAL and not asks_asgi:
        unchecked(serving.app, method, path, query)
    else:
        pairs = list(options.get("headers", ()))
        headers: Any = Pairs(pairs) if asks_asgi else joined(pairs)
        serving.ask(method, (path if asks_asgi else encoded(path)) + (f"?{query}" if query else ""), headers)
    exchange = serving.served.exchange
    if exchange.refusal is not None:
        return serving.served.status, exchange.refusal.code.removeprefix("api-version-"), None
    seen = serving.script.seen[-1] if serving.script.seen else None
    version = None if exchange.version is None else str(exchange.version)
    return serving.served.status, version, seen


def expected(row: tuple[str, str, dict[str, Any], int, str | None], binding: str) -> tuple[Any, ...]:
    name, path, options, status, word = row
    if status != 200:
        return status, word, None
    if path == "*" and binding.startswith("django"):
        return 404, word, None  # the gate lets it through, and Django routes nothing that does not start with "/"
    exchange = ask(POLICIES[name], path, **options).exchange
    seen = (exchange.mount, exchange.path)
    if binding == "wsgi":
        return status, word, (encoded(seen[0]), encoded(seen[1]))
    return status, word, (seen[0], seen[1] or "/")  # others make "/" of an empty path


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_the_table_holds(serve: Any, policy: str) -> None:
    rows = BY_POLICY[policy]
    assert rows
    serving = serve(Script(), POLICIES[policy])
    wrong = []
    for row in rows:
        got, wanted = decided(serving, row), expected(row, serving.binding)
        if got != wanted:
            wrong.append((row[1:3], got, wanted))
    assert wrong == []


def test_the_table_over_a_binding_is_as_large_as_promised() -> None:
    assert sum(map(len, BY_POLICY.values())) >= 120


class Server:
    """The server's side of a websocket's handshake."""

    def __init__(self, path: str, *, can_deny: bool) -> None:
        self.scope: dict[str, Any] = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [], "subprotocols": [],
            "extensions": {"websocket.http.response": {}} if can_deny else {},
        }  # fmt: skip
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("can_deny", [True, False], ids=["denial", "close"])
@pytest.mark.parametrize("row", WEBSOCKETS, ids=[f"{index}" for index in range(len(WEBSOCKETS))])
def test_websockets_are_refused_before_they_are_accepted(row: Any, can_deny: bool) -> None:
    name, path, _, status, word = row
    recorder = Recorder()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    server = Server(path, can_deny=can_deny)
    served: Any = Middleware(app, Gate([POLICIES[name]], [recorder]))
    asyncio.run(served(server.scope, server.receive, server.send))
    exchange = recorder.of(Served)[-1].exchange
    first = server.sent[0]
    if status == 200:
        assert (first["type"], str(exchange.version)) == ("websocket.accept", word)
        assert (b"api-version", b"1.0") in first["headers"]
        return
    assert exchange.refusal is not None
    assert exchange.refusal.code == f"api-version-{word}"
    if can_deny:
        assert (first["type"], first["status"]) == ("websocket.http.response.start", status)
    else:
        assert (first["type"], first["code"]) == ("websocket.close", 1008)
    assert not [message for message in server.sent if message["type"] == "websocket.accept"]


def test_a_preflight_reaches_the_application_and_hears_of_the_versions(serve: Any) -> None:
    serving = serve(Script(status=204, parts=[]), POLICIES["strip"])
    answer = serving.ask("OPTIONS", "/v1/orders", dict(CORS))
    assert (answer.status, answer.header("api-supported-versions"), answer.header("API-Version")) == (204, "1, 2", None)
    assert serving.script.seen == [("/v1", "/orders")]


def test_a_refusal_of_head_has_the_head_alone(serve: Any) -> None:
    answer = serve(Script(), POLICIES["all"]).ask("HEAD", "/v9/orders")
    assert (answer.status, answer.body, answer.header("Content-Type")) == (404, b"", "application/problem+json")
    assert answer.header("Vary") == "API-Version, Accept"


def test_the_application_sees_accept_without_versions_on_demand(serve: Any) -> None:
    serving = serve(Script(), Versions(["1", "2"], rewrite_accept=True))
    answer = serving.ask("GET", "/orders", {"Accept": "application/json; version=1, text/html;q=0.5"})
    assert (answer.status, answer.header("API-Version")) == (200, "1")
    assert serving.script.accept == "application/json, text/html;q=0.5"
