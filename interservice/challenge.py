"""Refusals for want of credentials or of rights, with the challenge that says so (RFC 6750 section 3, RFC 9110 section 11.6.1).

Whatever comes from a token or a request is made harmless before it stands in a header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import InsufficientScope, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterable

#: RFC 6750 section 3: only %x20-21 / %x23-5B / %x5D-7E may stand between the quotes.
_UNQUOTABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_MISSING_SCOPES = "The token does not carry the scopes that this needs"
_MISSING_ANY_SCOPE = "The token carries none of the scopes of which this needs one"
_MISSING_ROLES = "The token carries none of the roles of which this needs one"


def bearer(realm: str | None, **parameters: str | None) -> tuple[str, str]:
    """The WWW-Authenticate field of a Bearer challenge: realm first, then `parameters` but for the Nones."""
    given = {"realm": realm or "api", **parameters}
    return "WWW-Authenticate", "Bearer " + ", ".join(
        f'{name}="{_UNQUOTABLE.sub("?", value)}"' for name, value in given.items() if value is not None
    )


def unauthenticated(realm: str | None, resource_metadata: str | None = None) -> Rejection:
    """401 for a request without credentials: a challenge without an error code (RFC 6750 section 3.1)."""
    challenge = bearer(realm, resource_metadata=resource_metadata)
    return Rejection("Authentication is required.", status=401, code="unauthenticated", headers=[challenge])


def invalid_request(realm: str | None, description: str) -> Rejection:
    """400 for credentials that are given in a way that has no one meaning."""
    challenge = bearer(realm, error="invalid_request", error_description=description)
    return Rejection(f"{description}.", status=400, code="invalid_request", headers=[challenge])


def missing_scopes(scopes: Iterable[str], realm: str | None) -> InsufficientScope:
    """403 with the scopes that would do, in the body and in the challenge (RFC 6750 section 3.1)."""
    return _insufficient(_MISSING_SCOPES, realm, scopes)


def missing_any_scope(scopes: Iterable[str], realm: str | None) -> InsufficientScope:
    """403 with the scopes of which one would do."""
    return _insufficient(_MISSING_ANY_SCOPE, realm, scopes)


def missing_roles(realm: str | None) -> InsufficientScope:
    """403 for a principal without any of the roles wanted; which those are stays with the service."""
    return _insufficient(_MISSING_ROLES, realm, ())


def stronger_authentication(realm: str | None, acr: Iterable[str], max_age: float | None) -> Rejection:
    """401 for a user whose authentication is too weak or too long ago: step up, and come back (RFC 9470 section 3)."""
    description = "A stronger or more recent authentication of the user is needed"
    code = "insufficient_user_authentication"
    challenge = bearer(
        realm,
        error=code,
        error_description=description,
        acr_values=" ".join(acr) or None,
        max_age=None if max_age is None else str(int(max_age)),
    )
    return Rejection(f"{description}.", status=401, code=code, headers=[challenge])


def _insufficient(description: str, realm: str | None, scopes: Iterable[str]) -> InsufficientScope:
    wanted = _UNQUOTABLE.sub("?", " ".join(scopes)) or None
    challenge = bearer(realm, error="insufficient_scope", error_description=description, scope=wanted)
    return InsufficientScope(f"{description}: {wanted}." if wanted else f"{description}.", headers=[challenge])
