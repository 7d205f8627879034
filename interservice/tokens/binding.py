"""Tokens bound to a client certificate (RFC 8705 section 3): whoever sends one must have shown that certificate.

`cnf` with the certificate's thumbprint is the one confirmation that is understood. A token with any other, or with a second one
beside it, is refused by everybody: a proof that cannot be checked is not optional (RFC 7800 section 3.1).
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from interservice.errors import InvalidToken

from .parser import decode_base64url
from .reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBER = "x5t#S256"
_SHA256_BYTES = 32


def certificate_of(claims: Mapping[str, Any]) -> str | None:
    """The thumbprint of the certificate that a token is bound to; None for a token that is bound to nothing.

    Raises:
        InvalidToken: It is bound to something else, or not to the letter.
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    # A dict, or the frozen one of a principal's claims.
    thumbprint = confirmation.get(_MEMBER) if isinstance(confirmation, dict) and len(confirmation) == 1 else None
    if type(thumbprint) is not str or not _is_thumbprint(thumbprint):
        raise InvalidToken(Reason.BINDING)
    return thumbprint


def possessed(bound_to: str | None, certificate: str | None) -> None:
    """Refuse a token that is bound to a certificate unless that is the one shown; compares in constant time.

    Args:
        bound_to: The thumbprint in the token, or None.
        certificate: The thumbprint of the certificate that its sender has shown, or None.

    Raises:
        InvalidToken: It is bound to a certificate, and that was not shown.
    """
    if bound_to is None:
        return
    if certificate is None or not compare_digest(bound_to.encode(), certificate.encode()):
        raise InvalidToken(Reason.BINDING)


def _is_thumbprint(text: str) -> bool:
    try:
        return len(decode_base64url(text)) == _SHA256_BYTES
    except ValueError:
        return False
