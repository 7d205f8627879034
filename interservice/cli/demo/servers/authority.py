"""The authorization endpoint that the gateway asks about each request (forward-auth), as a service of its own.

Its gate is the one from which the gateway's configuration is rendered, so that the two cannot differ.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from interservice import AccessLog, Deprecation, Gate, Health, JWTAuth, Rule, StatsD, Tracing, Versions
from interservice.gateway import Edge, Service, Signer, forward_auth
from interservice.tokens import Revocations, Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from interservice.events import Listener

#: Where forward-auth is mounted.
MOUNT = "/auth"
_RETIRED = Deprecation(since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 6, 30, tzinfo=UTC))


def make_edge(gate: Gate, *, listen: str, authority: str, orders: str) -> Edge:
    """What the gateway's configuration is rendered from.

    Args:
        gate: What decides.
        listen: Where the gateway listens, host:port.
        authority: The root of this service.
        orders: The root of the load balancer in front of orders.
    """
    service = Service(name="orders", prefix="/orders", endpoints=[orders], health=None, connect_timeout=0.5, timeout=5.0)
    return Edge(gate=gate, services=[service], listen=listen, forward_auth=authority + MOUNT)


def make_verifier(environ: Mapping[str, str]) -> Verifier:
    """What verifies tokens: of ISSUER, unless they are in the list at REVOCATIONS (a Redis URL)."""
    return Verifier(issuer=environ["ISSUER"], audience="orders", revocations=Revocations(environ["REVOCATIONS"]))


def make_gate(verifier: Verifier, listeners: Sequence[Listener] = ()) -> Gate:
    """What decides."""
    return Gate(
        service="gateway",
        policies=[
            Tracing(),
            Versions(["1", "2"], default="2", deprecated={"1": _RETIRED}, retired=["0"], path="strip"),
            JWTAuth(verifier, rules=[Rule("*", "/orders/**", any_scopes=["orders:read", "orders:write"])]),
        ],
        listeners=listeners,
    )


def make_app(environ: Mapping[str, str]) -> WSGIApplication:
    """The service that the environment describes: besides the verifier's, STATSD, ACCESS_LOG and GATEWAY_SECRET."""
    stream = Path(environ["ACCESS_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - open as long as the process
    verifier = make_verifier(environ)
    gate = make_gate(verifier, [AccessLog(stream=stream), StatsD(environ["STATSD"], prefix="gateway", flush_every=0.25)])
    deciding = forward_auth(gate, signer=Signer(secret=environ["GATEWAY_SECRET"].encode()), base=MOUNT)
    health = Middleware(_nothing, Gate([Health(checks={"tokens": verifier})]))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inside = environ["PATH_INFO"].startswith(MOUNT + "/")
        return deciding.wsgi(environ, start_response) if inside else health(environ, start_response)

    return application


def _nothing(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


def load() -> WSGIApplication:
    """For a server's factory syntax: `gunicorn "interservice.cli.demo.servers.authority:load()"`."""
    return make_app(os.environ)
