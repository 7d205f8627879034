"""Several applications behind one gate, chosen by version."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from asgiref import testing
from werkzeug.test import Client

from interservice.dispatch import ASGIVersions, WSGIVersions
from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import Exchange, enter
from interservice.http import Request
from interservice.inbound.versions import Versions
from tests.inbound.versions.asking import Headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# asgiref's test tools are untyped.
ApplicationCommunicator: Any = testing.ApplicationCommunicator
CORS = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
POLICY = Versions(["1.0", "2", "3"], path="strip")


@pytest.fixture(autouse=True)
def _no_exchange_is_left_behind() -> Iterator[None]:
    yield
    enter(None)


def negotiated(path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = ()) -> Exchange:
    """An exchange that the policy has admitted, or refused."""
    exchange = Exchange(Request(method, path, Headers(headers)), 0.0)
    exchange.request_id = "id"
    try:
        POLICY.admit(exchange)
    except Rejection as rejection:
        exchange.refusal = rejection
    enter(exchange)
    return exchange


def wsgi(name: str) -> Any:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [name.encode()]

    return app


WSGI = WSGIVersions({"1": wsgi("one"), "2": wsgi("two")})


@pytest.mark.parametrize(("path", "body"), [("/v1/x", "one"), ("/v1.0/x", "one"), ("/v2", "two")])
def test_wsgi_request_goes_to_the_application_of_its_version(path: str, body: str) -> None:
    negotiated(path)
    assert Client(WSGI).get("/x").text == body


@pytest.mark.parametrize(("path", "code"), [("/v3/x", "api-version-unsupported"), ("/healthz", "api-version-unspecified")])
def test_wsgi_request_without_an_application_is_a_404_problem(path: str, code: str) -> None:
    exchange = negotiated(path)
    response = Client(WSGI).get("/x")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"
    assert json.loads(response.data)["code"] == code
    assert json.loads(response.data)["instance"] == "urn:request:id"
    assert exchange.refusal is not None
    assert exchange.refusal.code == code


def test_wsgi_head_gets_no_body() -> None:
    negotiated("/healthz")
    response = Client(WSGI).head("/x")
    assert (response.status_code, response.data) == (404, b"")


def test_without_a_gate_there_is_no_version() -> None:
    assert Client(WSGI).get("/x").status_code == 404


def test_wsgi_unversioned_requests_have_their_own_application() -> None:
    negotiated("/healthz")
    app = WSGIVersions({"1": wsgi("one")}, unversioned=wsgi("health"))
    assert Client(app).get("/healthz").text == "health"


def test_wsgi_preflight_goes_to_the_application_that_its_path_names() -> None:
    negotiated("/v2/x", "OPTIONS", CORS)
    assert Client(WSGI).options("/x").text == "two"


def test_wsgi_environ_names_the_exchange_where_the_context_does_not() -> None:
    exchange = negotiated("/v2/x")
    enter(None)
    assert Client(WSGI).get("/x", environ_overrides={"interservice.exchange": exchange}).text == "two"


@pytest.mark.parametrize("dispatcher", [WSGIVersions, ASGIVersions])
@pytest.mark.parametrize(
    ("apps", "message"),
    [
        ({}, "VersionDispatcher.apps must be a mapping of at least one version to its application, not {}"),
        ([wsgi("one")], "VersionDispatcher.apps must be a mapping"),
        ({"v1": wsgi("one")}, "VersionDispatcher.apps must have versions as keys, not 'v1'"),
        ({1: wsgi("one")}, "VersionDispatcher.apps must have versions as keys, not 1"),
        ({"1": wsgi("one"), "1.0": wsgi("one")}, "VersionDispatcher.apps must be free of equal versions, not '1.0'"),
        ({"1": "one"}, "VersionDispatcher.apps['1'] must be an application, not 'one'"),
    ],
    ids=["empty", "list", "prefix", "number", "equal", "string"],
)
def test_nonsense_is_refused_when_made(dispatcher: Any, apps: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        dispatcher(apps)
    assert str(caught.value).startswith(message)


def test_unversioned_must_be_an_application() -> None:
    with pytest.raises(ConfigurationError, match="unversioned"):
        WSGIVersions({"1": wsgi("one")}, unversioned="app")  # type: ignore[arg-type]


class Service:
    """An ASGI application with a lifespan that says what it is told, and serves its name and its state."""

    def __init__(self, name: str, *, fails: str = "", silent: str = "", raises: str = "") -> None:
        self.name = name
        self.fails, self.silent, self.raises = fails, silent, raises
        self.heard: list[str] = []
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        body = f"{self.name} {scope.get('state', {}).get('db')}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        for moment in ("startup", "shutdown"):
            message = await receive()
            self.heard.append(message["type"])
            self.started.set()
            await self.go.wait()
            if self.raises == moment:
                raise RuntimeError(self.name)
            if self.silent == moment:
                return
            if self.fails == moment:
                await send({"type": f"lifespan.{moment}.failed", "message": self.name})
                return
            if "state" in scope:
                scope["state"]["db"] = f"db of {self.name}"
            await send({"type": f"lifespan.{moment}.complete"})


BOTH = ["lifespan.startup", "lifespan.shutdown"]


async def lifespan(app: Any, state: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """All that the server hears in a whole lifespan."""
    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}}
    server = ApplicationCommunicator(app, scope if state is None else {**scope, "state": state})
    await server.send_input({"type": "lifespan.startup"})
    answers = [await server.receive_output()]
    if answers[0]["type"] == "lifespan.startup.complete":
        await server.send_input({"type": "lifespan.shutdown"})
        answers.append(await server.receive_output())
    await server.wait()
    return answers


async def get(app: Any, kind: str = "http", **scope: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    await app({"type": kind, "method": "GET", "path": "/x", "headers": [], **scope}, receive, send)
    return sent


def test_asgi_lifespan_reaches_every_application_once() -> None:
    one, two = Service("one"), Service("two")
    # The same application under two versions is one application.
    answers = asyncio.run(lifespan(ASGIVersions({"1": one, "2": two, "3": two}, unversioned=one)))
    assert [answer["type"] for answer in answers] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert one.heard == two.heard == BOTH


def test_asgi_start_up_is_complete_only_when_all_are() -> None:
    async def scenario() -> None:
        one, two = Service("one"), Service("two")
        two.go.clear()
        server = ApplicationCommunicator(ASGIVersions({"1": one, "2": two}), {"type": "lifespan"})
        await server.send_input({"type": "lifespan.startup"})
        await one.started.wait()
        await two.started.wait()
        assert await server.receive_nothing(0.01)
        two.go.set()
        assert (await server.receive_output())["type"] == "lifespan.startup.complete"
        await server.send_input({"type": "lifespan.shutdown"})
        assert (await server.receive_output())["type"] == "lifespan.shutdown.complete"
        await server.wait()

    asyncio.run(scenario())


def test_asgi_failure_of_one_start_up_fails_all_and_stops_the_started() -> None:
    one, two = Service("one"), Service("two", fails="startup")
    answers = asyncio.run(lifespan(ASGIVersions({"1": one, "2": two})))
    assert answers == [{"type": "lifespan.startup.failed", "message": "two"}]
    assert one.heard == BOTH
    assert two.heard == BOTH[:1]


@pytest.mark.parametrize("how", [{"silent": "startup"}, {"raises": "startup"}, {"silent": "shutdown"}])
def test_asgi_application_that_does_not_know_the_lifespan_is_no_failure(how: dict[str, str]) -> None:
    one, two = Service("one"), Service("two", **how)
    answers = asyncio.run(lifespan(ASGIVersions({"1": one, "2": two})))
    assert [answer["type"] for answer in answers] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert one.heard == BOTH


@pytest.mark.parametrize("how", [{"fails": "shutdown"}, {"raises": "shutdown"}])
def test_asgi_failure_of_one_shutdown_is_told(how: dict[str, str]) -> None:
    one, two = Service("one"), Service("two", **how)
    answers = asyncio.run(lifespan(ASGIVersions({"1": one, "2": two})))
    assert answers[1]["type"] == "lifespan.shutdown.failed"
    assert "two" in answers[1]["message"]
    assert one.heard == BOTH


def test_asgi_lifespan_states_do_not_meet() -> None:
    async def scenario() -> list[bytes]:
        app = ASGIVersions({"1": Service("one"), "2": Service("two")})
        await lifespan(app, {"shared": 1})
        bodies = []
        for path in ("/v1/x", "/v2/x"):
            negotiated(path)
            bodies.append((await get(app, state={"shared": 1}))[1]["body"])
        return bodies

    assert asyncio.run(scenario()) == [b"one db of one", b"two db of two"]


def test_asgi_scope_names_the_exchange_where_the_context_does_not() -> None:
    exchange = negotiated("/v2/x")
    enter(None)
    named: dict[str, Any] = {"interservice.exchange": exchange}
    sent = asyncio.run(get(ASGIVersions({"1": Service("one"), "2": Service("two")}), **named))
    assert sent[1]["body"] == b"two None"


def test_asgi_request_without_an_application_is_a_404_problem() -> None:
    negotiated("/v3/x")
    start, body = asyncio.run(get(ASGIVersions({"1": Service("one")})))
    assert start["status"] == 404
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"])["code"] == "api-version-unsupported"


def test_asgi_head_gets_no_body() -> None:
    negotiated("/v3/x")
    assert asyncio.run(get(ASGIVersions({"1": Service("one")}), method="HEAD"))[1]["body"] == b""


def test_asgi_websocket_is_refused_before_it_is_accepted() -> None:
    negotiated("/v3/x")
    app = ASGIVersions({"1": Service("one")})
    assert [message["type"] for message in asyncio.run(get(app, "websocket"))] == ["websocket.close"]
    able: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}
    start, body = asyncio.run(get(app, "websocket", **able))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert body["type"] == "websocket.http.response.body"
