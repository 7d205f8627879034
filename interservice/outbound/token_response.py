"""What a token endpoint's answer is worth: RFC 6749 section 5, read strictly. Pure: bytes in, a grant or a failure out."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from .token_state import Failure

#: What an Authorization header may hold after "Bearer" (RFC 6750 section 2.1); nothing else may reach one.
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
_WORD: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_OK, _BAD_REQUEST, _UNAUTHORIZED, _TOO_MANY, _SERVER = 200, 400, 401, 429, 500
_DEFAULT_LIFETIME: Final = 300.0
#: Whatever a server says, a token is asked for again after a day.
_MAX_LIFETIME: Final = 86400.0
_HUGE: Final = 1e12
#: How long a refusal is remembered (MSAL), and how long a server that fails is left alone, unless it says otherwise.
_REFUSED_PAUSE: Final = 60.0
_DEFAULT_PAUSE: Final = 5.0
_MAX_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Granted:
    """A usable answer: the token, and the seconds it lives from when it was asked for."""

    token: str = field(repr=False)
    lifetime: float


def read(status: int, body: bytes, *, retry_after: float | None, scope: str | None, now: float) -> Granted | Failure:
    """The grant in a response, or why there is none.

    Args:
        status: The HTTP status.
        body: The whole body.
        retry_after: What Retry-After asks for, in seconds.
        scope: The scope asked for; a grant of less is a failure, as calls would be refused one by one.
        now: Seconds since the epoch, for tokens that tell their life themselves.
    """
    if status == _OK:
        return _grant(_object(body), scope, now)
    if status in {_BAD_REQUEST, _UNAUTHORIZED}:
        error = (_object(body) or {}).get("error")
        word = error if isinstance(error, str) and _WORD.fullmatch(error) else None
        return Failure(f"the token endpoint refused with {status} {word or 'and no error code'}", _REFUSED_PAUSE, word)
    if status == _TOO_MANY or status >= _SERVER:
        pause = _DEFAULT_PAUSE if retry_after is None else min(retry_after, _MAX_PAUSE)
        passing = status >= _SERVER and retry_after is None
        return Failure(f"the token endpoint answered {status}", pause, passing=passing)
    return Failure(f"the token endpoint answered {status}", _REFUSED_PAUSE)


def _grant(answer: dict[str, Any] | None, scope: str | None, now: float) -> Granted | Failure:
    if answer is None:
        return Failure("the token endpoint answered 200 with something other than a JSON object", _DEFAULT_PAUSE)
    token, kind, granted = answer.get("access_token"), answer.get("token_type"), answer.get("scope")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return Failure("the token endpoint gave no usable access_token", _DEFAULT_PAUSE)
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return Failure("the token endpoint gave a token that is no bearer token", _REFUSED_PAUSE)
    if scope is not None and isinstance(granted, str) and not set(scope.split()) <= set(granted.split()):
        return Failure("the token endpoint granted less than the scope asked for", _REFUSED_PAUSE, "invalid_scope")
    lifetime = _lifetime(answer.get("expires_in"), token, now)
    if lifetime <= 0:
        return Failure("the token endpoint gave a token that has expired", _DEFAULT_PAUSE)
    return Granted(token, min(lifetime, _MAX_LIFETIME))


def _lifetime(expires_in: object, token: str, now: float) -> float:
    """Seconds; where the answer does not say, what the token itself says as a JWT, else five minutes."""
    if isinstance(expires_in, str) and _DIGITS.fullmatch(expires_in):  # Azure AD v1 sends a string
        return float(expires_in)
    if _is_number(expires_in):
        return float(expires_in)
    exp = _jwt_claims(token).get("exp")
    return float(exp) - now if _is_number(exp) else _DEFAULT_LIFETIME


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _HUGE


def _jwt_claims(token: str) -> dict[str, Any]:
    segments = token.split(".")
    if len(segments) != 3:  # noqa: PLR2004 - RFC 7515 section 7.1
        return {}
    try:
        return _object(base64.urlsafe_b64decode(segments[1] + "=" * (-len(segments[1]) % 4))) or {}
    except (binascii.Error, ValueError):
        return {}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
