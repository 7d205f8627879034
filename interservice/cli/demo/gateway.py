"""The demo's API gateway, as a WSGI server loads it: the same gate as in a service, and adapters behind it.

`GET /-/circuits`, for loopback alone, tells the state of the endpoints: the demo draws it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from interservice import AccessLog, Admission, Deadlines, Deprecation, Gate, Health, JWTAuth, Rule, StatsD, Tracing, Versions
from interservice.gateway import Proxy
from interservice.hosts import is_loopback
from interservice.outbound import CircuitBreaker, Retry, ServiceAdapter, Timeouts
from interservice.tokens import Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from interservice.events import Listener

SNAPSHOT = "/-/circuits"


def make_app(environ: Mapping[str, str]) -> WSGIApplication:
    """The gateway that the environment describes: ISSUER, ORDERS_ENDPOINTS, STATSD, ACCESS_LOG, MAX_CONCURRENT."""
    stream = Path(environ["ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open as long as the process
    listeners: list[Listener] = [AccessLog(stream=stream), StatsD(environ["STATSD"], prefix="gateway", flush_every=0.25)]
    orders = ServiceAdapter(
        "orders",
        endpoints=environ["ORDERS_ENDPOINTS"].split(),
        timeouts=Timeouts(connect=0.5, read=1.0, total=3.0),
        retry=Retry(attempts=3),
        # An endpoint half of whose last answers took over 0.4 s is as good as down: the other one can have its traffic.
        breaker=CircuitBreaker(
            failure_rate=0.5, slow_rate=0.5, slow_after=0.4, count_window=10, min_calls=6, open_for=1.0, probes=2
        ),
        listeners=listeners,
    )
    retired = Deprecation(since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 6, 30, tzinfo=UTC))
    gate = Gate(
        service="gateway",
        policies=[
            Health(checks={"orders": orders}),
            Tracing(),
            Deadlines(default=3.0, maximum=10.0),
            Admission(max_concurrent=int(environ["MAX_CONCURRENT"])),
            Versions(["1", "2"], default="2", deprecated={"1": retired}, retired=["0"], path="strip"),
            JWTAuth(
                Verifier(issuer=environ["ISSUER"], audience="orders"),
                rules=[Rule("*", "/orders/**", any_scopes=["orders:read", "orders:write"])],
            ),
        ],
        listeners=listeners,
    )
    return _with_snapshot(Middleware(Proxy({"/orders": orders}), gate), orders)


def _with_snapshot(app: WSGIApplication, adapter: ServiceAdapter) -> WSGIApplication:
    """The application, and before its gate, so that no overload sheds it, the adapter's state for this machine."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != SNAPSHOT or not is_loopback(environ.get("REMOTE_ADDR", "")):
            return app(environ, start_response)
        body = json.dumps(adapter.snapshot()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application


def load() -> WSGIApplication:
    """For a server's factory syntax: `gunicorn "interservice.cli.demo.gateway:load()"`."""
    return make_app(os.environ)
