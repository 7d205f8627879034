"""Every shape that ASGI 3 allows an exchange to have: streams, files, trailers, websockets, lifespan, and their ends."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from typing import Any

import pytest

from interservice.asgi import Middleware
from interservice.asgi.request import ScopeHeaders, ScopeRequest
from interservice.errors import ConfigurationError, Rejection
from interservice.events import Served
from interservice.exchange import Exchange, current
from interservice.inbound.gate import Gate
from interservice.inbound.policy import Policy
from interservice.inbound.tracing import Tracing
from interservice.testing import FakeClock, Recorder

START = {"type": "http.response.start", "status": 200, "headers": []}
LAST = {"type": "http.response.body", "body": b"x"}


class Closed(Policy):
    def admit(self, exchange: Exchange) -> None:
        raise Rejection("No.", status=403, code="closed")


class Server:
    """A server that plays given messages to the application and keeps what it is sent."""

    def __init__(
        self,
        app: Any,
        *policies: Any,
        inbox: tuple[dict[str, Any], ...] = (),
        broken_after: int | None = None,
        clock: FakeClock | None = None,
        **scope: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.recorder = Recorder()
        self.sent: list[dict[str, Any]] = []
        self.inbox = list(inbox)
        self.broken_after = broken_after
        self.scope = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
        self.app = Middleware(app, Gate(policies, [self.recorder], clock=self.clock))

    def serve(self) -> None:
        asyncio.run(self.app(self.scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        return self.inbox.pop(0) if self.inbox else {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.broken_after is not None and len(self.sent) >= self.broken_after:
            raise OSError("gone")
        self.sent.append(dict(message))

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.sent]

    @property
    def served(self) -> Served:
        (event,) = self.recorder.events
        assert isinstance(event, Served)
        return event


def sending(*messages: dict[str, Any], then: Any = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if then is not None:
            result = then()
            if hasattr(result, "__await__"):
                await result

    return app


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_other_scopes_pass_untouched(kind: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, receive, send])

    server = Server(app, type=kind)
    server.serve()
    assert seen[:2] == [server.scope, server.receive]
    assert seen[0] is server.scope
    assert server.recorder.events == []
    assert "interservice.exchange" not in server.scope


def test_listeners_are_flushed_before_the_server_hears_of_the_shutdown() -> None:
    happened: list[str] = []

    class Kept:
        def __call__(self, event: object) -> None:
            raise NotImplementedError

        def flush(self) -> None:
            happened.append("flush")
            raise OSError("even so")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    async def send(message: Any) -> None:
        happened.append(message["type"])

    asyncio.run(Middleware(app, Gate([], [Kept(), print]))({"type": "lifespan"}, receive=None, send=send))  # type: ignore[arg-type]
    assert happened == ["lifespan.startup.complete", "flush", "lifespan.shutdown.complete"]


def test_response_ends_at_its_last_byte_and_not_with_the_background_task() -> None:
    clock = FakeClock()
    server = Server(sending(START, LAST, then=lambda: clock.advance(5)), clock=clock)
    server.serve()
    assert (server.served.seconds, server.served.outcome) == (0.0, "ok")


def test_server_error_that_is_sent_and_then_raised_is_one_event() -> None:
    clock = FakeClock()

    def raises() -> None:
        clock.advance(5)
        raise ZeroDivisionError

    server = Server(sending({**START, "status": 500}, LAST, then=raises), clock=clock)
    with pytest.raises(ZeroDivisionError):
        server.serve()
    served = server.served
    assert (served.status, served.outcome, served.seconds) == (500, "exception", 0.0)
    assert isinstance(served.error, ZeroDivisionError)


def test_exception_after_the_start_keeps_the_status() -> None:
    def raises() -> None:
        raise ZeroDivisionError

    server = Server(sending(START, then=raises))
    with pytest.raises(ZeroDivisionError):
        server.serve()
    assert (server.served.status, server.served.outcome) == (200, "exception")


def test_application_that_returns_without_an_answer_is_aborted() -> None:
    server = Server(sending())
    server.serve()
    assert (server.served.status, server.served.outcome) == (None, "aborted")


def test_application_that_stops_because_the_client_left_is_a_disconnect() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send({**LAST, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    server = Server(app)
    server.serve()
    assert (server.served.status, server.served.outcome, server.served.bytes_sent) == (200, "client_disconnect", 1)


def test_disconnect_after_the_last_byte_is_no_disconnect() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(LAST)
        await receive()

    server = Server(app)
    server.serve()
    assert server.served.outcome == "ok"


def test_send_that_fails_is_a_disconnect_and_the_error_passes() -> None:
    server = Server(sending(START, LAST), broken_after=1)
    with pytest.raises(OSError, match="gone"):
        server.serve()
    assert server.served.outcome == "client_disconnect"


def test_cancelled_application_is_aborted() -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            started.set()
            await asyncio.Event().wait()

        server = Server(app)
        task = asyncio.ensure_future(server.app(server.scope, server.receive, server.send))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.served.outcome == "aborted"

    asyncio.run(main())


def test_file_that_the_server_sends_ends_the_response() -> None:
    server = Server(sending(START, {"type": "http.response.pathsend", "path": "/x"}))
    server.serve()
    assert server.types == ["http.response.start", "http.response.pathsend"]
    assert server.served.outcome == "ok"


def test_trailers_end_the_response_where_they_were_announced() -> None:
    trailers = {"type": "http.response.trailers", "headers": [], "more_trailers": False}
    server = Server(sending({**START, "trailers": True}, LAST))
    server.serve()
    assert server.served.outcome == "aborted"  # announced and never sent
    server = Server(sending({**START, "trailers": True}, LAST, trailers))
    server.serve()
    assert server.served.outcome == "ok"


def test_messages_of_extensions_pass() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</x>"]}
    server = Server(sending(hint, START, LAST))
    server.serve()
    assert server.sent[0] == hint
    assert server.served.status == 200


def test_repeated_headers_stay_apart() -> None:
    cookies = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    server = Server(sending({**START, "headers": iter(cookies)}, LAST), Tracing())
    server.serve()
    assert [pair for pair in server.sent[0]["headers"] if pair[0] == b"set-cookie"] == cookies


def test_underscore_spelling_is_another_header() -> None:
    headers = [(b"x_request_id", b"evil"), (b"x-request-id", b"good")]
    server = Server(sending(START, LAST), Tracing(), headers=headers)
    server.serve()
    assert server.served.exchange.request_id == "good"


@pytest.mark.parametrize(
    ("fields", "joined", "apart"),
    [
        ([], None, []),
        ([(b"x-a", b"1")], "1", ["1"]),
        ([[b"x-a", b"1"], [b"x-b", b"2"]], "1", ["1"]),
        ([(b"X-A", b"1")], "1", ["1"]),
        ([(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3")], "1,3", ["1", "3"]),
        ([(b"x-a", b"1"), (b"X-A", b"3")], "1,3", ["1", "3"]),
        ([(b"x-a", b"\xe9")], "\xe9", ["\xe9"]),
    ],
    ids=["none", "one", "lists", "capitals", "repeated", "spellings", "latin-1"],
)
def test_headers_are_found_however_the_server_gives_them(fields: Any, joined: str | None, apart: list[str]) -> None:
    headers = ScopeHeaders(iter(fields))
    assert headers.all("x-a") == apart
    assert headers.get("x-a") == joined
    assert headers.get("x-c") is None
    assert headers.all("x-c") == []
    assert [value for name, value in headers.items() if name == "x-a"] == apart


def test_request_stays_what_it_was_whatever_becomes_of_the_scope() -> None:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/shop/a%b", "raw_path": b"/shop/a%2Fb?c", "root_path": "/shop", "query_string":
        b"c", "scheme": "https", "http_version": "2", "headers": [(b"x-a", b"1")], "client": ("10.0.0.1", 1), "server":
        ["shop", "443"], "extensions": {"tls": {"client_cert_chain": ["PEM", "CA"]}},
    }  # fmt: skip
    request = ScopeRequest(scope)
    scope["headers"].clear()
    scope.clear()
    assert (request.kind, request.method, request.scheme, request.protocol) == ("http", "GET", "https", "2")
    assert (request.mount, request.path, request.raw_path, request.query) == ("/shop", "/a%b", b"/shop/a%2Fb", "c")
    assert (request.peer, request.server, request.has_encoded_slash) == ("10.0.0.1", ("shop", 443), True)
    assert request.headers.get("x-a") == "1"
    assert request.peer_certificate is not None
    assert request.peer_certificate() == "PEM"


def test_request_of_a_scope_that_tells_little() -> None:
    request = ScopeRequest({"type": "websocket", "path": ""})
    assert (request.kind, request.method, request.scheme, request.protocol) == ("websocket", "GET", "ws", "1.1")
    assert (request.mount, request.path, request.raw_path, request.query) == ("", "/", None, "")
    assert (request.peer, request.server, request.has_encoded_slash) == (None, None, False)
    assert list(request.headers.items()) == []
    assert request.peer_certificate is None


@pytest.mark.parametrize(("path", "slash"), [(b"/a%2fb", True), (b"/a%20b", False), (b"/a?b=%2F", False), (b"", False)])
def test_encoded_slash_is_seen_in_the_path_alone(path: bytes, *, slash: bool) -> None:
    assert ScopeRequest({"type": "http", "method": "GET", "path": "/a/b", "raw_path": path}).has_encoded_slash is slash


def test_field_names_are_in_lower_case_however_many_there_are() -> None:
    fields = [(f"X-{number}".encode(), b"\xe9") for number in range(600)]
    server = Server(sending({**START, "headers": fields}, LAST))
    server.serve()
    assert server.sent[0]["headers"] == [(name.lower(), value) for name, value in fields]


def test_exchange_goes_with_its_request_without_the_garbage_collector() -> None:
    server = Server(sending(START, LAST), Tracing(), state={"own": 1})
    gc.disable()
    try:
        server.serve()
        gone = weakref.ref(server.scope["interservice.exchange"])
        server.recorder.clear()
        del server.scope
        assert gone() is None
    finally:
        gc.enable()


def test_exchange_is_where_frameworks_look() -> None:
    server = Server(sending(START, LAST), state={"own": 1})
    server.serve()
    assert server.scope["interservice.exchange"] is server.scope["state"]["interservice"]
    assert server.scope["state"]["own"] == 1


def test_concurrent_requests_keep_their_exchanges_apart() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        exchange = current()
        for _ in range(3):
            await asyncio.sleep(0)
            assert current() is exchange is scope["interservice.exchange"]
        await send(START)
        await send(LAST)

    async def main() -> None:
        middleware = Middleware(app, Gate([Tracing()]))

        async def nothing(*_: Any) -> Any:
            return {}

        await asyncio.gather(
            *(middleware({"type": "http", "method": "GET", "path": "/", "headers": []}, nothing, nothing) for _ in range(20))
        )

    asyncio.run(main())


def websocket(*policies: Any, messages: tuple[dict[str, Any], ...] = (), app: Any = None, **scope: Any) -> Server:
    inbox = ({"type": "websocket.connect"}, *messages)
    server = Server(app or echo, *policies, type="websocket", inbox=inbox, **scope)
    del server.scope["method"]
    server.serve()
    return server


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


@pytest.mark.parametrize(("code", "outcome"), [(1000, "ok"), (1001, "ok"), (1006, "client_disconnect")])
def test_websocket_is_one_exchange_until_it_is_closed(code: int, outcome: str) -> None:
    server = websocket(
        Tracing(), messages=({"type": "websocket.receive", "text": "héllo"}, {"type": "websocket.disconnect", "code": code})
    )
    assert server.types == ["websocket.accept", "websocket.send"]
    assert b"x-request-id" in dict(server.sent[0]["headers"])
    assert (server.served.status, server.served.bytes_sent, server.served.outcome) == (101, 6, outcome)


def test_websocket_is_refused_before_it_is_accepted() -> None:
    server = websocket(Tracing(), Closed())
    assert server.sent == [{"type": "websocket.close", "code": 1008, "reason": "closed"}]
    assert (server.served.status, server.served.outcome) == (403, "client_error")


def test_websocket_is_refused_in_full_where_the_server_can() -> None:
    server = websocket(Tracing(), Closed(), extensions={"websocket.http.response": {}})
    start, body = server.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert json.loads(body["body"])["code"] == "closed"
    assert server.served.status == 403


def test_websocket_that_the_application_turns_away_is_a_403() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    server = websocket(app=app)
    assert (server.served.status, server.served.outcome) == (403, "client_error")


def test_starlette_route_is_told_as_a_template() -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    def endpoint(request: Any) -> PlainTextResponse:
        return PlainTextResponse("x")

    inner = Starlette(routes=[Route("/orders/{id}", endpoint)])
    app = Starlette(routes=[Route("/plain/{name}", endpoint), Mount("/t/{tenant}", inner)])
    for path, route in [("/plain/a", "/plain/{name}"), ("/t/acme/orders/7", "/t/{tenant}/orders/{id}"), ("/nowhere", None)]:
        server = Server(app, path=path, root_path="", query_string=b"", inbox=({"type": "http.request", "body": b""},))
        server.serve()
        assert server.served.exchange.route == route


@pytest.mark.parametrize(("app", "gate"), [(sending(), None), (None, Gate([]))])
def test_nonsense_is_refused_when_mounted(app: Any, gate: Any) -> None:
    with pytest.raises(ConfigurationError, match="Middleware"):
        Middleware(app, gate)
