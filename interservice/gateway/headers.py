"""Which header fields pass a gateway, in either direction (RFC 9110 section 7.6), and what it says itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from interservice.errors import Rejection
from interservice.http import TOKEN
from interservice.inbound.gateway_headers import PREFIX

from .hygiene import ENVOY, FORWARDED, SPOOFABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

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
#: What the gateway says itself, or nobody does, and no client may say for it; the trace, the id and the time left come from the
#: exchange, through the adapter.
_OURS = frozenset(
    {
        *FORWARDED, *SPOOFABLE, *ENVOY, "host", "content-length", "traceparent", "tracestate", "x-request-id",
        "x-request-timeout-ms", "grpc-timeout", "expect",
    }
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FINAL = 200
_BODYLESS = frozenset({204, 304})
#: What a response without a body says of one: servers wait for it, or complain.
_OF_A_BODY = frozenset({"content-length", "content-type"})


def forwarded(request: Request, via: str, *, drop: Collection[str] = (), host: bool = False) -> dict[str, str]:
    """The request's end-to-end fields, in lower case, with X-Forwarded-* and Via saying what this gateway saw itself.

    Args:
        request: As the client sent it. WSGI has made one of "X-Auth-Subject" and "X_Auth_Subject": neither passes.
        via: The gateway's name (RFC 9110 section 7.6.3).
        drop: Further fields that do not go on, in lower case.
        host: Whether Host does.
    """
    kept = _end_to_end(list(request.headers.items()))
    headers = {name: value for name, value in kept if name not in _OURS and not name.startswith(PREFIX) and name not in drop}
    if request.peer:
        headers["x-forwarded-for"] = request.peer
    headers["x-forwarded-proto"] = request.scheme
    named = request.headers.get("host")
    if named:
        headers["x-forwarded-host"] = named
        if host:
            headers["host"] = named
    before = headers.get("via")
    headers["via"] = f"{before}, {request.protocol} {via}" if before else f"{request.protocol} {via}"
    return headers


def returned(headers: Mapping[str, str], status: int) -> list[tuple[str, str]]:
    """The response's end-to-end fields, repeated fields apart and as they were written.

    Raises:
        Rejection: 502: a field is none, or the body's frames cannot be told (RFC 9112 section 6.3).
    """
    items = headers.iteritems() if hasattr(headers, "iteritems") else headers.items()
    pairs = list(items)
    if status < _FINAL:  # 101, which nobody asked for
        raise _invalid()
    dropped = _OF_A_BODY if status in _BODYLESS else frozenset()
    for name, value in pairs:
        lower = name.lower()
        if lower == "transfer-encoding":
            if value.lower() != "chunked":
                raise _invalid()
            dropped |= {"content-length"}  # section 6.3: the transfer coding overrides it
        if _CONTROL.search(value) or not TOKEN.fullmatch(name):
            raise _invalid()
    return [(name, value) for name, value in _end_to_end(pairs) if name.lower() not in dropped]


def _invalid() -> Rejection:
    return Rejection("The answer of the service is not valid.", status=502, code="upstream_invalid")


def _end_to_end(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the hop-by-hop fields, and without those that Connection names."""
    pairs = list(pairs)
    named = {name.strip().lower() for key, value in pairs if key.lower() == "connection" for name in value.split(",")}
    return [(key, value) for key, value in pairs if key.lower() not in _HOP_BY_HOP and key.lower() not in named]
