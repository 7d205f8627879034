"""Caddy's proxies: for each service and version one, the longest prefix first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.gateway.hygiene import REQUEST_ID, TIMEOUT
from interservice.inbound.gateway_headers import VERSION

from .asked import asked, leads, unasked
from .patterns import below
from .plan import IDLE, milliseconds, mode, ordered, patience, pools
from .quoting import caddy_raw, caddy_string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge, Service

    from .asked import Asked
    from .plan import Pool

#: After a try that failed, a body is gone.
_BODILESS: Final = "method GET HEAD OPTIONS TRACE"


def seconds(value: float) -> str:
    """A duration."""
    return f"{milliseconds(value)}ms"


def proxies(edge: Edge) -> Iterable[str]:
    """Every proxy with its matcher; the first that matches answers."""
    for service in ordered(edge):
        path = f"path_regexp {_pattern(below(service.prefix, leads(edge)))}"
        for position, (pool, condition) in enumerate(_choices(edge, service)):
            matcher, conditions = f"@{service.name}_{position}", [path, *([condition] if condition else [])]
            if service.retries:
                yield from _matched(f"{matcher}_again", [_BODILESS, *conditions], _proxy(edge, pool, again=True))
            yield from _matched(matcher, conditions, _proxy(edge, pool, again=False))


def _matched(matcher: str, conditions: Iterable[str], proxy: Iterable[str]) -> Iterable[str]:
    yield f"{matcher} {{"
    yield from (f"\t{condition}" for condition in conditions)
    yield "}"
    yield f"reverse_proxy {matcher} {{"
    yield from (f"\t{line}" for line in proxy)
    yield "}"


def _choices(edge: Edge, service: Service) -> Iterable[tuple[Pool, str]]:
    general, *own = pools(service)
    if own and mode(edge) == "forward":
        for pool in own:
            yield pool, f"header {VERSION} {caddy_string('Service.versions', str(pool.version))}"
    elif own:
        by_version = {pool.version: pool for pool in own}
        for row in asked(edge):
            yield by_version.get(row.version, general), _condition(row)
        general = by_version.get(unasked(edge), general)
    yield general, ""


def _condition(row: Asked) -> str:
    place = {"path": "{http.request.orig_uri.path}", "query": "{http.request.orig_uri.query}"}.get(row.source)
    return f"vars_regexp {place or f'{{http.request.header.{row.name}}}'} {_pattern(row.pattern)}"


def _pattern(pattern: str) -> str:
    """A regular expression for a whole value."""
    return caddy_raw("a pattern", f"^{pattern}$")


def _proxy(edge: Edge, pool: Pool, *, again: bool) -> Iterable[str]:
    service, wait = pool.service, patience(pool.service)
    scheme = "https" if pool.secure else "http"
    yield "to " + " ".join(f"{scheme}://{endpoint.address}" for endpoint in pool.endpoints)
    yield "lb_policy round_robin"
    if again:
        yield f"lb_try_duration {seconds(wait.window)}"
        yield f"lb_retries {service.retries}"
        yield "lb_try_interval 25ms"
    if service.health is not None:
        yield f"health_uri {service.health}"
        yield "health_interval 1s"
        yield "health_timeout 1s"
        yield "health_status 2xx"
    yield "fail_duration 5s"
    yield "max_fails 2"
    yield "unhealthy_status 502 503 504"
    yield f"header_up {TIMEOUT} {milliseconds(service.timeout)}"
    if not edge.forward_token:
        yield "header_up -Authorization"
    yield f"header_down -{REQUEST_ID}"
    yield "transport http {"
    yield f"\tdial_timeout {seconds(wait.connect)}"
    yield f"\tresponse_header_timeout {seconds(wait.answer)}"
    yield f"\tkeepalive {seconds(IDLE)}"
    yield "}"
