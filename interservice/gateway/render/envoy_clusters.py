"""Envoy's clusters: pools with health checks and ejection, and the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .envoy_types import seconds, socket_address, typed
from .plan import IDLE, Endpoint, authorization, mode, one_host, pools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.gateway.edge import Edge

    from .plan import Pool

AUTH = "edge.auth"
_OPTIONS = "upstreams.http.v3.HttpProtocolOptions"


def clusters(edge: Edge) -> list[dict[str, Any]]:
    """Every cluster, but those where keys are fetched."""
    found = [_pool(pool) for service in edge.services for pool in pools(service)]
    if mode(edge) == "forward":
        endpoint, _ = authorization(edge)
        found.append(cluster(AUTH, [endpoint], connect=edge.auth_timeout, host=endpoint.host))
    return found


def cluster(name: str, endpoints: Sequence[Endpoint], *, connect: float, host: str) -> dict[str, Any]:
    """A cluster of instances that show a certificate for `host`, where they speak TLS."""
    found: dict[str, Any] = {
        "name": name,
        "type": "STRICT_DNS" if any(endpoint.named for endpoint in endpoints) else "STATIC",
        "connect_timeout": seconds(connect),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(endpoint)}} for endpoint in endpoints]}],
        },
        # Shorter than a Python server keeps a connection, or a POST would now and then be lost on one that is being closed.
        "typed_extension_protocol_options": {
            f"envoy.extensions.{_OPTIONS}": typed(
                _OPTIONS,
                common_http_protocol_options={"idle_timeout": seconds(IDLE)},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    }
    if endpoints[0].secure:
        found["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": typed(
                "transport_sockets.tls.v3.UpstreamTlsContext",
                sni=host,
                common_tls_context={
                    "validation_context": {
                        "trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"},
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                    }
                },
            ),
        }
    return found


def _pool(pool: Pool) -> dict[str, Any]:
    service = pool.service
    host = one_host(pool, "Envoy") if pool.secure else ""
    found = cluster(pool.name, pool.endpoints, connect=service.connect_timeout, host=host)
    found |= {
        "lb_policy": "ROUND_ROBIN",
        # No instance is asked that is known to be down: without it, all of them are when all are down.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [{"max_retries": 1000, "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 5}}]
        },
        # Resets and 502, 503, 504 in a row. A 500 is as a rule the request's fault, and would come from every instance.
        "outlier_detection": {
            "consecutive_gateway_failure": 5,
            "enforcing_consecutive_gateway_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "30s",
            "max_ejection_percent": 50,
        },
    }
    if service.health is not None:
        found["health_checks"] = [
            {
                "timeout": "1s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": service.health, "host": host or "health"},
            }
        ]
    return found
