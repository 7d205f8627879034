"""Envoy: the gate asked by `ext_authz`, or tokens verified by `jwt_authn` and rules kept by `rbac`; the bootstrap as a value.

    envoy -c envoy.json

The value is dumped as JSON, which Envoy takes as it takes YAML.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .envoy_answers import local_replies
from .envoy_body import BODY, READ_AHEAD
from .envoy_clusters import clusters
from .envoy_filters import filters
from .envoy_hygiene import mutations, response_headers
from .envoy_jwt import key_clusters
from .envoy_routes import routes
from .envoy_types import HTTP, socket_address, typed
from .plan import listening

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge

_LOG = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
    "upstream": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "version": "%REQ(X-AUTH-VERSION)%",
    "subject": "%REQ(X-AUTH-SUBJECT)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}


def envoy(edge: Edge, *, admin: str | None = None) -> str:
    """The whole text of a bootstrap, JSON.

    Args:
        edge: What to render.
        admin: Where Envoy's admin interface listens, "host:port"; None for none.

    Raises:
        ConfigurationError: A rule or a verifier cannot be expressed in Envoy's terms; it is named.
    """
    return json.dumps(bootstrap(edge, admin=admin), indent=2) + "\n"


def bootstrap(edge: Edge, *, admin: str | None = None) -> dict[str, Any]:
    """The bootstrap as a value, to be changed before it is dumped."""
    listener = {
        "name": "edge",
        "address": socket_address(listening(edge)),
        "per_connection_buffer_limit_bytes": READ_AHEAD,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": _manager(edge)}]}
        ],
    }
    found: dict[str, Any] = {"static_resources": {"listeners": [listener], "clusters": [*clusters(edge), *key_clusters(edge)]}}
    if admin is not None:
        host, _, port = admin.rpartition(":")
        found["admin"] = {"address": {"socket_address": {"address": host, "port_value": int(port)}}}
    return found


def _manager(edge: Edge) -> dict[str, Any]:
    log = {"path": edge.access_log, "log_format": {"json_format": _LOG}}
    chain = filters(edge)
    return typed(
        HTTP,
        stat_prefix="edge",
        # So that a request has a body only if it says so: see envoy_body.
        codec_type="HTTP1",
        use_remote_address=True,
        # A field with an underscore would be the one with hyphens to a WSGI application.
        common_http_protocol_options={"headers_with_underscores_action": "DROP_HEADER"},
        # The gate judges the path as it was sent, and refuses what has more than one meaning.
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        server_header_transformation="PASS_THROUGH",
        always_set_request_id_in_response=True,
        stream_idle_timeout="300s",
        request_headers_timeout="10s",
        upgrade_configs=[{"upgrade_type": "websocket", "filters": [each for each in chain if each["name"] != BODY]}],
        early_header_mutation_extensions=[mutations(edge)],
        access_log=[{"name": "envoy.access_loggers.file", "typed_config": typed("access_loggers.file.v3.FileAccessLog", **log)}],
        local_reply_config=local_replies(),
        http_filters=chain,
        route_config={
            "name": "edge",
            "virtual_hosts": [
                {
                    "name": "edge",
                    "domains": ["*"],
                    "routes": routes(edge),
                    **response_headers(edge),
                }
            ],
        },
    )
