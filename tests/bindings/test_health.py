"""Health over every binding: probes never reach the application, and draining changes nothing for other requests."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest

from interservice.inbound.admission import Admission
from interservice.inbound.auth import JWTAuth
from interservice.inbound.checks import Check
from interservice.inbound.health import Health
from interservice.inbound.tracing import Tracing
from interservice.inbound.versions import Versions
from interservice.telemetry import AccessLog
from interservice.testing import FakeClock, Issuer
from interservice.tokens import StaticKeys, Verifier

from . import asgi_side
from .script import Script

ISSUER = Issuer("https://auth.test", clock=FakeClock())
VERIFIER = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=FakeClock())
AUTH = JWTAuth(VERIFIER)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probe_needs_no_token_no_version_and_no_place(serve: Any, path: str) -> None:
    full = Admission(max_concurrent=1)
    serving = serve(Script(), Tracing(), Health(checks={"keys": VERIFIER}), full, Versions(["1"]), AUTH)
    place = full._slots.try_acquire()
    assert place is not None
    answer = serving.ask(path=path)
    place.release()
    assert (answer.status, answer.header("Content-Type")) == (200, "application/health+json")
    assert answer.header("X-Request-ID") is not None
    assert json.loads(answer.body)["status"] == "pass"
    assert serving.script.calls == 0
    assert serving.served.exchange.route == path


def test_probe_behind_authentication_is_refused_as_any_request(serve: Any) -> None:
    assert serve(Script(), AUTH, Health()).ask(path="/readyz").status == 401


def test_head_has_the_status_and_no_body(serve: Any) -> None:
    answer = serve(Script(), Health(checks={"it": lambda: "down"})).ask("HEAD", "/readyz")
    assert (answer.status, answer.body) == (503, b"")
    assert answer.header("Retry-After") == "1"


def test_blocking_check_runs_where_it_may_block(serve: Any) -> None:
    caller = threading.current_thread()
    threads: list[threading.Thread] = []
    serving = serve(Script(), Health(checks={"it": lambda: threads.append(threading.current_thread())}))
    assert serving.ask(path="/readyz").status == 200
    assert len(threads) == 1
    assert threads[0] is not caller


def test_requests_are_served_while_it_drains(serve: Any) -> None:
    health = Health()
    health.drain()
    serving = serve(Script(), health)
    assert serving.ask(path="/readyz").status == 503
    assert serving.ask(path="/healthz").status == 200
    answer = serving.ask(path="/orders")
    assert (answer.status, answer.body) == (200, b"hello")


def test_connections_end_while_it_drains_where_servers_take_the_word(serve: Any, binding: str) -> None:
    health = Health()
    serving = serve(Script(), health)
    assert serving.ask(path="/orders").header("Connection") is None
    health.drain()
    # PEP 3333 forbids the field to applications, and so do Django's WSGI handlers.
    expected = "close" if binding == "asgi" else None
    assert serving.ask(path="/orders").header("Connection") == expected
    assert serving.ask(path="/readyz").header("Connection") == expected
    serving = serve(Script(), Health(close_connections=False))
    assert serving.ask(path="/orders").header("Connection") is None


def test_http_2_is_told_nothing_of_connections() -> None:
    from interservice.asgi import Middleware
    from interservice.inbound.gate import Gate

    health = Health()
    health.drain()
    app = Middleware(asgi_side.asgi_app(Script()), Gate([health]))

    async def over_http_2(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "http_version": "2"}, receive, send)

    assert asgi_side.ask(over_http_2, "GET", "/orders", {}).header("Connection") is None


def test_probes_are_of_level_debug_in_the_log_whatever_they_are_told(serve: Any) -> None:
    every, loud = io.StringIO(), io.StringIO()
    logs = (AccessLog(stream=every), AccessLog(stream=loud, level="info"))
    serving = serve(Script(), Health(checks={"it": Check(lambda: "down")}), listeners=logs)
    serving.ask(path="/readyz")
    serving.ask(path="/healthz")
    serving.ask(path="/orders")
    lines = [json.loads(line) for line in every.getvalue().splitlines()]
    assert [(line["url.path"], line["level"]) for line in lines] == [
        ("/readyz", "debug"),
        ("/healthz", "debug"),
        ("/orders", "info"),
    ]
    assert [json.loads(line)["url.path"] for line in loud.getvalue().splitlines()] == ["/orders"]


def test_failing_probes_are_no_errors_to_the_framework(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    serving = serve(Script(), Health(checks={"it": lambda: "down"}))
    assert serving.ask(path="/readyz").status == 503
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == []


def test_failing_probes_are_sampled_as_any_line_is(serve: Any) -> None:
    sampled = io.StringIO()
    serving = serve(Script(), Health(checks={"it": lambda: "down"}), listeners=(AccessLog(stream=sampled, sample_rate=0.0),))
    assert serving.ask(path="/readyz").status == 503
    assert not sampled.getvalue()
