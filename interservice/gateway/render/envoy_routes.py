"""Envoy's routes: by path and version, and once more for methods that must not be repeated, as a retry policy has no method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from interservice.gateway.edge import READY
from interservice.inbound.gateway_headers import VERSION

from .asked import asked, leads, unasked
from .envoy_body import body_routes
from .envoy_jwt import MALFORMED
from .envoy_types import header, regex, seconds, typed
from .patterns import AMBIGUOUS, below
from .plan import mode, ordered, pools

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge, Service

    from .asked import Asked
    from .plan import Pool

#: RFC 9110 section 9.2.2.
_REPEATABLE: Final = "GET|HEAD|PUT|DELETE|OPTIONS|TRACE"
#: What was never sent may be sent again, whatever it was.
_UNSENT: Final = "connect-failure,refused-stream"
_FAILED: Final = f"{_UNSENT},reset,retriable-status-codes"
_UNASKED: Final = {
    "envoy.filters.http.ext_authz": typed("filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True),
}


def routes(edge: Edge) -> list[dict[str, Any]]:
    """Every route, in order."""
    found: list[dict[str, Any]] = [_ready(edge)]
    if mode(edge) == "native":
        found += refusals()
    found += body_routes(edge)
    for service in ordered(edge):
        path = regex(below(service.prefix, leads(edge)))
        for pool, conditions in _choices(edge, service):
            found += _routes(path, conditions, pool)
    # Filters are asked about requests that have a route.
    return [*found, {"match": {"prefix": "/"}, "direct_response": answer(404)}]


def refusals() -> list[dict[str, Any]]:
    """What the gate refuses with 400 whatever the token is: more than one, or a path with more than one meaning."""
    matches: list[dict[str, Any]] = [{"prefix": "/", "headers": MALFORMED}, regex(AMBIGUOUS)]
    return [{"match": match, "direct_response": answer(400)} for match in matches]


def answer(status: int) -> dict[str, Any]:
    """An answer of Envoy's own. The words are put in by `envoy_answers`, as for any."""
    return {"status": status}


def _ready(edge: Edge) -> dict[str, Any]:
    route: dict[str, Any] = {
        "match": {"path": READY},
        "direct_response": {"status": 200, "body": {"inline_string": '{"status":"ok"}'}},
        "response_headers_to_add": [
            {"header": {"key": "content-type", "value": "application/json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    }
    return {**route, "typed_per_filter_config": _UNASKED} if mode(edge) == "forward" else route


def _choices(edge: Edge, service: Service) -> Iterable[tuple[Pool, list[dict[str, Any]]]]:
    """A service's pools with the conditions for them, the general one last."""
    general, *own = pools(service)
    if mode(edge) == "forward":
        for pool in own:
            yield pool, [header(VERSION, exact=str(pool.version))]
        yield general, []
        return
    by_version = {pool.version: pool for pool in own}
    if own:
        for row in asked(edge):
            yield by_version.get(row.version, general), [_condition(row)]
    yield by_version.get(unasked(edge), general), []


def _condition(row: Asked) -> dict[str, Any]:
    if row.source == "path":
        return header(":path", **regex(rf"{row.pattern}(?:\?.*)?"))
    if row.source == "query":
        return header(":path", **regex(rf"[^?]*\?{row.pattern}"))
    return header(row.name, **regex(row.pattern))


def _routes(path: dict[str, Any], conditions: list[dict[str, Any]], pool: Pool) -> Iterable[dict[str, Any]]:
    service = pool.service
    if service.retries:
        repeatable = header(":method", **regex(_REPEATABLE))
        yield _route(path, [repeatable, *conditions], pool, _FAILED)
    yield _route(path, conditions, pool, _UNSENT if service.retries else "")


def _route(path: dict[str, Any], conditions: list[dict[str, Any]], pool: Pool, retry_on: str) -> dict[str, Any]:
    action: dict[str, Any] = {"cluster": pool.name, "timeout": seconds(pool.service.timeout)}
    if retry_on:
        action["retry_policy"] = {
            "retry_on": retry_on,
            "retriable_status_codes": [502, 503, 504],
            "num_retries": pool.service.retries,
            "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.250s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": typed("retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                }
            ],
            "host_selection_retry_max_attempts": 3,
        }
    return {"match": {**path, **({"headers": conditions} if conditions else {})}, "route": action}
