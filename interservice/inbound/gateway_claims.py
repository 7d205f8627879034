"""What a gateway's signed identity says: written by the gateway's `Signer`, read by the services' `GatewayIdentity`.

iss, aud, iat, exp          the gateway, the services, and when
req                         which request it is for: see `digest`
sub, client_id, scope, roles   who asks, and what they may do; not there when nobody signed in
token                       of the client's token: its iss, jti, exp, and further claims that rules and handlers need
ath                         the hash of that token (as in RFC 9449), to know it again where it is forwarded
"""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from interservice.errors import InvalidToken
from interservice.tokens import Principal
from interservice.tokens.binding import certificate_of
from interservice.tokens.frozen import FrozenDict
from interservice.tokens.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from interservice.exchange import Identity
    from interservice.http import Request

#: The media type in the header of an identity, so that it is never taken for an access token, nor one for it (RFC 8725 3.11).
TYPE: Final = "gateway+jwt"
REQUEST: Final = "req"
TOKEN: Final = "token"  # noqa: S105 - the name of a claim
TOKEN_HASH: Final = "ath"  # noqa: S105 - the name of a claim
#: The name by which gateways sign unless told otherwise.
ISSUER: Final = "gateway"


def digest(request: Request) -> str:
    """The name of a request: see `named`."""
    return named(request.method, request.mount + request.path, request.query)


def named(method: str, path: str, query: str) -> str:
    """The name of a request: the SHA-256 of "METHOD path?query", in base64url.

    The path is the whole one, decoded, without slashes at its end: servers agree on that much, and not all tell how it was
    sent. HEAD counts as GET: a gateway that caches asks for one in place of the other.
    """
    return _hashed(f"{'GET' if method == 'HEAD' else method} {path.rstrip('/')}?{query}")


def token_hash(token: str) -> str:
    """The name of a token: its SHA-256, in base64url."""
    return _hashed(token)


def spoken(principal: Identity, further: Iterable[str]) -> dict[str, Any]:
    """The claims that speak of a principal.

    Args:
        principal: Who asks.
        further: The names of claims of its token that go along.
    """
    scopes = sorted(principal.scopes)
    token: dict[str, Any] = {name: principal.claims[name] for name in further if name in principal.claims}
    token["iss"] = principal.issuer
    if principal.token_id is not None:
        token["jti"] = principal.token_id
    if math.isfinite(principal.expires_at):
        token["exp"] = principal.expires_at
    said: dict[str, Any] = {
        "sub": principal.subject,
        "client_id": principal.client_id,
        "scope": scopes if any(" " in scope for scope in scopes) else " ".join(scopes),
        "roles": sorted(principal.roles),
        TOKEN: token,
    }
    return {name: value for name, value in said.items() if value}


def heard(identity: Principal) -> Principal | None:
    """The principal that a proven identity speaks of, with the issuer of their own token; None for nobody.

    Raises:
        InvalidToken: What it says of the token is not what `spoken` writes.
    """
    token: Mapping[str, Any] | None = identity.claims.get(TOKEN)
    if token is None:
        return None
    issuer = token.get("iss") if isinstance(token, dict) else None
    if not isinstance(issuer, str):
        raise InvalidToken(Reason.CLAIM)
    expires, token_id = token.get("exp", math.inf), token.get("jti")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not isinstance(token_id, str | None):
        raise InvalidToken(Reason.CLAIM)
    said = {name: identity.claims[name] for name in ("sub", "client_id", "scope", "roles") if name in identity.claims}
    return Principal(
        identity.subject,
        issuer,
        identity.client_id,
        identity.scopes,
        identity.roles,
        FrozenDict({**token, **said}),
        float(expires),
        token_id,
        certificate_of(token),
    )


def _hashed(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode("utf-8", "surrogatepass")).digest()).rstrip(b"=").decode()
