"""What an introspection endpoint's answer is worth (RFC 7662 section 2.2): read strictly, and checked as a token's claims are.

Pure: an answer in, an opinion out. `active` is true only when it is the JSON value true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from interservice.errors import InvalidToken

from .principal import Principal, principal_of
from .reason import Reason

if TYPE_CHECKING:
    from .claims import Expectations
    from .fetch import Posted

_OK, _BAD_REQUEST = 200, 400
#: What an access token is called in an answer; a refresh token or an ID token is active too, and opens nothing.
_TYPES = frozenset({"bearer", "access_token", "n_a"})
_USES = frozenset({"access", "access_token"})
_EXPIRED = "The access token expired"


class Refused(NamedTuple):
    """The token must not be believed."""

    reason: Reason
    detail: str | None = None


class Failed(NamedTuple):
    """There is no usable answer. `problem` is safe to log; `retry_after` in seconds, where known."""

    problem: str
    retry_after: float | None = None


Opinion: TypeAlias = Principal | Refused | Failed


def opinion(answer: Posted, expected: Expectations, issuer: str, now: float) -> Opinion:
    """What to think of a token.

    Args:
        answer: What the endpoint said of it.
        expected: What holds for every token of this issuer.
        issuer: Whose endpoint that is: it vouches where the answer names nobody.
        now: Seconds since the epoch.
    """
    document = answer.document
    if answer.status == _BAD_REQUEST and document is not None and document.get("error") == "unsupported_token_type":
        return Refused(Reason.INACTIVE)
    if answer.status != _OK or document is None:
        what = f"status {answer.status}" if answer.status != _OK else "no strict JSON object"
        return Failed(f"{what} from the introspection endpoint", answer.retry_after)
    if document.get("active") is not True:
        return Refused(Reason.INACTIVE)
    try:
        return _checked(document, expected, issuer, now)
    except InvalidToken as refusal:
        return Refused(Reason(refusal.reason), refusal.detail)


def _checked(document: dict[str, Any], expected: Expectations, issuer: str, now: float) -> Principal:
    _check_kind(document, "token_type", _TYPES)
    _check_kind(document, "token_use", _USES)
    claims = {"iss": issuer, **{name: value for name, value in document.items() if name != "active"}}
    if expected.check(None, claims, now):
        # The issuer has said that this is its token, so that its bearer may be told.
        raise InvalidToken(Reason.EXPIRED, _EXPIRED)
    return principal_of(claims, expected.audiences or ())


def _check_kind(document: dict[str, Any], name: str, known: frozenset[str]) -> None:
    """Refuse what says that it is another kind of token; many servers say nothing."""
    kind = document.get(name)
    if kind is not None and (not isinstance(kind, str) or kind.lower() not in known):
        raise InvalidToken(Reason.TYPE)
