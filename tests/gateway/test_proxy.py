"""The embedded gateway over real services on loopback sockets."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.events import Served
from interservice.faultserver import FaultServer, Reply
from interservice.gateway import Proxy
from interservice.inbound.deadlines import Deadlines
from interservice.inbound.gate import Gate
from interservice.inbound.tracing import Tracing
from interservice.issuer import Server
from interservice.outbound import CircuitBreaker, Retry, ServiceAdapter, Timeouts
from interservice.testing import Recorder
from interservice.wsgi import Middleware
from tests.bindings import wsgi_side

TEXT = {"Content-Type": "text/plain"}
HOP_BY_HOP = {"Connection": "x-private", "X-Private": "1", "TE": "trailers", "Keep-Alive": "5"}


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Tells what it was sent."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    headers = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    told = json.dumps({
        "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"], "headers": headers,
        "body": body.decode("latin-1"), "type": environ.get("CONTENT_TYPE", ""),
    }).encode()  # fmt: skip
    own = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Own", "1")]
    start_response("207 Multi-Status", [("Content-Type", "application/json"), ("Content-Length", str(len(told))), *own])
    return [told]


@pytest.fixture
def service() -> Iterator[Server[Any]]:
    with Server(lambda url: echo) as server:
        yield server


def gateway(*endpoints: str, **options: Any) -> tuple[Any, Recorder]:
    recorder = Recorder()
    adapter = ServiceAdapter("orders", endpoints=list(endpoints), timeouts=Timeouts(total=5.0), **options)
    gate = Gate([Tracing(), Deadlines()], [recorder], service="gateway")
    return Middleware(Proxy({"/orders": adapter}), gate), recorder


def ask(app: Any, method: str = "GET", path: str = "/orders/7", headers: dict[str, str] | None = None, **options: Any) -> Any:
    return wsgi_side.ask(app, method, path, headers or {}, **options)


def test_request_and_response_pass_whole(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    answer = ask(app, path="/orders/a b?x=1&y=%20", headers={"Authorization": "Bearer t", "Accept": "application/json"})
    assert answer.status == 207
    told = json.loads(answer.body)
    assert (told["method"], told["path"], told["query"]) == ("GET", "/orders/a b", "x=1&y=%20")
    assert (told["headers"]["authorization"], told["headers"]["accept"]) == ("Bearer t", "application/json")
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]
    assert answer.header("X-Own") == "1"


def test_hop_by_hop_headers_stay_behind(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    told = json.loads(ask(app, headers=HOP_BY_HOP).body)
    assert not {"x-private", "te", "keep-alive"} & set(told["headers"])


def test_forwarding_headers_are_the_gateways_own(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "Forwarded": "for=6.6.6.6", "Host": "api.example"}
    headers = json.loads(ask(app, headers=forged).body)["headers"]
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"], headers["x-forwarded-host"]) == (
        "127.0.0.1",
        "http",
        "api.example",
    )
    assert "forwarded" not in headers
    assert headers["host"] == "orders"


def test_trace_id_and_time_left_go_on(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = {"X-Request-ID": "r-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-Timeout-Ms": "900"}
    headers = json.loads(ask(app, headers=given).body)["headers"]
    assert headers["x-request-id"] == "r-1"
    assert headers["traceparent"].startswith(f"00-{trace}-")
    assert "00f067aa0ba902b7" not in headers["traceparent"]
    assert 0 < float(headers["x-request-timeout-ms"]) <= 900


@pytest.mark.parametrize("size", [0, 10, 200_000])
def test_body_is_forwarded_at_any_length(service: Server[Any], size: int) -> None:
    app, _ = gateway(service.url)
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/orders", "CONTENT_LENGTH": str(size), "CONTENT_TYPE": "text/plain",
        "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(b"x" * size + b"beyond"),
        "SERVER_NAME": "gateway", "SERVER_PORT": "80",
    }  # fmt: skip
    body: Any = app(environ, lambda *args: print)
    told = json.loads(b"".join(body))
    body.close()
    assert (told["body"], told["type"]) == ("x" * size, "text/plain")


def test_another_endpoint_answers_for_a_dead_one(service: Server[Any]) -> None:
    app, recorder = gateway("http://127.0.0.1:9", service.url)
    assert [ask(app).status for _ in range(8)] == [207] * 8
    assert {event.outcome for event in recorder.of(Served)} == {"ok"}


def test_service_that_is_gone_is_502_and_says_so() -> None:
    app, _ = gateway("http://127.0.0.1:9", retry=None, breaker=None)
    answer = ask(app, headers={"X-Request-ID": "r-2"})
    assert (answer.status, json.loads(answer.body)["code"]) == (502, "upstream_failed")
    assert json.loads(answer.body)["instance"] == "urn:request:r-2"


def test_open_circuit_is_503_with_retry_after() -> None:
    app, _ = gateway("http://127.0.0.1:9", retry=None, breaker=CircuitBreaker(min_calls=1, open_for=30))
    assert ask(app).status == 502
    answer = ask(app)
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "circuit_open")
    assert int(answer.header("Retry-After") or 0) > 0


def test_service_that_is_too_slow_is_504(service: Server[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        app, _ = gateway(url, retry=Retry(attempts=1))
        answer = ask(app, headers={"X-Request-Timeout-Ms": "100"})
    assert (answer.status, json.loads(answer.body)["code"]) == (504, "upstream_timeout")


def test_path_of_no_service_is_404(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    assert [ask(app, path=path).status for path in ("/ordersx", "/", "/other")] == [404, 404, 404]
    assert json.loads(ask(app, path="/other").body)["code"] == "no_route"


def test_longest_prefix_wins(service: Server[Any]) -> None:
    dead = ServiceAdapter("dead", endpoints=["http://127.0.0.1:9"], retry=None)
    app = Proxy({"/": dead, "/orders": ServiceAdapter("orders", endpoints=[service.url])})
    assert ask(app, path="/orders").status == 207
    assert ask(app, path="/").status == 502


def test_head_has_no_body(service: Server[Any]) -> None:
    app, _ = gateway(service.url)
    answer = ask(app, "HEAD")
    assert (answer.status, answer.body) == (207, b"")


@pytest.mark.parametrize(
    "reply",
    [Reply(headers=TEXT), Reply(headers=TEXT, chunked=True), Reply(headers=TEXT, body=b"x" * 200_000), Reply(status=204)],
    ids=["length", "chunks", "long", "no-content"],
)
def test_connection_to_the_service_is_used_again(reply: Reply) -> None:
    with FaultServer(then=reply) as server:
        app, _ = gateway(server.url)
        for _ in range(3):
            assert ask(app).body == (b"" if reply.status == 204 else reply.body)
        assert [request.connection for request in server.requests] == [1, 1, 1]


def test_answer_that_is_left_unread_ends_its_connection() -> None:
    with FaultServer(then=Reply(headers=TEXT, body=b"x" * 2_000_000)) as server:
        app, recorder = gateway(server.url)
        ask(app, leave_after=1)
        ask(app)
        assert [request.connection for request in server.requests] == [1, 2]
    assert [event.outcome for event in recorder.of(Served)] == ["client_disconnect", "ok"]


@pytest.mark.parametrize("routes", [{}, {"orders": ServiceAdapter("orders")}, {"/orders": ServiceAdapter()}])
def test_nonsense_is_refused_when_made(routes: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Proxy\.routes"):
        Proxy(routes)
