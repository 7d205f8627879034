"""The demo's API gateway, as a WSGI server loads it: the same gate as in a service, and adapters behind it.

`GET /-/circuits`, for loopback alone, tells the state of the endpoints: the demo draws it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from interservice import AccessLog, Admission, Deadlines, Deprecation, Gate, JWTAuth, Rule, StatsD, Tracing, Versions
from interservice.gateway import Proxy
from interservice.hosts import is_loopback
from interservice.outbound import CircuitBreaker, Retry, ServiceAdapter, Timeouts
from interservice.tokens import Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SNAPSHOT = "/-/circuits"
NEUTRAL = (SNAPSHOT, "/healthz")


def make_app(environ: Mapping[str, str]) -> WSGIApplication:
    """The gateway that the environment describes: ISSUER, ORDERS_ENDPOINTS, STATSD, ACCESS_LOG, MAX_CONCURRENT."""
    stream = Path(environ["ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open as long as the process
    listeners = [AccessLog(stream=stream), StatsD(environ["STATSD"], prefix="gateway", flush_every=0.25)]
    orders = ServiceAdapter(
        "orders",
        endpoints=environ["ORDERS_ENDPOINTS"].split(),
        timeouts=Timeouts(connect=0.5, read=1.0, total=3.0),
        retry=Retry(attempts=3),
        # An endpoint half of whose answers take over 0.2 s is as good as down: the other one can have its traffic.
        breaker=CircuitBreaker(failure_rate=0.5, slow_rate=0.5, slow_after=0.2, window=5.0, min_calls=10, open_for=1.0, probes=2),
        listeners=listeners,
    )
    retired = Deprecation(since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 6, 30, tzinfo=UTC))
    gate = Gate(
        service="gateway",
        policies=[
            Tracing(),
            Deadlines(default=3.0, maximum=10.0),
            Admission(max_concurrent=int(environ["MAX_CONCURRENT"])),
            Versions(["1", "2"], default="2", deprecated={"1": retired}, retired=["0"], path="strip", neutral=NEUTRAL),
            JWTAuth(
                Verifier(issuer=environ["ISSUER"], audience="orders"),
                rules=[
                    *(Rule("GET", path, public=True) for path in NEUTRAL),
                    Rule("*", "/orders/**", any_scopes=["orders:read", "orders:write"]),
                ],
            ),
        ],
        listeners=listeners,
    )
    return Middleware(_with_snapshot(Proxy({"/orders": orders}), orders), gate)


def _with_snapshot(app: WSGIApplication, adapter: ServiceAdapter) -> WSGIApplication:
    """The application, and the adapter's state beside it for whoever asks from this machine."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in NEUTRAL or not is_loopback(environ.get("REMOTE_ADDR", "")):
            return app(environ, start_response)
        body = json.dumps(adapter.snapshot()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application


def load() -> WSGIApplication:
    """For a server's factory syntax: `gunicorn "interservice.cli.demo.gateway:load()"`."""
    return make_app(os.environ)
