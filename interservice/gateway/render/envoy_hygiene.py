"""Fields that clients may not send, taken off before any filter looks, and those that services and clients get from Envoy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.gateway.hygiene import FORWARDED, REQUEST_ID, spoofable
from interservice.inbound.gateway_headers import PREFIX

from .envoy_types import extension

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge


def mutations(edge: Edge) -> dict[str, Any]:
    """What is taken off: whatever claims to come from a gateway. Spellings with underscores are dropped by the codec."""
    names = dict.fromkeys((*spoofable(edge), *FORWARDED, REQUEST_ID.lower()))
    prefixes = [{"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}} for prefix in (PREFIX, "x-envoy-")]
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[*({"remove": name} for name in names if not name.startswith(PREFIX)), *prefixes],
    )


def response_headers(edge: Edge) -> dict[str, Any]:
    """The head of a request to a service, and what of the head of an answer stays inside."""
    peer = {
        "x-forwarded-for": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "x-forwarded-host": "%REQ(:AUTHORITY)%",
        "x-forwarded-port": "%DOWNSTREAM_LOCAL_PORT%",
    }
    return {
        "request_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"} for key, value in peer.items()
        ],
        "request_headers_to_remove": [*([] if edge.forward_token else ["authorization"])],
        "response_headers_to_remove": ["x-envoy-upstream-service-time", "x-envoy-attempt-count", "x-envoy-overloaded"],
    }
