"""The gate in front of orders: who may come in, which version they speak, and what is written down of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from interservice import AccessLog, Admission, Deadlines, Deprecation, Gate, Health, JWTAuth, Rule, StatsD, Tracing, Versions

if TYPE_CHECKING:
    from interservice.events import Listener
    from interservice.tokens import Verifier

    from .settings import Settings

RULES = (
    Rule("GET", "/orders", scopes=["orders:read"]),
    Rule("POST", "/orders", scopes=["orders:write"]),
    Rule("GET", "/orders/{id}", scopes=["orders:read"]),
    Rule("GET", "/orders/{id}/invoice", scopes=["orders:read"]),
)
VERSION_1 = Deprecation(since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 6, 30, tzinfo=UTC))


def make_gate(settings: Settings, verifier: Verifier, listeners: list[Listener]) -> Gate:
    """The gate: health for whoever balances the load, then the cheapest refusals first."""
    return Gate(
        service="orders",
        policies=[
            # Ready once there are keys to verify tokens with; requests before that would have to wait for them.
            Health(checks={"keys": verifier}, drain_file=settings.drain_file),
            Tracing(),
            Deadlines(maximum=30.0),
            Admission(max_concurrent=settings.max_concurrent),
            Versions(["1", "2"], default="2", deprecated={"1": VERSION_1}, path="strip"),
            JWTAuth(verifier, rules=RULES),
        ],
        listeners=listeners,
    )


def make_listeners(settings: Settings) -> list[Listener]:
    """Where events go: the log always, StatsD where there is one. The gate and the adapter share them."""
    stream = settings.access_log.open("a", buffering=1, encoding="utf-8") if settings.access_log else None
    listeners: list[Listener] = [AccessLog(stream=stream)]
    if settings.statsd:
        listeners.append(StatsD(settings.statsd, prefix="orders"))
    return listeners
