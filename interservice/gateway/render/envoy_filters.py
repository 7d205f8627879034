"""Envoy's HTTP filters: who decides, then the length of the body, then the router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .envoy_body import body_filter
from .envoy_clusters import AUTH
from .envoy_jwt import jwt_authn
from .envoy_rbac import rbac
from .envoy_types import extension, seconds
from .plan import authorization, mode

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge

#: What the question to the gate must not repeat: it has no body, and a connection of its own.
_NOT_ASKED = ("content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive")


def filters(edge: Edge) -> list[dict[str, Any]]:
    """The chain."""
    return [*_deciding(edge), *body_filter(edge), extension("envoy.filters.http.router", "filters.http.router.v3.Router")]


def _deciding(edge: Edge) -> list[dict[str, Any]]:
    who = mode(edge)
    if who == "forward":
        return [_ext_authz(edge)]
    if who == "native":
        return [jwt_authn(edge), *rbac(edge)]
    return []


def _ext_authz(edge: Edge) -> dict[str, Any]:
    """The gate is asked; what it answers to the services replaces what was there, and its refusals pass as they are."""
    endpoint, path = authorization(edge)
    origin = f"{'https' if endpoint.secure else 'http'}://{endpoint.address}"
    return extension(
        "envoy.filters.http.ext_authz",
        "filters.http.ext_authz.v3.ExtAuthz",
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        # The version that the gate found chooses the route.
        clear_route_cache=True,
        allowed_headers={"patterns": [{"safe_regex": {"regex": ".*"}}]},
        disallowed_headers={"patterns": [{"exact": name, "ignore_case": True} for name in _NOT_ASKED]},
        http_service={
            "server_uri": {"uri": origin, "cluster": AUTH, "timeout": seconds(edge.auth_timeout)},
            "path_prefix": f"{path}/envoy",
            "authorization_response": {"allowed_upstream_headers": {"patterns": [{"prefix": "x-auth-", "ignore_case": True}]}},
        },
    )
