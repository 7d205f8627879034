"""Trace and request id: taken over from a trusted caller, made here otherwise, and given back on every response."""

from __future__ import annotations

import ipaddress
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.options import check, strings, text
from interservice.trace import Trace, new_span_id, new_trace, parse_traceparent, parse_tracestate

from .policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.exchange import Exchange
    from interservice.http import Head, Request

#: Ids of clients end up in logs and headers: nothing that could forge a line, and not too long.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Tracing(Policy):
    """Continue the caller's trace (W3C Trace Context level 2) and request id, or begin new ones; answer with the id.

    Attributes:
        trust: Whose trace and id are believed: "always", "never", or the networks (CIDR) of trusted peers.
        request_id_header: Where the id is read and written. One that is not 1 to 128 of A-Z a-z 0-9 . _ - is replaced.
    """

    trust: str | Sequence[str] = "always"
    request_id_header: str = "X-Request-ID"
    _networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(
        init=False, repr=False, compare=False, default=()
    )

    def __post_init__(self) -> None:
        text("Tracing.request_id_header", self.request_id_header)
        check(
            _TOKEN.fullmatch(self.request_id_header) is not None,
            "Tracing.request_id_header",
            "a field name",
            self.request_id_header,
        )
        if isinstance(self.trust, str):
            check(self.trust in ("always", "never"), "Tracing.trust", "'always', 'never' or a list of networks", self.trust)
            return
        try:
            networks = tuple(ipaddress.ip_network(network) for network in strings("Tracing.trust", self.trust))
        except ValueError as error:
            raise ConfigurationError(f"Tracing.trust must be a list of networks, not {self.trust!r}: {error}") from None
        object.__setattr__(self, "_networks", networks)

    def admit(self, exchange: Exchange) -> None:
        """Set `exchange.trace` and `exchange.request_id`."""
        request = exchange.request
        trusted = self._trusts(request)
        exchange.trace = _continued(request) if trusted else new_trace()
        given = request.headers.get(self.request_id_header.lower()) if trusted else None
        usable = given is not None and _REQUEST_ID.fullmatch(given) is not None
        exchange.request_id = given if usable else f"{random.getrandbits(128):032x}"

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Say the request's id, on refusals and errors too."""
        if exchange.request_id is not None:
            head.set(self.request_id_header, exchange.request_id)

    def _trusts(self, request: Request) -> bool:
        if self.trust == "always":
            return True
        if not self._networks or request.peer is None:
            return False
        try:
            peer = ipaddress.ip_address(request.peer.partition("%")[0])
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._networks)


def _continued(request: Request) -> Trace:
    """Our span below the caller's; a repeated or malformed traceparent restarts the trace (level 2, section 3.2)."""
    given = request.headers.get("traceparent")
    parsed = parse_traceparent(given) if given else None
    if parsed is None:
        return new_trace()
    trace_id, parent_id, flags = parsed
    return Trace(trace_id, new_span_id(), parent_id, flags, parse_tracestate(request.headers.get("tracestate") or ""))
