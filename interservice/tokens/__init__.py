"""Tokens verified: who issued them, whom they are for, and who they speak for.

Nothing here loads `requests` until keys are fetched, and nothing does I/O until a token is verified.
"""

from __future__ import annotations

from interservice.errors import IntrospectionUnavailable, InvalidToken, KeysUnavailable, RevocationsUnavailable

from .discovery import Discovery
from .introspection import Introspection
from .issuers import Issuers
from .jwks import JWKS
from .principal import Principal
from .reason import Reason
from .revocations import Revocations
from .shape import ByShape
from .static import StaticKeys
from .verifier import Verifier

__all__ = [
    "JWKS",
    "ByShape",
    "Discovery",
    "Introspection",
    "IntrospectionUnavailable",
    "InvalidToken",
    "Issuers",
    "KeysUnavailable",
    "Principal",
    "Reason",
    "Revocations",
    "RevocationsUnavailable",
    "StaticKeys",
    "Verifier",
]
