"""Trace and request id: taken over from a trusted caller, made here otherwise, and given back on every response.

A caller with a valid `traceparent` costs one look-up; the other formats are looked for only without one.
"""

from __future__ import annotations

import ipaddress
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.http import TOKEN
from interservice.options import check, one_of, strings, text
from interservice.trace import Trace, new_trace
from interservice.trace_formats import READERS

from .policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.exchange import Exchange
    from interservice.http import Head, HeaderLookup

#: Ids of clients end up in logs and headers: nothing that could forge a line, and not too long.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}", re.ASCII)


_TRUST = ("always", "never", "authenticated")
_RESPONSES = ("traceresponse", "server-timing")


def _nothing(_: HeaderLookup) -> Trace | None:
    """Reads no format."""
    return None


@dataclass(frozen=True, kw_only=True)
class Tracing(Policy):
    """Continue the caller's trace (W3C Trace Context level 2) and request id, or begin new ones; answer with the id.

    Attributes:
        trust: Whose trace and id are believed: "always", "never", the networks (CIDR) of trusted peers, or "authenticated":
            of requests whose sender a policy before this one has verified. The last goes behind `JWTAuth`; a
            `Tracing(trust="never")` in front of it gives refusals their ids.
        request_id_header: Where the id is read and written. One that is not 1 to 128 of A-Z a-z 0-9 . _ - is replaced.
        formats: What a trace is read from, the first that is there and valid: "w3c" (traceparent), "b3" (one header or
            several), "xray" (X-Amzn-Trace-Id), "gcp" (X-Cloud-Trace-Context).
        respond_with: Headers that tell the caller our span: "traceresponse" (a draft of Trace Context) and "server-timing", which
            browsers show (`trace;desc=00-...`).
    """

    trust: str | Sequence[str] = "always"
    request_id_header: str = "X-Request-ID"
    formats: Sequence[str] = ("w3c", "b3", "xray", "gcp")
    respond_with: Sequence[str] = ()
    _lower: str = field(init=False, repr=False, compare=False, default="")
    _networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = field(
        init=False, repr=False, compare=False, default=()
    )
    _first: Callable[[HeaderLookup], Trace | None] = field(init=False, repr=False, compare=False, default=_nothing)
    _others: tuple[Callable[[HeaderLookup], Trace | None], ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        text("Tracing.request_id_header", self.request_id_header)
        check(
            TOKEN.fullmatch(self.request_id_header) is not None,
            "Tracing.request_id_header",
            "a field name",
            self.request_id_header,
        )
        for name in strings("Tracing.formats", self.formats):
            one_of("Tracing.formats", name, tuple(READERS))
        for name in strings("Tracing.respond_with", self.respond_with):
            one_of("Tracing.respond_with", name, _RESPONSES)
        first, *others = [READERS[name] for name in self.formats] or [_nothing]
        object.__setattr__(self, "_lower", self.request_id_header.lower())
        object.__setattr__(self, "_first", first)
        object.__setattr__(self, "_others", tuple(others))
        if isinstance(self.trust, str):
            check(self.trust in _TRUST, "Tracing.trust", "'always', 'never', 'authenticated' or a list of networks", self.trust)
            return
        try:
            networks = tuple(ipaddress.ip_network(network) for network in strings("Tracing.trust", self.trust))
        except ValueError as error:
            raise ConfigurationError(f"Tracing.trust must be a list of networks, not {self.trust!r}: {error}") from None
        object.__setattr__(self, "_networks", networks)

    def admit(self, exchange: Exchange) -> None:
        """Set `exchange.trace`, to be read when it is wanted, and `exchange.request_id`."""
        trusted = self.trust == "always" or self._trusts(exchange)
        if not trusted and exchange.is_traced:
            return  # a Tracing before this one has given it ids of our own
        exchange.trace_later(self._continued if trusted else _begun)
        given = exchange.request.headers.get(self._lower) if trusted else None
        usable = given is not None and _REQUEST_ID.fullmatch(given) is not None
        exchange.request_id = given if usable else random.getrandbits(128).to_bytes(16).hex()

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Say the request's id, on refusals and errors too."""
        if exchange.request_id is not None:
            head.set(self.request_id_header, exchange.request_id)
        if self.respond_with and (trace := exchange.trace) is not None:
            ours = trace.traceparent
            if "traceresponse" in self.respond_with:
                head.set("traceresponse", ours)
            if "server-timing" in self.respond_with:
                head.add("Server-Timing", f"trace;desc={ours}")

    def _trusts(self, exchange: Exchange) -> bool:
        if self.trust == "authenticated":
            return exchange.principal is not None
        peer = exchange.request.peer
        if not self._networks or peer is None:
            return False
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def _continued(self, exchange: Exchange) -> Trace:
        """Our span in the caller's trace, or in a new one."""
        headers = exchange.request.headers
        trace = self._first(headers)
        if trace is not None:
            return trace
        for read in self._others:
            trace = read(headers)
            if trace is not None:
                return trace
        return new_trace()


def _begun(_: Exchange) -> Trace:
    """A trace that starts here."""
    return new_trace()
