"""Versions as operators see them: in the log line and in metrics, end to end."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import Client

from interservice import AccessLog, Deprecation, Exchange, Gate, Policy, StatsD, Versions
from interservice.testing import FakeClock
from interservice.wsgi import Middleware
from tests.telemetry.material import Principal

SUNSET = datetime(2027, 1, 1, tzinfo=UTC)


class Caller(Policy):
    """Believes a header, for once."""

    def admit(self, exchange: Exchange) -> None:
        name = exchange.request.headers.get("x-client")
        if name is not None:
            exchange.principal = Principal(client_id=name)


def app(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Length", "0")])
    return []


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10.0)
        yield sock


def arrived(receiver: socket.socket) -> list[str]:
    """The lines that are here by now."""
    lines: list[str] = []
    receiver.setblocking(False)
    try:
        while True:
            lines += receiver.recv(65536).decode().split("\n")
    except BlockingIOError:
        return lines


def serve(*listeners: Any, moment: float = 1_800_000_000.0) -> Client:
    versions = Versions(["1", "2"], default="2", deprecated={"1": Deprecation(sunset=SUNSET)}, retired=["0"])
    gate = Gate([Caller(), versions], listeners, service="orders", clock=FakeClock(time=moment))
    return Client(Middleware(app, gate))


def logged(path: str, headers: dict[str, str], **how: float) -> Any:
    stream = io.StringIO()
    log = AccessLog(stream=stream)
    serve(log, **how).get(path, headers=headers).close()
    log.close()
    return json.loads(stream.getvalue())


@pytest.mark.parametrize(
    ("path", "headers", "told"),
    [
        ("/v1/x", {}, {"api.version": "1", "api.version.source": "path", "api.version.deprecated": True}),
        ("/x", {"API-Version": "2"}, {"api.version": "2", "api.version.source": "header"}),
        ("/x", {}, {"api.version": "2", "api.version.source": "default"}),
        ("/v0/x", {}, {"interservice.refusal.code": "api-version-retired"}),
        ("/healthz", {}, {}),
    ],
    ids=["deprecated", "header", "default", "retired", "neutral"],
)
def test_the_log_line_names_version_source_and_deprecation(path: str, headers: dict[str, str], told: dict[str, Any]) -> None:
    line = logged(path, headers, moment=1_700_000_000.0)
    words = ("api.version", "interservice.refusal")
    assert {name: value for name, value in line.items() if name.startswith(words)} == told


def test_the_log_line_of_a_version_past_its_sunset_says_so() -> None:
    assert logged("/v1/x", {})["interservice.fields.api.version.sunset_passed"] is True


def test_metrics_count_versions_and_who_still_uses_deprecated_ones(receiver: socket.socket) -> None:
    host, port = receiver.getsockname()
    metrics = StatsD(f"{host}:{port}", flush_every=3600.0, max_names=3)
    client = serve(metrics)
    client.get("/v1/x").close()
    client.get("/v2/x", headers={"X-Client": "web"}).close()
    for number in range(50):
        client.get("/v1/x", headers={"X-Client": f"c{number}"}).close()
    metrics.close()
    lines = arrived(receiver)
    deprecated = sorted(line for line in lines if line.startswith("deprecated."))
    assert deprecated == ["deprecated.1._anonymous:1|c", "deprecated.1._other:48|c", "deprecated.1.c0:1|c", "deprecated.1.c1:1|c"]
    assert sorted(line for line in lines if line.startswith("version.")) == ["version.1.2xx:51|c", "version.2.2xx:1|c"]
