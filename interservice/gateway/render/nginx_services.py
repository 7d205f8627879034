"""NGINX' upstreams, locations and the maps that choose between a service's pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interservice.gateway.hygiene import REQUEST_ID

from .asked import asked, leads, unasked
from .nginx_auth import verified
from .patterns import below
from .plan import IDLE, authorization, milliseconds, mode, one_host, ordered, patience, pools
from .quoting import nginx_string, nginx_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge, Service

    from .asked import Asked
    from .plan import Pool


def upstreams(edge: Edge) -> Iterable[str]:
    """The pools. A server that fails twice within five seconds is left alone for as long."""
    for service in edge.services:
        for pool in pools(service):
            yield f"upstream {pool.name} {{"
            yield f"    zone {pool.name} 64k;"
            for endpoint in pool.endpoints:
                yield f"    server {endpoint.address} max_fails=2 fail_timeout=5s;"
            yield "    keepalive 32;"
            yield f"    keepalive_timeout {milliseconds(IDLE)}ms;"
            yield "}"
    if mode(edge) == "forward" and not authorization(edge)[0].secure:
        yield "upstream edge.auth {"
        yield f"    server {authorization(edge)[0].address} max_fails=0;"
        yield "    keepalive 32;"
        yield f"    keepalive_timeout {milliseconds(IDLE)}ms;"
        yield "}"


def maps(edge: Edge) -> Iterable[str]:
    """The pool of a request, by its version, for each service that has several."""
    if mode(edge) != "forward":
        yield from _asked(edge)
    version = _version(edge)
    for position, service in enumerate(ordered(edge)):
        if service.versions:
            yield f"map {version} $pool_{position} {{"
            yield f"    default {service.name};"
            for pool in pools(service)[1:]:
                yield f"    {nginx_string('Service.versions', str(pool.version))} {pool.name};"
            yield "}"


def _version(edge: Edge) -> str:
    """The variable in which the version of a request is."""
    if mode(edge) == "forward":
        return "$auth_version"
    return "$asked_0" if asked(edge) else '""'


def _asked(edge: Edge) -> Iterable[str]:
    """Maps, each of which falls back on the next."""
    rows = asked(edge)
    variables: dict[str, list[Asked]] = {}
    for row in rows:
        variables.setdefault(_variable(row), []).append(row)
    names = [f"$asked_{position}" for position in range(len(variables))]
    fallbacks = [] if not names else [*names[1:], nginx_string("Versions.default", unasked(edge) or "")]
    for name, fallback, (variable, group) in zip(names, fallbacks, variables.items(), strict=True):
        yield f"map {variable} {name} {{"
        yield f"    default {fallback};"
        for row in group:
            pattern = f"~^{row.pattern}" + (r"(?:\?.*)?$" if row.source == "path" else "$")
            yield f"    {nginx_text(pattern)} {nginx_string('Service.versions', row.version)};"
        yield "}"


def _variable(row: Asked) -> str:
    if row.source == "header":
        return f"$http_{row.name.replace('-', '_')}"
    return "$request_uri" if row.source == "path" else "$args"


def locations(edge: Edge) -> Iterable[str]:
    """Where requests go, and where they end when no service answers: after the gate was asked, too."""
    for position, service in enumerate(ordered(edge)):
        yield f"location ~ {nginx_text(f'^{below(service.prefix, leads(edge))}$')} {{"
        yield from (f"    {line}" for line in _location(service, position, _version(edge)))
        yield "}"
    # A `return` here would come before the gate is asked.
    yield "location / {"
    yield "    root /nonexistent;"
    yield "    try_files /-/nothing @own_404;"
    yield "}"


def _location(service: Service, position: int, version: str) -> Iterable[str]:
    wait = patience(service)
    yield f"set $timeout_ms {milliseconds(service.timeout)};"
    yield f"proxy_connect_timeout {milliseconds(wait.connect)}ms;"
    yield f"proxy_send_timeout {milliseconds(wait.answer)}ms;"
    yield f"proxy_read_timeout {milliseconds(wait.answer)}ms;"
    yield from _retries(service, wait.window)
    general, *own = pools(service)
    if general.secure:
        yield from verified(_host(general, own))
    if service.cache:
        yield from _cache(version)
    target = f"$pool_{position}" if own else service.name
    yield f"proxy_pass {'https' if general.secure else 'http'}://{target};"


def _host(general: Pool, own: Iterable[Pool]) -> str:
    every = general._replace(endpoints=tuple(endpoint for pool in (general, *own) for endpoint in pool.endpoints))
    return one_host(every, "NGINX")


def _retries(service: Service, window: float) -> Iterable[str]:
    """Another instance for what failed early; never (by default) for a POST, LOCK or PATCH that was sent."""
    if not service.retries:
        yield "proxy_next_upstream off;"
        return
    yield "proxy_next_upstream error timeout http_502 http_503 http_504;"
    yield f"proxy_next_upstream_tries {service.retries + 1};"
    yield f"proxy_next_upstream_timeout {milliseconds(window)}ms;"


def _cache(version: str) -> Iterable[str]:
    """Answers that say so are kept, for requests without any sign of who asks; versions and formats apart."""
    yield "proxy_cache edge;"
    named = version.strip('"')
    yield f'proxy_cache_key "$request_method $scheme://$http_host$request_uri {named} $http_accept";'
    yield "proxy_cache_convert_head off;"
    yield "proxy_cache_lock on;"
    yield "proxy_cache_bypass $http_authorization $http_cookie $auth_subject;"
    yield "proxy_no_cache $http_authorization $http_cookie $auth_subject;"
    # Fields of its own: the server's are not inherited then.
    yield f"add_header {REQUEST_ID} $request_id always;"
    yield "add_header X-Cache $upstream_cache_status always;"
