"""Kong: services, upstreams and routes for its declarative configuration, and the `jwt` plugin.

Was not run: Kong could not be had where this package is tested. The output follows the shape that decK takes, no more.

Its `correlation-id` keeps a client's X-Request-ID, and whose X-Forwarded-* count is said in kong.conf (`trusted_ips`). The `jwt`
plugin proves a signature, `exp` and `nbf`; it looks at neither audience nor scopes. Gates that do are refused here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interservice.errors import ConfigurationError
from interservice.gateway.hygiene import ENVOY, FORWARDED, spoofable

from .asked import asked, leads, unasked
from .kong_jwt import consumers, jwt_plugin
from .patterns import below
from .plan import milliseconds, mode, ordered, pools

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.gateway.edge import Edge, Service

    from .asked import Asked
    from .plan import Pool


def kong(edge: Edge) -> str:
    """The whole text of a declarative configuration, as JSON, which Kong and decK take as they take YAML.

    Raises:
        ConfigurationError: The gate is to be asked, or it decides what Kong's plugins cannot.
    """
    if mode(edge) == "forward":
        raise ConfigurationError("Edge.forward_auth must be None for Kong, which has no plugin that asks over HTTP")
    found: dict[str, Any] = {"_format_version": "3.0", "services": [], "upstreams": [], "plugins": _plugins(edge)}
    for service in ordered(edge):
        for pool, rows in _choices(edge, service):
            found["services"].append(_service(edge, pool, rows))
        found["upstreams"] += [_upstream(pool) for pool in pools(service)]
    if mode(edge) == "native":
        found["plugins"].append(jwt_plugin(edge))
        found["consumers"] = consumers(edge)
    return json.dumps(found, indent=2) + "\n"


def _choices(edge: Edge, service: Service) -> Iterable[tuple[Pool, list[Asked | None]]]:
    """Each pool with the rows that lead to it; None for requests that no row fits."""
    general, *own = pools(service)
    chosen: dict[str, list[Asked | None]] = {pool.name: [] for pool in (*own, general)}
    by_version = {pool.version: pool for pool in own}
    for row in asked(edge) if own else ():
        chosen[by_version.get(row.version, general).name].append(row)
    chosen[by_version.get(unasked(edge), general).name].append(None)
    return [(pool, chosen[pool.name]) for pool in (*own, general) if chosen[pool.name]]


def _service(edge: Edge, pool: Pool, rows: list[Asked | None]) -> dict[str, Any]:
    service = pool.service
    routes = [_route(edge, pool, position, row) for position, row in enumerate(rows)]
    return {
        "name": pool.name,
        "protocol": "https" if pool.secure else "http",
        "host": f"edge.{pool.name}",
        "port": 443 if pool.secure else 80,
        "path": "/",
        # Kong repeats what could not be sent, and nothing else; it does not look at the method, and need not.
        "retries": service.retries,
        "connect_timeout": milliseconds(service.connect_timeout),
        "read_timeout": milliseconds(service.timeout),
        "write_timeout": milliseconds(service.timeout),
        **({"tls_verify": True} if pool.secure else {}),
        "routes": routes,
    }


def _route(edge: Edge, pool: Pool, position: int, row: Asked | None) -> dict[str, Any]:
    """A route; those with a condition go before those without, and longer prefixes before shorter ones."""
    path = below(pool.service.prefix, leads(edge))
    found: dict[str, Any] = {
        "name": f"{pool.name}-{position}",
        "protocols": ["http", "https"],
        "strip_path": False,
        "preserve_host": True,
        "regex_priority": 2 * len(pool.service.prefix) + (row is not None),
    }
    if row is None:
        return {**found, "paths": [f"~{path}$"]}
    if row.source == "header":
        return {**found, "paths": [f"~{path}$"], "headers": {row.name: [f"~*^{row.pattern}$"]}}
    if row.source == "path":
        return {**found, "paths": [f"~(?={row.pattern}$){path}$"]}
    raise ConfigurationError("Kong cannot carry out QueryVersion: its routes do not look at the query")


def _upstream(pool: Pool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": f"edge.{pool.name}",
        "algorithm": "round-robin",
        "targets": [{"target": endpoint.address, "weight": 100} for endpoint in pool.endpoints],
    }
    passive = {
        "type": "http",
        "healthy": {"successes": 1},
        "unhealthy": {"http_statuses": [502, 503, 504], "http_failures": 5, "tcp_failures": 2, "timeouts": 2},
    }
    found["healthchecks"] = {"passive": passive}
    if pool.service.health is not None:
        found["healthchecks"]["active"] = {
            "type": "https" if pool.secure else "http",
            "http_path": pool.service.health,
            "timeout": 1,
            "healthy": {"interval": 1, "successes": 1, "http_statuses": [200]},
            "unhealthy": {"interval": 1, "http_failures": 2, "tcp_failures": 2, "timeouts": 2, "http_statuses": [429, 500, 503]},
        }
    return found


def _plugins(edge: Edge) -> list[dict[str, Any]]:
    taken = [name for name in dict.fromkeys((*spoofable(edge), *ENVOY)) if name not in FORWARDED]
    underscored = [name.replace("-", "_") for name in taken if "-" in name]
    removed = [*taken, *underscored, *([] if edge.forward_token else ["authorization"])]
    return [
        {"name": "request-transformer", "config": {"remove": {"headers": removed}}},
        {"name": "correlation-id", "config": {"header_name": "X-Request-ID", "generator": "uuid", "echo_downstream": True}},
        {"name": "request-size-limiting", "config": {"allowed_payload_size": max(1, edge.max_body), "size_unit": "bytes"}},
    ]
