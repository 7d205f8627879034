"""Events as samples, and samples as series.

`sample` runs in the request: it picks a few values out of an event, so that nothing of the exchange is kept. Everything else
runs later, in the background, where a key, met again, costs one look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from interservice.events import (
    Attempted,
    Called,
    CircuitChanged,
    DeprecatedCall,
    EndpointEjected,
    Introspected,
    KeysFetched,
    KeysNoticed,
    RetryBudgetExhausted,
    RevocationsChanged,
    Served,
    Shed,
    TokenFetched,
    TokenRefused,
    TokenReplayed,
    TokenVerified,
)

from .names import UNMATCHED

if TYPE_CHECKING:
    from collections.abc import Callable

    from .aggregate import Aggregate
    from .dialects import Dialect, Series

#: What a sample is of: a kind, and the values that name its series.
Key: TypeAlias = "tuple[Any, ...]"
Sample: TypeAlias = "tuple[Key, float]"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_DISCONNECTED = 499
_NOT_STARTED = 500
#: Keys whose series are remembered; then all are forgotten. Words and their limits are not.
_REMEMBERED = 8192
#: What a refusal's code says of authentication; invalid tokens are counted by their reason.
_AUTH = {
    "unauthenticated": "missing", "no_gateway_identity": "missing", "invalid_request": "malformed",
    "insufficient_scope": "forbidden", "forbidden": "forbidden",
    "insufficient_user_authentication": "forbidden", "keys_unavailable": "unavailable",
    "introspection_unavailable": "unavailable", "revocations_unavailable": "unavailable",
}  # fmt: skip


def served(event: Served) -> Sample:
    """A sample of an exchange. A started status that the client did not wait for is 499, as in NGINX."""
    exchange, status, _, seconds, _, outcome, _ = event
    version = exchange.version
    client = None
    if version is not None and version.deprecated:
        principal = exchange.principal
        client = "_anonymous" if principal is None else principal.client_id or principal.subject or "_anonymous"
    refusal = exchange.refusal
    if outcome == "client_disconnect":
        status = _DISCONNECTED
    return (
        Served, exchange.service, exchange.request.method, exchange.route, _NOT_STARTED if status is None else status, outcome,
        None if version is None else str(version), client, None if refusal is None else refusal.code,
        exchange.principal is not None,
    ), seconds  # fmt: skip


_OTHERS: dict[type, Callable[[Any], Sample]] = {
    Called: lambda e: ((Called, e.service, e.method, str(e.status or e.outcome), e.attempts - 1), e.seconds),
    Attempted: lambda e: ((Attempted, e.service, e.endpoint, e.outcome), e.seconds),
    CircuitChanged: lambda e: ((CircuitChanged, e.service, e.endpoint, e.after), 1.0),
    Shed: lambda e: ((Shed, e.service), 1.0),
    EndpointEjected: lambda e: ((EndpointEjected, e.service, e.endpoint, e.reason), 1.0),
    DeprecatedCall: lambda e: ((DeprecatedCall, e.service), 1.0),
    RetryBudgetExhausted: lambda e: ((RetryBudgetExhausted, e.service), 1.0),
    TokenRefused: lambda e: ((TokenRefused, e.service, e.reason), 1.0),
    TokenVerified: lambda e: ((TokenVerified, e.service), e.seconds),
    TokenFetched: lambda e: ((TokenFetched, e.client, e.outcome, e.early and e.outcome == "ok"), e.seconds),
    TokenReplayed: lambda e: ((TokenReplayed, e.service), 1.0),
    KeysFetched: lambda e: ((KeysFetched, "ok" if e.error is None else "fail"), e.seconds),
    KeysNoticed: lambda e: ((KeysNoticed, e.what), 1.0),
    Introspected: lambda e: ((Introspected, e.outcome), e.seconds),
    RevocationsChanged: lambda e: ((RevocationsChanged, "available" if e.available else "unavailable"), 1.0),
}


def sample(event: object) -> Sample | None:
    """The sample of an event; None where it has none."""
    if isinstance(event, Served):
        return served(event)
    make = _OTHERS.get(type(event))
    return None if make is None else make(event)


class Plan(NamedTuple):
    """What the samples of one key add to."""

    timing: Series | None = None
    counters: tuple[tuple[Series, int], ...] = ()
    total: Series | None = None
    gauge: Series | None = None


class Measures:
    """Turns samples into additions to an aggregate."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._plans: dict[Key, Plan] = {}
        self._makers: dict[Any, Callable[..., Plan]] = {
            Served: self._served,
            Called: self._called,
            Attempted: self._attempted,
            CircuitChanged: self._counters("circuit", "called", "endpoint", "state"),
            Shed: self._counters("shed", "service"),
            EndpointEjected: self._counters("ejected", "called", "endpoint", "reason"),
            DeprecatedCall: self._counters("deprecated_call", "called"),
            RetryBudgetExhausted: self._counters("retry_budget_exhausted", "called"),
            TokenRefused: self._counters("token_refused", "service", "reason"),
            TokenVerified: lambda service: Plan(timing=dialect.series("token_verified", {"service": service})),
            TokenFetched: self._token_fetched,
            TokenReplayed: self._counters("token_replayed", "called"),
            KeysFetched: self._timed("keys_fetch", "keys_fetch_total"),
            KeysNoticed: self._counters("keys_noticed", "what"),
            Introspected: self._timed("introspect", "introspect_total"),
            RevocationsChanged: self._counters("revocations", "state"),
            "c": lambda name, tags: Plan(total=dialect.own(name, tags)),
            "ms": lambda name, tags: Plan(timing=dialect.own(name, tags)),
            "g": lambda name, tags: Plan(gauge=dialect.own(name, tags)),
        }

    def add(self, aggregate: Aggregate, key: Key, values: list[float]) -> None:
        """Add the samples of one key."""
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _REMEMBERED:
                self._plans.clear()
            plan = self._plans[key] = self._makers[key[0]](*key[1:])
        if plan.timing is not None:
            aggregate.time(plan.timing, values)
        for series, weight in plan.counters:
            aggregate.count(series, weight * len(values))
        if plan.total is not None:
            aggregate.count(plan.total, sum(values))
        if plan.gauge is not None:
            aggregate.gauge(plan.gauge, values[-1])

    def _served(self, *key: Any) -> Plan:
        service, method, route, status, outcome, version, client, code, known = key
        series = self._dialect.series
        labels = {
            "service": service, "method": method if method in _METHODS else "_OTHER", "route": route or UNMATCHED,
            "status": str(status) if 100 <= status <= 599 else "_other", "version": version,  # noqa: PLR2004
        }  # fmt: skip
        counters = [(series("request_total", labels), 1), (series("outcome", {"service": service, "outcome": outcome}), 1)]
        if version is not None:
            counters.append((series("version", {"service": service, "version": version, "class": f"{status // 100}xx"}), 1))
        if client is not None:
            counters.append((series("deprecated", {"service": service, "version": version, "client": client}), 1))
        if code is not None:
            counters.append((series("refused", {"service": service, "code": code}), 1))
        auth = _AUTH.get(code) or ("ok" if known else None)
        if auth is not None:
            counters.append((series("auth", {"service": service, "outcome": auth}), 1))
        return Plan(timing=series("request", labels), counters=tuple(counters))

    def _called(self, service: str | None, method: str, result: str, retries: int) -> Plan:
        series = self._dialect.series
        labels = {"called": service, "method": method if method in _METHODS else "_OTHER", "result": result}
        counters = [(series("call_total", labels), 1)]
        if retries > 0:
            counters.append((series("retry", {"called": service}), retries))
        return Plan(timing=series("call", labels), counters=tuple(counters))

    def _attempted(self, service: str | None, endpoint: str | None, outcome: str) -> Plan:
        return Plan(timing=self._dialect.series("attempt", {"called": service, "endpoint": endpoint, "outcome": outcome}))

    def _token_fetched(self, client: str, outcome: str, early: bool) -> Plan:  # noqa: FBT001 - a part of the key
        series = self._dialect.series
        counters = ((series("token_refresh_early", {"client": client}), 1),) if early else ()
        return Plan(timing=series("token_fetch", {"client": client, "outcome": outcome}), counters=counters)

    def _timed(self, timing: str, total: str) -> Callable[..., Plan]:
        """What makes plans for an event that is timed and counted by its outcome."""

        def plan(outcome: str) -> Plan:
            series, labels = self._dialect.series, {"outcome": outcome}
            return Plan(timing=series(timing, labels), counters=((series(total, labels), 1),))

        return plan

    def _counters(self, metric: str, *labels: str) -> Callable[..., Plan]:
        """What makes plans for an event that is counted under `labels`, in the order of its key."""

        def plan(*values: str | None) -> Plan:
            return Plan(counters=((self._dialect.series(metric, dict(zip(labels, values, strict=True))), 1),))

        return plan
