"""Who asks: what a verified token says of its bearer, in one frozen value.

Scopes and roles are read from every claim the common servers write them to; what has another shape grants nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .binding import certificate_of
from .frozen import freeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Claims that hold scopes: RFC 8693 section 4.2; Microsoft and Okta; Auth0.
_SCOPE_CLAIMS = ("scope", "scp", "permissions")
#: Claims that hold roles: RFC 9068 section 2.2.3.1 (roles, groups, entitlements); Cognito.
_PLAIN_ROLE_CLAIMS = ("roles", "groups", "entitlements", "cognito:groups")
#: And Keycloak's, which hold them one level down.
_ROLE_CLAIMS = frozenset({*_PLAIN_ROLE_CLAIMS, "realm_access", "resource_access"})
_NONE: frozenset[str] = frozenset()
#: Claims that name the client: RFC 9068; OpenID Connect; Microsoft v1; Okta.
_CLIENT_CLAIMS = ("client_id", "azp", "appid", "cid")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token speaks for. Names are unique per issuer: compare `(issuer, subject)` (RFC 9700 section 4.15).

    Attributes:
        subject: The token's `sub`.
        issuer: Who vouches, exactly as configured.
        client_id: The client that the token was issued to.
        scopes: From `scope`, `scp` and `permissions`.
        roles: From `roles`, `groups`, `entitlements`, `cognito:groups`, Keycloak's `realm_access` and, for our audience,
            `resource_access`.
        claims: Every claim, unchangeable.
        expires_at: Seconds since the epoch; inf for a token without `exp`.
        token_id: The token's `jti`.
        certificate: The thumbprint of the client certificate that the token is bound to (RFC 8705), or None. Whoever takes the
            token must see that it was shown, as `JWTAuth` and `Verifier.verify` do.
    """

    subject: str | None
    issuer: str
    client_id: str | None
    scopes: frozenset[str]
    roles: frozenset[str]
    claims: Mapping[str, Any]
    expires_at: float
    token_id: str | None
    certificate: str | None = None

    def __repr__(self) -> str:
        return f"<Principal {self.subject!r} of {self.issuer!r} client={self.client_id!r}>"


def principal_of(claims: Mapping[str, Any], audiences: Iterable[str] = ()) -> Principal:
    """The principal that checked claims describe; `audiences` says which of Keycloak's `resource_access` roles are ours.

    Raises:
        InvalidToken: The claims are bound (`cnf`) to what nobody here can check.
    """
    return Principal(
        claims.get("sub"),
        claims["iss"],
        _client(claims),
        _scopes(claims),
        frozenset(_roles(claims, audiences)) if not _ROLE_CLAIMS.isdisjoint(claims) else _NONE,
        freeze(claims),
        float(claims.get("exp", math.inf)),
        claims.get("jti"),
        certificate_of(claims) if "cnf" in claims else None,
    )


def _client(claims: Mapping[str, Any]) -> str | None:
    for name in _CLIENT_CLAIMS:
        if type(client := claims.get(name)) is str:
            return client
    return None


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    scopes = _NONE
    for name in _SCOPE_CLAIMS:
        if name in claims:
            scopes = scopes.union(_words(claims[name]))
    return scopes


def _words(value: object) -> Iterable[str]:
    """Words of a space-separated string (RFC 6749 section 3.3) or of a list of strings."""
    if type(value) is str:
        return filter(None, value.split(" "))
    return [word for word in value if word and type(word) is str] if type(value) is list else ()


def _names(value: object) -> Iterable[str]:
    """Names in a list; a string is one name, since a role may hold spaces."""
    return _words([value] if type(value) is str else value)


def _roles(claims: Mapping[str, Any], audiences: Iterable[str]) -> Iterator[str]:
    for name in _PLAIN_ROLE_CLAIMS:
        yield from _names(claims.get(name))
    yield from _member_roles(claims.get("realm_access"))
    resources = claims.get("resource_access")
    if type(resources) is dict:
        for audience in audiences:
            yield from _member_roles(resources.get(audience))


def _member_roles(value: object) -> Iterable[str]:
    return _names(value.get("roles")) if isinstance(value, dict) else ()
