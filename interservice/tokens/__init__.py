"""Tokens verified: who issued them, whom they are for, and who they speak for.

Nothing here loads `requests` until keys are fetched, and nothing does I/O until a token is verified.
"""

from __future__ import annotations

from interservice.errors import InvalidToken, KeysUnavailable

from .discovery import Discovery
from .issuers import Issuers
from .jwks import JWKS
from .principal import Principal
from .reason import Reason
from .static import StaticKeys
from .verifier import Verifier

__all__ = ["JWKS", "Discovery", "InvalidToken", "Issuers", "KeysUnavailable", "Principal", "Reason", "StaticKeys", "Verifier"]
