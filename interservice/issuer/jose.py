"""Reading of signed tokens that come in: client assertions and our own access tokens.

Verifies with joserfc, while the issuer signs with PyJWT and the rest of the package verifies with cryptography: each end of the
wire is checked by another implementation. (Authlib's server was looked at: it refuses http on loopback unless an environment
variable turns the check off for the whole process, reads the system clock, and writes issued tokens to its debug log.)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from joserfc._rfc7515.model import JWSAlgModel

#: What a client may sign its assertions with; secrets are no keys (no HS*).
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
_MAX_TOKEN = 8192
_MAX_CANDIDATES = 4


class BadToken(Exception):
    """A token is malformed, or no key verifies it."""


class Keys:
    """Public keys that verify tokens; anything symmetric in a set is refused.

    Raises:
        ConfigurationError: The set holds no key, or one that cannot verify a signature.
    """

    def __init__(self, jwks: Mapping[str, Any], *, option: str) -> None:
        try:
            entries = [dict(key) for key in jwks["keys"]]
            symmetric = any(key.get("kty") == "oct" for key in entries)
            self._keys = [] if symmetric else list(jwk.KeySet.import_key_set({"keys": entries}).keys)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            msg = f"{option} must be a JWK Set of public keys"
            raise ConfigurationError(msg) from error
        if not self._keys:
            msg = f"{option} must hold public keys, at least one and no secrets"
            raise ConfigurationError(msg)

    def verify(self, token: str, *, types: tuple[str | None, ...]) -> dict[str, Any]:
        """The claims of `token`, whose signature was proven and whose `typ` is one of `types` (in lower case; None: absent).

        Raises:
            BadToken: It is malformed, of another type, or no key verifies it.
        """
        header = _header(token)
        kind = header.get("typ")
        kind = kind.lower().removeprefix("application/") if isinstance(kind, str) else kind
        if kind not in types:
            raise BadToken("typ")
        kid = header.get("kid")
        candidates = [key for key in self._keys if kid is None or key.kid == kid]
        for key in candidates[:_MAX_CANDIDATES]:
            claims = _verified(token, key)
            if claims is not None:
                return claims
        raise BadToken("signature")


def unverified_claims(token: str) -> dict[str, Any]:
    """The claims as they stand, to look up whose keys should verify them; never to be believed.

    Raises:
        BadToken: They cannot be read.
    """
    return _object(_segments(token)[1])


class _Registry(JWSRegistry):
    """Joserfc's own, without the warning it gives for RFC 8037's name of Ed25519 signatures, which much software still sends."""

    def get_alg(self, name: str) -> JWSAlgModel:
        return self.algorithms[name]


def _header(token: str) -> dict[str, Any]:
    header = _object(_segments(token)[0])
    if header.get("alg") not in ALGORITHMS or "crit" in header or "b64" in header:
        raise BadToken("header")
    if not isinstance(header.get("kid", ""), str):
        raise BadToken("kid")
    return header


def _verified(token: str, key: jwk.Key) -> dict[str, Any] | None:
    try:
        return jwt.decode(token, key, algorithms=ALGORITHMS, registry=_Registry(strict_check_header=False)).claims
    except (JoseError, ValueError, TypeError, RecursionError):
        return None


def _segments(token: str) -> list[str]:
    segments = token.split(".")
    if len(token) > _MAX_TOKEN or len(segments) != 3 or not token.isascii():  # noqa: PLR2004 - RFC 7515 section 7.1
        raise BadToken("format")
    return segments


def _object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(segment.encode()).decode(), object_pairs_hook=_unique)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadToken("format") from error
    if not isinstance(value, dict):
        raise BadToken("format")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members
