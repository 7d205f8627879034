"""Signing keys of an issuer and their rotation: one key, one algorithm (RFC 8725bis), named by its thumbprint (RFC 7638).

Needs PyJWT and cryptography alone. A ring changes by replacing one tuple, so readers take no lock.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from interservice import options
from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
#: RFC 9864 names the curve; RFC 8037's EdDSA with an Ed25519 key is the same algorithm.
_EDWARDS: Final = ("EdDSA", "Ed25519")
#: Every algorithm a key can be made for.
ALGORITHMS: Final = (*_RSA, *_CURVES, *_EDWARDS)
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key bound to one algorithm. Its repr and its JWK hold nothing secret.

    Attributes:
        alg: The JWS algorithm, one of `ALGORITHMS`.
        private: The key itself.
        kid: The RFC 7638 thumbprint unless another id was given.
    """

    alg: str
    private: PrivateKey = field(repr=False)
    kid: str = ""

    def __post_init__(self) -> None:
        options.one_of("SigningKey.alg", self.alg, ALGORITHMS)
        options.check(_fits(self.alg, self.private), "SigningKey.private", f"a private key for {self.alg}", type(self.private))
        if not self.kid:
            object.__setattr__(self, "kid", thumbprint(_public_members(self.private)))

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK (RFC 7517) with kid, use and alg."""
        return {**_public_members(self.private), "kid": self.kid, "use": "sig", "alg": self.alg}

    def pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM: keep it out of logs and repositories."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def serves(self, alg: str) -> bool:
        """Whether the key signs as `alg`; EdDSA and Ed25519 are one."""
        return alg == self.alg or (alg in _EDWARDS and self.alg in _EDWARDS)


def generate(alg: str) -> SigningKey:
    """A new key for `alg`: RSA of 2048 bits, the curve the name asks for, or Ed25519."""
    options.one_of("alg", alg, ALGORITHMS)
    if alg in _RSA:
        return SigningKey(alg=alg, private=rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))
    if alg in _CURVES:
        return SigningKey(alg=alg, private=ec.generate_private_key(_CURVES[alg]()))
    return SigningKey(alg=alg, private=ed25519.Ed25519PrivateKey.generate())


def load(pem: bytes | str, *, alg: str | None = None) -> SigningKey:
    """The key in an unencrypted PEM text; without `alg` the usual one for its type (RS256, the curve's ES, EdDSA).

    Raises:
        ConfigurationError: The text is no private key, or not one for `alg`.
    """
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        msg = "a signing key must be an unencrypted private key in PEM"
        raise ConfigurationError(msg) from error
    if not isinstance(private, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        msg = f"a signing key must be RSA, EC or Ed25519, not {type(private).__name__}"
        raise ConfigurationError(msg)
    usual = alg or next((name for name in ALGORITHMS if _fits(name, private)), None)
    if usual is None:
        msg = "a signing key's curve must be P-256, P-384 or P-521"
        raise ConfigurationError(msg)
    return SigningKey(alg=usual, private=private)


class KeyRing:
    """The keys an issuer signs with, one per algorithm, and the earlier ones it still publishes.

    Args:
        keys: The current keys; the first one's algorithm is the default.
    """

    __slots__ = ("_generations", "_lock")

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        options.check(bool(keys), "KeyRing.keys", "at least one key", keys)
        names = [key.alg for key in keys]
        options.check(len(set(names)) == len(names), "KeyRing.keys", "one key for each algorithm", names)
        self._lock = threading.Lock()
        self._generations: tuple[tuple[SigningKey, ...], ...] = (tuple(keys),)

    @classmethod
    def generate(cls, algorithms: Sequence[str]) -> KeyRing:
        """A ring of new keys, one for each of `algorithms`."""
        return cls([generate(alg) for alg in options.strings("algorithms", algorithms)])

    @property
    def current(self) -> tuple[SigningKey, ...]:
        """The keys that sign now."""
        return self._generations[0]

    @property
    def published(self) -> tuple[SigningKey, ...]:
        """Every key in the JWKS, the newest first."""
        return tuple(key for generation in self._generations for key in generation)

    @property
    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517), the newest first."""
        return {"keys": [key.jwk for key in self.published]}

    def key(self, alg: str | None = None) -> SigningKey:
        """The key that signs as `alg`, or the default one.

        Raises:
            ConfigurationError: The ring holds no key for `alg`.
        """
        keys = self.current
        if alg is None:
            return keys[0]
        for key in keys:
            if key.serves(alg):
                return key
        msg = f"alg must be one of {', '.join(key.alg for key in keys)}, not {alg!r}"
        raise ConfigurationError(msg)

    def rotate(self, *, keep: int = 1) -> None:
        """Sign with new keys from now on, and go on publishing the last `keep` generations (0: drop the old keys at once)."""
        options.number("keep", keep, at_least=0, integer=True)
        fresh = tuple(generate(key.alg) for key in self.current)
        with self._lock:
            self._generations = (fresh, *self._generations[:keep])


def thumbprint(jwk: dict[str, Any]) -> str:
    """The RFC 7638 SHA-256 thumbprint of a public or private RSA, EC or OKP JWK, in base64url."""
    members = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    canonical = json.dumps({name: jwk[name] for name in members}, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _fits(alg: str, private: object) -> bool:
    if alg in _RSA:
        return isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _RSA_BITS
    if alg in _CURVES:
        return isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, _CURVES[alg])
    return isinstance(private, ed25519.Ed25519PrivateKey)


def _public_members(private: PrivateKey) -> dict[str, Any]:
    if isinstance(private, rsa.RSAPrivateKey):
        members: dict[str, Any] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        members = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        members = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    members.pop("key_ops", None)
    return members
