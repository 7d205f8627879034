"""HAProxy's backends, and the conditions that choose between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from interservice.gateway.hygiene import TIMEOUT

from .asked import asked, leads, unasked
from .patterns import below
from .plan import IDLE, milliseconds, one_host, ordered, pools
from .quoting import haproxy_string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge, Service

    from .asked import Asked
    from .plan import Pool

#: RFC 9110 section 9.2.2.
_REPEATABLE: Final = "GET HEAD PUT DELETE OPTIONS TRACE"


def choices(edge: Edge, service: Service) -> Iterable[str]:
    """Which backend; the first line that fits counts."""
    path = f"{{ path -m reg {pattern(below(service.prefix, leads(edge)))} }}"
    general, *own = pools(service)
    if own:
        by_version = {pool.version: pool for pool in own}
        for row in asked(edge):
            yield f"use_backend {by_version.get(row.version, general).name} if {path} {_condition(row)}"
        general = by_version.get(unasked(edge), general)
    yield f"use_backend {general.name} if {path}"


def pattern(text: str) -> str:
    """A regular expression for a whole value, as an argument."""
    return haproxy_string("a pattern", f"^{text}$")


def _condition(row: Asked) -> str:
    fetch = {"path": "path", "query": "query"}.get(row.source) or f"req.fhdr({row.name})"
    return f"{{ {fetch} -m reg {pattern(row.pattern)} }}"


def backends(edge: Edge) -> Iterable[tuple[str, Iterable[str]]]:
    """Every pool with its lines."""
    for service in ordered(edge):
        for pool in pools(service):
            yield pool.name, _backend(pool)


def _backend(pool: Pool) -> Iterable[str]:
    service = pool.service
    tries = service.retries + 1
    connect = min(service.connect_timeout, service.timeout / (2 * tries))
    yield "balance roundrobin"
    yield f"timeout connect {milliseconds(connect)}ms"
    # Each try waits as long; together they stay inside the service's timeout.
    yield f"timeout server {milliseconds(service.timeout / tries - connect)}ms"
    yield f"retries {service.retries}"
    if service.retries:
        yield "option redispatch 1"
        yield "retry-on conn-failure empty-response 502 503 504"
        # Without this a POST would be sent again, too.
        yield f"http-request disable-l7-retry unless {{ method {_REPEATABLE} }}"
    yield f"http-request set-header {TIMEOUT} {milliseconds(service.timeout)}"
    yield f"default-server pool-purge-delay {milliseconds(IDLE)}ms observe layer7 error-limit 5 on-error mark-down"
    check = ""
    if service.health is not None:
        yield "option httpchk"
        yield f"http-check send meth GET uri {service.health} ver HTTP/1.1 hdr Host health"
        yield "http-check expect status 200"
        check = " check inter 1s fastinter 500ms fall 2 rise 1"
    for position, endpoint in enumerate(pool.endpoints):
        name = one_host(pool, "HAProxy") if pool.secure else ""
        tls = f" ssl verify required ca-file @system-ca sni str({name}) verifyhost {name}" if pool.secure else ""
        yield f"server {pool.name}-{position} {endpoint.address}{check}{tls}"
