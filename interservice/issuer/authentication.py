"""Client authentication at the token and introspection endpoints: RFC 6749 section 2.3, RFC 7523 section 3.

Exactly one method per request. Whatever fails, the answer is the same invalid_client, after the same comparison.
"""

from __future__ import annotations

import base64
import binascii
import threading
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from urllib.parse import unquote_plus

from .clients import matches
from .errors import OAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interservice.clock import Clock

    from .clients import Client
    from .jose import Keys

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: rfc7523bis gives assertions a type of their own; older clients send JWT or nothing. Types of other tokens are refused.
_ASSERTION_TYPES: Final = ("client-authentication+jwt", "jwt", None)
#: An assertion that lives longer is refused: its jti would have to be remembered as long.
_MAX_LIFETIME: Final = 600.0
_LEEWAY: Final = 5.0
_MAX_REMEMBERED: Final = 100_000


class Authentication:
    """Finds which client sent a request.

    Args:
        issuer: The only audience an assertion may have (rfc7523bis: the identifier itself, not the token endpoint's URL).
        clients: By id.
        keys: The public keys of the clients that have some, by id.
        clock: For the lifetimes of assertions.
    """

    def __init__(self, issuer: str, clients: Mapping[str, Client], keys: Mapping[str, Keys], clock: Clock) -> None:
        self._issuer = issuer
        self._clients = clients
        self._keys = keys
        self._clock = clock
        self._used = Replays()

    def client(self, authorization: str | None, form: Mapping[str, str]) -> Client:
        """The client that this request proves to be.

        Raises:
            OAuthError: invalid_client (401), or invalid_request for more than one method at once.
        """
        offered = [authorization is not None, "client_secret" in form, "client_assertion" in form]
        if sum(offered) > 1:
            raise OAuthError.invalid_request("More than one client authentication method was used")
        if authorization is not None:
            client_id, secret = _basic(authorization)
            if form.get("client_id", client_id) != client_id:
                raise OAuthError.invalid_request("client_id differs from the authenticated client")
            return self._by_secret(client_id, secret)
        if "client_secret" in form:
            return self._by_secret(form.get("client_id", ""), form["client_secret"])
        if "client_assertion" in form:
            return self._by_assertion(form)
        raise OAuthError.invalid_client("Client authentication is required")

    def _by_secret(self, client_id: str, secret: str) -> Client:
        client = self._clients.get(client_id)
        if client is None:
            matches(None, secret)  # the same work as for a client that exists
            raise OAuthError.invalid_client()
        if not client.has_secret(secret):
            raise OAuthError.invalid_client()
        return client

    def _by_assertion(self, form: Mapping[str, str]) -> Client:
        from .jose import BadToken, unverified_claims  # noqa: PLC0415 - joserfc is an extra

        assertion = form["client_assertion"]
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise OAuthError.invalid_request("client_assertion_type must be the jwt-bearer URN of RFC 7523")
        try:
            client_id = unverified_claims(assertion).get("sub")
            if not isinstance(client_id, str) or client_id not in self._keys:
                raise OAuthError.invalid_client()
            claims = self._keys[client_id].verify(assertion, types=_ASSERTION_TYPES)
        except BadToken as error:
            raise OAuthError.invalid_client() from error
        if form.get("client_id", client_id) != client_id:
            raise OAuthError.invalid_client()
        self._check(claims, client_id)
        return self._clients[client_id]

    def _check(self, claims: Mapping[str, Any], client_id: str) -> None:
        """RFC 7523 section 3, with the audience as rfc7523bis has it; each assertion works once."""
        now = self._clock.time()
        exp, jti = claims.get("exp"), claims.get("jti")
        ours = claims.get("iss") == claims.get("sub") == client_id and claims.get("aud") == self._issuer
        starts = (claims.get(name, 0) for name in ("nbf", "iat"))
        begun = all(_is_time(start) and start <= now + _LEEWAY for start in starts)
        if not (ours and begun and isinstance(jti, str) and jti and _is_time(exp)):
            raise OAuthError.invalid_client()
        if not now - _LEEWAY < exp <= now + _MAX_LIFETIME:
            raise OAuthError.invalid_client()
        if not self._used.first((client_id, jti), until=exp + _LEEWAY, now=now):
            raise OAuthError.invalid_client()


class Replays:
    """Which assertions were used, until they expire; any thread may ask."""

    def __init__(self, limit: int = _MAX_REMEMBERED) -> None:
        self._lock = threading.Lock()
        self._until: dict[tuple[str, str], float] = {}
        self._limit = limit

    def first(self, key: tuple[str, str], *, until: float, now: float) -> bool:
        """Whether `key` is used for the first time; remembers it.

        Raises:
            OAuthError: temporarily_unavailable (503) while too many live assertions are remembered.
        """
        with self._lock:
            if key in self._until:
                return False
            if len(self._until) >= self._limit:
                self._until = {known: end for known, end in self._until.items() if end > now}
            full = len(self._until) >= self._limit
            if not full:
                self._until[key] = until
        if full:
            raise OAuthError("temporarily_unavailable", "Too many assertions are in use", status=503)
        return True


def _basic(authorization: str) -> tuple[str, str]:
    """Id and secret, form-encoded before they were base64-encoded (RFC 6749 section 2.3.1)."""
    scheme, _, value = authorization.partition(" ")
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise OAuthError.invalid_client()
    return unquote_plus(client_id), unquote_plus(secret)


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 253402300799  # noqa: PLR2004 - the year 9999
