"""What a token must claim: checked before its signature, which costs more.

A forged token that fails here never makes anybody look for keys. Pure: the time is handed in. Names and values compare exactly,
types are what RFC 7519 says, and a claim of another type is refused, not coerced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interservice.errors import InvalidToken
from interservice.options import number

from .binding import certificate_of
from .reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

#: RFC 9068 section 2.2.
RFC9068_CLAIMS = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
#: The last second of the year 9999.
_LAST_TIME = 253_402_300_799
_STRINGS = frozenset({str})
_ACCESS_TOKEN = frozenset({"at+jwt", "application/at+jwt"})
#: Claims of OpenID Connect that only an ID token has a use for.
_ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What every token of a verifier has in common.

    Attributes:
        issuers: The identifiers of the one who vouches.
        audiences: Ours; None where the audience is not checked.
        leeway: Seconds by which clocks may differ.
        rfc9068: Whether tokens must follow the JWT profile for access tokens.
        require: Claims that must be there.
        reject_id_tokens: Whether tokens with the marks of an ID token are refused.
        max_lifetime: Seconds for which a token may be made to live; None for any time.
        max_age: Seconds after which a token is too old, whatever its `exp`; None for never.
        typ: The media type of tokens of another kind than access tokens, in lower case; None for access tokens.
    """

    issuers: frozenset[str]
    audiences: frozenset[str] | None
    leeway: float
    rfc9068: bool
    require: tuple[str, ...]
    reject_id_tokens: bool
    max_lifetime: float | None = None
    max_age: float | None = None
    typ: str | None = None

    def __post_init__(self) -> None:
        number("Verifier.leeway", self.leeway, at_least=0, at_most=300)
        number("Verifier.max_lifetime", self.max_lifetime, above=0, optional=True)
        number("Verifier.max_age", self.max_age, above=0, optional=True)

    def check(self, typ: str | None, claims: Mapping[str, Any], now: float) -> bool:
        """Refuse what is not for us. Returns whether the token has expired, which is told once the signature is proven.

        Raises:
            InvalidToken: A claim is missing, of the wrong type, or not what is expected.
        """
        access_token = self._check_type(typ)
        issuer = claims.get("iss")
        if type(issuer) is not str or issuer not in self.issuers:
            raise InvalidToken(Reason.ISSUER)
        expired = self._check_times(claims, now)
        self._check_audience(claims)
        for name in self.require:
            if name not in claims:
                raise InvalidToken(Reason.MISSING_CLAIM)
        for name in ("sub", "jti", "client_id"):
            if type(claims.get(name, "")) is not str:
                raise InvalidToken(Reason.CLAIM)
        if "cnf" in claims:
            certificate_of(claims)
        if self.reject_id_tokens and not access_token and not _ID_TOKEN_CLAIMS.isdisjoint(claims):
            raise InvalidToken(Reason.ID_TOKEN)
        return expired

    def _check_type(self, typ: str | None) -> bool:
        """Whether `typ` says "access token". Tokens for another purpose name it (RFC 8725 section 3.11), as `dpop+jwt` does."""
        kind = typ.lower() if typ is not None else ""
        if self.typ is not None:
            if kind != self.typ:
                raise InvalidToken(Reason.TYPE)
            return True
        if kind in _ACCESS_TOKEN:
            return True
        if self.rfc9068 or kind.endswith("+jwt"):
            raise InvalidToken(Reason.TYPE)
        return False

    def _check_times(self, claims: Mapping[str, Any], now: float) -> bool:
        expires = _time(claims, "exp")
        starts = _time(claims, "nbf")
        issued = _time(claims, "iat")
        latest = now + self.leeway
        if (starts is not None and latest < starts) or (issued is not None and latest < issued):
            raise InvalidToken(Reason.NOT_YET_VALID)
        if self.max_lifetime is not None:
            start = issued if issued is not None else starts
            if expires is None or start is None or expires - start > self.max_lifetime:
                raise InvalidToken(Reason.LIFETIME)
        return now >= self.ends(claims)

    def ends(self, claims: Mapping[str, Any]) -> float:
        """When checked claims stop being believed, in seconds since the epoch; inf for never."""
        end: float = claims.get("exp", math.inf)
        if self.max_age is not None:
            end = min(end, claims.get("iat", -math.inf) + self.max_age)
        return end + self.leeway

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        if audience is None and "aud" not in claims:
            if self.audiences is None:
                return
            raise InvalidToken(Reason.AUDIENCE)
        ours = self.audiences
        if type(audience) is str:
            fits = ours is None or audience in ours
        elif type(audience) is list and audience and _STRINGS.issuperset(map(type, audience)):
            fits = ours is None or not ours.isdisjoint(audience)
        else:
            fits = False
        if not fits:
            raise InvalidToken(Reason.AUDIENCE)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2) within the years that calendars know; bool is no number."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if (type(value) is int or type(value) is float) and 0 <= value <= _LAST_TIME:
        return value
    raise InvalidToken(Reason.TIME)
