"""What no client may say to a service for the gateway, and what the gateway says itself.

Names in lower case; every one also counts in the spelling with underscores, which some servers read as the same field.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from interservice.inbound.client_certificate import ClientCertificate
from interservice.inbound.gateway_headers import ALL

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge

#: Set by every gateway: who connected, how, and under which name.
FORWARDED: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
#: Said by nobody: identity, unless `forward_auth` gives it; certificates, for nobody was asked for one; other proxies' fields.
SPOOFABLE: Final = (
    *ALL, "forwarded", "x-real-ip", "x-forwarded-method", "x-forwarded-uri", "x-forwarded-prefix", "x-forwarded-scheme",
    "x-forwarded-server", "x-original-uri", "x-original-url", "x-original-method", "x-rewrite-url", "proxy",
    "proxy-authorization", "proxy-connection",
    "x-forwarded-client-cert", "client-cert", "client-cert-chain", "x-ssl-client-cert",
)  # fmt: skip
#: What Envoys believe of each other; a client that is believed could have a POST repeated.
ENVOY: Final = (
    "x-envoy-expected-rq-timeout-ms", "x-envoy-external-address", "x-envoy-internal", "x-envoy-original-path",
    "x-envoy-attempt-count", "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-force-trace",
    "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names", "x-envoy-hedge-on-per-try-timeout", "x-envoy-decorator-operation",
)  # fmt: skip
REQUEST_ID: Final = "X-Request-ID"
TIMEOUT: Final = "X-Envoy-Expected-Rq-Timeout-Ms"

#: The gateway's own refusals by status: title, detail, code. The words are those of the embedded gateway.
PROBLEMS: Final = {
    400: ("Bad Request", "The request is not well-formed.", "bad_request"),
    404: ("Not Found", "No service answers for this path.", "no_route"),
    405: ("Method Not Allowed", "The method is not allowed.", "method_not_allowed"),
    408: ("Request Timeout", "The request did not arrive in time.", "request_timeout"),
    411: ("Length Required", "The request's body must come with its length.", "length_required"),
    413: ("Content Too Large", "The request's body is too large.", "body_too_large"),
    414: ("URI Too Long", "The request's target is too long.", "uri_too_long"),
    431: ("Request Header Fields Too Large", "The request's header fields are too large.", "headers_too_large"),
    500: ("Internal Server Error", "The gateway failed.", "internal_error"),
    501: ("Not Implemented", "The method is not known.", "method_unknown"),
    502: ("Bad Gateway", "The service failed.", "upstream_failed"),
    503: ("Service Unavailable", "The service cannot be asked now.", "no_endpoint"),
    504: ("Gateway Timeout", "The service did not answer in time.", "upstream_timeout"),
}
#: The gate cannot be asked: fail closed.
UNDECIDED: Final = ("Service Unavailable", "The request could not be checked.", "authorization_unavailable")
#: What a client may take for an invitation to come back, after a second.
TEMPORARY: Final = frozenset({502, 503, 504})


def spoofable(edge: Edge) -> tuple[str, ...]:
    """Every field that is taken off what clients send, lower case, with hyphens."""
    named = [policy.escaped_header.lower() for policy in edge.gate.policies if isinstance(policy, ClientCertificate)]
    return tuple(dict.fromkeys((*SPOOFABLE, *named)))


def document(status: int, request_id: str, words: tuple[str, str, str] | None = None) -> dict[str, Any]:
    """The problem document (RFC 9457) that a gateway answers with; `request_id` is the server's own variable for the id."""
    title, detail, code = words or PROBLEMS[status]
    instance = f"urn:request:{request_id}"
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance, "code": code}


def problem(status: int, request_id: str, words: tuple[str, str, str] | None = None) -> str:
    """`document` as text."""
    return json.dumps(document(status, request_id, words))
