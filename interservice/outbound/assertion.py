"""Proof of a client's identity by its private key: RFC 7523 section 2.2, with type and audience as rfc7523bis has them.

Each assertion works once, so each request gets a new one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from interservice.errors import ConfigurationError

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFETIME: Final = 60
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class AssertionKey:
    """A private key with its algorithm; its repr shows neither."""

    private: Any = field(repr=False)
    alg: str
    kid: str | None = None

    def sign(self, *, client_id: str, audience: str, now: float) -> str:
        """A new assertion.

        Args:
            client_id: Issuer and subject.
            audience: The authorization server's issuer identifier: a single string and not the token endpoint's URL, which a
                malicious server could have chosen.
            now: Seconds since the epoch.
        """
        issued = int(now)
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": str(uuid.uuid4()),
            "iat": issued,
            "exp": issued + _LIFETIME,
        }
        headers = {"typ": "client-authentication+jwt"} | ({} if self.kid is None else {"kid": self.kid})
        return jwt.encode(claims, self.private, algorithm=self.alg, headers=headers)


def load(option: str, key: object) -> AssertionKey:
    """The key in a PEM text or a JWK (RFC 7517; a mapping or JSON). RSA signs as RS256 unless the JWK has another alg.

    Raises:
        ConfigurationError: It is no private RSA (from 2048 bits), EC or Ed25519 key. The message holds nothing of it.
    """
    jwk = _as_jwk(key)
    try:
        private = jwt.PyJWK(jwk, algorithm=_jwk_algorithm(jwk)).key if jwk is not None else _from_pem(key)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        msg = f"{option} must be a private key: unencrypted PEM, or a JWK"
        raise ConfigurationError(msg) from error
    kid, alg = (None, None) if jwk is None else (jwk.get("kid"), jwk.get("alg"))
    return AssertionKey(private, _algorithm(option, private, alg), kid if isinstance(kid, str) else None)


def _as_jwk(key: object) -> dict[str, Any] | None:
    if isinstance(key, Mapping):
        return dict(key)
    if isinstance(key, str) and key.lstrip().startswith("{"):
        try:
            return dict(json.loads(key))
        except ValueError:
            return None
    return None


def _jwk_algorithm(jwk: Mapping[str, Any]) -> str | None:
    """PyJWT has no name for RFC 9864's Ed25519, and would take RS256 for an RSA key that says PS256 only."""
    alg = jwk.get("alg")
    return "EdDSA" if alg == "Ed25519" else alg


def _from_pem(key: object) -> object:
    data = key.encode() if isinstance(key, str) else key
    if not isinstance(data, bytes):
        raise TypeError
    return serialization.load_pem_private_key(data, password=None)


def _algorithm(option: str, private: object, alg: object) -> str:
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _MIN_RSA_BITS:
        usual, fitting = "RS256", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    elif isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        usual = _CURVES[private.curve.name]
        fitting = {usual}
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        usual, fitting = "EdDSA", {"EdDSA"}
        alg = "EdDSA" if alg == "Ed25519" else alg
    else:
        msg = f"{option} must be a private key: RSA from 2048 bits, EC on P-256, P-384 or P-521, or Ed25519"
        raise ConfigurationError(msg)
    if alg is not None and alg not in fitting:
        msg = f"{option} has an alg that does not fit its type"
        raise ConfigurationError(msg)
    return usual if alg is None else str(alg)
