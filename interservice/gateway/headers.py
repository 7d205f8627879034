"""Which headers pass a gateway, in either direction (RFC 9110 section 7.6.1), and what it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interservice.http import Request

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: What the gateway says itself, and no client may say for it; the trace, the id and the time left come from the exchange,
#: through the adapter.
_OURS = frozenset(
    {
        "host", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip",
        "content-length",
        "traceparent", "tracestate", "x-request-id", "x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms", "grpc-timeout",
        "expect",
    }
)  # fmt: skip


def forwarded(request: Request) -> dict[str, str]:
    """The request's end-to-end headers, with X-Forwarded-* saying what this gateway saw itself."""
    pairs = list(request.headers.items())
    kept = _end_to_end(pairs)
    headers = {name: value for name, value in kept if name not in _OURS}
    if request.peer:
        headers["x-forwarded-for"] = request.peer
    headers["x-forwarded-proto"] = request.scheme
    host = request.headers.get("host")
    if host:
        headers["x-forwarded-host"] = host
    return headers


def returned(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The response's end-to-end headers, repeated fields apart."""
    items = headers.iteritems() if hasattr(headers, "iteritems") else headers.items()
    return _end_to_end(list(items))


def _end_to_end(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the hop-by-hop fields, and without those that Connection names."""
    pairs = list(pairs)
    named = {name.strip().lower() for key, value in pairs if key.lower() == "connection" for name in value.split(",")}
    return [(key, value) for key, value in pairs if key.lower() not in _HOP_BY_HOP and key.lower() not in named]
