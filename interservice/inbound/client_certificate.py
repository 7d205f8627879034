"""Which certificate a client has shown: over TLS to this server, or to a proxy that says so and is believed.

A proxy's word counts from trusted peers alone; everybody else's headers are as if they were not there. Of a trusted peer the
header counts and its own certificate does not, or tokens bound to the proxy would be good from every client behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from interservice.errors import ConfigurationError
from interservice.options import one_of, strings, text

from . import certificates
from .peers import Peers
from .policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.exchange import Exchange
    from interservice.http import Request

#: By source: the field, and how it is read. "escaped" has the field's name from an option.
_HEADERS: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "xfcc": ("x-forwarded-client-cert", certificates.forwarded_client_cert),
    "xfcc-last": ("x-forwarded-client-cert", partial(certificates.forwarded_client_cert, several=True)),
    "client-cert": ("client-cert", certificates.client_cert),
    "escaped": ("", certificates.escaped_pem),
}


@dataclass(frozen=True, kw_only=True)
class ClientCertificate(Policy):
    """Find out which certificate the client has shown, so that tokens bound to one (RFC 8705) can be accepted.

    Sets `exchange.certificate`; goes in front of `JWTAuth`. Without it no bound token is accepted.

    Args:
        sources: "tls", for the certificate that this server saw, and at most one header, which the proxy in front must always
            set or remove itself: "xfcc" (Envoy's x-forwarded-client-cert with SANITIZE_SET: exactly one element), "xfcc-last"
            (with APPEND_FORWARD: the last one counts; only where no certificate names a URI with a comma, which would look like
            a further element), "client-cert" (RFC 9440), or "escaped" (percent-encoded PEM: NGINX's `$ssl_client_escaped_cert`).
        trusted: The networks (CIDR) of the proxies whose header is believed.
        escaped_header: The field's name for "escaped".

    Raises:
        ConfigurationError: An option makes no sense.
    """

    sources: Sequence[str] = ("tls",)
    trusted: Sequence[str] = ()
    escaped_header: str = "X-SSL-Client-Cert"
    _peers: Peers = field(init=False, repr=False, compare=False)
    _header: tuple[str, Callable[[str], str]] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        sources = strings("ClientCertificate.sources", self.sources)
        for source in sources:
            one_of("ClientCertificate.sources", source, ("tls", *_HEADERS))
        text("ClientCertificate.escaped_header", self.escaped_header)
        named = [source for source in dict.fromkeys(sources) if source != "tls"]
        if not sources or len(named) > 1:
            raise ConfigurationError(
                "ClientCertificate.sources must be 'tls' and at most one header (what a proxy does not set itself, its clients"
                f" can), not {self.sources!r}"
            )
        object.__setattr__(self, "_peers", Peers("ClientCertificate.trusted", self.trusted))
        if bool(named) != bool(self._peers):
            rule = "name the proxies whose header is believed" if named else "be empty without a header to believe"
            raise ConfigurationError(f"ClientCertificate.trusted must {rule}, not {self.trusted!r}")
        if named:
            name, read = _HEADERS[named[0]]
            object.__setattr__(self, "_header", (name or self.escaped_header.lower(), read))

    def admit(self, exchange: Exchange) -> None:
        """Set `exchange.certificate`; never refuses: a token that needs a certificate does."""
        try:
            exchange.certificate = self._found(exchange.request)
        except ValueError:
            exchange.certificate = None
            exchange.annotate(**{"auth.certificate": "unreadable"})

    def _found(self, request: Request) -> str | None:
        """The thumbprint of the certificate shown, or None.

        Raises:
            ValueError: There is one, and it cannot be read.
        """
        if self._header is not None and request.peer in self._peers:
            name, read = self._header
            values = request.headers.all(name)
            if not any(values):
                return None
            return read(",".join(values))
        if "tls" in self.sources and request.peer_certificate is not None:
            certificate = request.peer_certificate()
            return certificates.shown(certificate) if certificate else None
        return None
