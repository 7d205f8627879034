"""What a protected resource tells of itself: its metadata document (RFC 9728), served in the application's place.

The document is made once. A request for anything else costs one comparison.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from interservice.errors import Rejection
from interservice.hosts import check_url
from interservice.http import Reply
from interservice.options import check, number, strings, text

from .policy import Answer, Policy

if TYPE_CHECKING:
    from interservice.exchange import Exchange

_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
#: Members that have options; `extra` must not say them again.
_MEMBERS: Final = frozenset(
    {
        "resource",
        "authorization_servers",
        "scopes_supported",
        "bearer_methods_supported",
        "tls_client_certificate_bound_access_tokens",
    }
)


@dataclass(frozen=True, kw_only=True)
class ProtectedResource(Policy):
    """Tell clients which authorization servers and scopes this service takes (RFC 9728).

    Stands before `JWTAuth`, since the document is for those who have no token yet, and `JWTAuth(resource_metadata=...)` tells
    them where it is:

        resource = ProtectedResource(resource="https://orders.example", authorization_servers=["https://auth.example"])
        Gate([resource, JWTAuth(verifier, resource_metadata=resource.url)])

    Args:
        resource: The resource's identifier: its https URL, without a fragment; tokens name it in `aud`.
        authorization_servers: The issuers whose tokens are taken.
        scopes_supported: Scopes that clients may ask for; not necessarily all there are.
        certificate_bound: Whether tokens are bound to client certificates (RFC 8705).
        extra: Further members, such as `resource_name` or `resource_documentation`.
        path: Where the document is. By default at /.well-known/oauth-protected-resource with the resource's path behind it
            (section 3.1).
        max_age: Seconds for which clients may keep it.
        allow_http: Whether plain http beyond this machine is accepted in `resource`.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    resource: str
    authorization_servers: Sequence[str] = ()
    scopes_supported: Sequence[str] = ()
    certificate_bound: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None
    max_age: float = 3600.0
    allow_http: bool = False
    _reply: tuple[tuple[tuple[str, str], ...], bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_url("ProtectedResource.resource", self.resource, allow_http=self.allow_http)
        for name in ("authorization_servers", "scopes_supported"):
            object.__setattr__(self, name, strings(f"ProtectedResource.{name}", getattr(self, name)))
        for issuer in self.authorization_servers:
            check_url("ProtectedResource.authorization_servers", issuer, allow_http=self.allow_http)
        number("ProtectedResource.max_age", self.max_age, at_least=0)
        names = list(self.extra) if isinstance(self.extra, Mapping) else None
        check(names is not None, "ProtectedResource.extra", "a mapping", self.extra)
        taken = sorted(_MEMBERS.intersection(names or ()))
        check(not taken, "ProtectedResource.extra", "without the members that have options", taken)
        text("ProtectedResource.path", self.path, optional=True)
        if self.path is None:
            object.__setattr__(self, "path", _WELL_KNOWN + urlsplit(self.resource).path.rstrip("/"))
        check(str(self.path).startswith("/"), "ProtectedResource.path", "a path from '/'", self.path)
        body = json.dumps(self.document).encode()
        headers = (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", f"max-age={int(self.max_age)}"),
            # Public, and read by clients in browsers too.
            ("Access-Control-Allow-Origin", "*"),
        )
        object.__setattr__(self, "_reply", (headers, body))

    @property
    def url(self) -> str:
        """The document's URL, for `JWTAuth(resource_metadata=...)`."""
        parts = urlsplit(self.resource)
        return urlunsplit((parts.scheme, parts.netloc, str(self.path), parts.query, ""))

    @property
    def document(self) -> dict[str, Any]:
        """The metadata (RFC 9728 section 2): what is empty is left out."""
        members = {
            "resource": self.resource,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(self.scopes_supported),
            "bearer_methods_supported": ["header"],
            "tls_client_certificate_bound_access_tokens": self.certificate_bound,
            **self.extra,
        }
        return {name: value for name, value in members.items() if value}

    def admit(self, exchange: Exchange) -> None:
        """Answer requests for the document, and let every other pass.

        Raises:
            Answer: The document.
            Rejection: 405 for a method other than GET and HEAD.
        """
        request = exchange.request
        if request.path != self.path and (not request.mount or request.mount + request.path != self.path):
            return
        if request.method not in {"GET", "HEAD"}:
            raise Rejection(
                "This document can only be read.", status=405, code="method_not_allowed", headers=[("Allow", "GET, HEAD")]
            )
        headers, body = self._reply
        raise Answer(Reply(200, list(headers), body))
