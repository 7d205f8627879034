"""What a token will say: the client credentials grant (RFC 6749 section 4.4) and token exchange (RFC 8693).

Decides from the request, the client and the tokens handed in; signs nothing and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import OAuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .clients import Client

CLIENT_CREDENTIALS: Final = "client_credentials"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a URN
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a URN
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_MAX_ACTORS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What was decided.

    Attributes:
        subject: The token's sub.
        scopes: Sorted as the client asked.
        audience: The token's aud.
        expires_by: The latest exp, in seconds since the epoch, or None.
        claims: Further claims of the token.
        response: Further members of the response.
    """

    subject: str
    scopes: Sequence[str]
    audience: Sequence[str]
    expires_by: float | None = None
    claims: Mapping[str, Any]
    response: Mapping[str, Any]


def client_credentials(client: Client, form: Mapping[str, str], targets: Sequence[str], *, issuer: str) -> Grant:
    """A token of the client's own: scopes and audiences within what it is registered for.

    Raises:
        OAuthError: invalid_scope, or invalid_target (RFC 8707 section 2).
    """
    return Grant(
        subject=client.client_id,
        scopes=_scopes(form.get("scope"), client.scopes),
        audience=_audience(client, targets, issuer),
        claims={},
        response={},
    )


def token_exchange(
    client: Client,
    form: Mapping[str, str],
    targets: Sequence[str],
    *,
    issuer: str,
    read: Callable[[str], Mapping[str, Any] | None],
) -> Grant:
    """A token for another audience that speaks for the subject of one of ours, the client being named as the actor.

    Its scopes are never more than the subject token's and the client's, its life never longer than the subject token's.

    Args:
        client: The authenticated client.
        form: The parameters.
        targets: The audiences asked for.
        issuer: The issuer's identifier.
        read: Gives the claims of an active token of this issuer, or None.

    Raises:
        OAuthError: unauthorized_client, invalid_request, invalid_scope or invalid_target.
    """
    if not client.exchanges:
        raise OAuthError("unauthorized_client", "The client may not exchange tokens")
    if form.get("requested_token_type", ACCESS_TOKEN) not in {ACCESS_TOKEN, _JWT}:
        raise OAuthError.invalid_request("requested_token_type is not supported")
    subject = _token(form, "subject_token", read)
    if "actor_token" in form:
        actor_token = _token(form, "actor_token", read)
        actor: dict[str, Any] = {"sub": actor_token["sub"]}
    else:
        actor = {"sub": client.client_id}
    if "act" in subject:
        actor["act"] = subject["act"]
    if _depth(actor) > _MAX_ACTORS:
        raise OAuthError.invalid_request("The chain of actors is too long")
    held = str(subject.get("scope", "")).split()
    return Grant(
        subject=str(subject["sub"]),
        scopes=_scopes(form.get("scope"), [scope for scope in held if scope in client.scopes]),
        audience=_audience(client, targets, issuer),
        expires_by=float(subject["exp"]),
        claims={"act": actor},
        response={"issued_token_type": ACCESS_TOKEN},
    )


def _token(form: Mapping[str, str], name: str, read: Callable[[str], Mapping[str, Any] | None]) -> Mapping[str, Any]:
    if name not in form or form.get(f"{name}_type") not in {ACCESS_TOKEN, _JWT}:
        raise OAuthError.invalid_request(f"{name} and {name}_type of an access token are required")
    claims = read(form[name])
    if claims is None:
        raise OAuthError.invalid_request(f"{name} is not an active token of this issuer")
    return claims


def _scopes(asked: str | None, allowed: Sequence[str]) -> Sequence[str]:
    wanted = list(dict.fromkeys((asked or "").split(" "))) if asked else list(allowed)
    if not set(wanted) <= set(allowed):
        raise OAuthError("invalid_scope", "A scope is unknown or not the client's to ask for")
    return wanted


def _audience(client: Client, targets: Sequence[str], issuer: str) -> Sequence[str]:
    allowed = client.audiences or (issuer,)
    if not set(targets) <= set(allowed):
        raise OAuthError("invalid_target", "An audience is unknown or not the client's to ask for")
    return list(dict.fromkeys(targets)) or [allowed[0]]


def _depth(actor: Mapping[str, Any]) -> int:
    depth, current = 1, actor
    while isinstance(current.get("act"), dict):
        depth, current = depth + 1, current["act"]
    return depth
