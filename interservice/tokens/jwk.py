"""One key of an issuer, prepared for use: from a JWK (RFC 7517), a PEM block or an object of `cryptography`.

A key that is weak, private, symmetric, meant for something else or simply broken is no key: `UnusableKey`, and the set goes on
without it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .algorithms import ALGORITHMS, Algorithm
from .parser import decode_base64url
from .weakness import weak_rsa

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger("interservice.tokens")
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_MAX_KID = 256


class UnusableKey(ValueError):
    """A key that cannot or must not verify a token; the message says why and holds nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, or a configured secret, with the id under which tokens name it.

    Attributes:
        kid: The key's id; the RFC 7638 thumbprint where it came without one.
        kty: RSA, EC, OKP or oct.
        crv: The curve, for EC and OKP.
        alg: The one algorithm the key is bound to, or None: whatever fits its type.
        thumbprint: RFC 7638, over SHA-256.
        material: What the algorithm takes.
    """

    kid: str
    kty: str
    crv: str | None
    alg: str | None
    thumbprint: str = field(repr=False)
    material: Any = field(repr=False, compare=False)

    def fits(self, algorithm: Algorithm) -> bool:
        """Whether this key may verify signatures of `algorithm`. EdDSA and Ed25519 are two names of one algorithm (RFC 9864)."""
        if algorithm.kty != self.kty or (algorithm.crv is not None and algorithm.crv != self.crv):
            return False
        return self.alg is None or self.alg == algorithm.name or self.kty == "OKP"


def key_from_jwk(jwk: object, *, source: str = "a key set") -> Key:
    """The key that a JWK describes. Private members are not read; that they were there is logged as an error.

    Raises:
        UnusableKey: It is no key that could verify a token.
    """
    if not isinstance(jwk, dict):
        raise UnusableKey("not an object")
    kty = jwk.get("kty")
    read = {"RSA": _rsa, "EC": _ec, "OKP": _okp}.get(kty) if isinstance(kty, str) else None
    if read is None:
        raise UnusableKey("not a public key of type RSA, EC or OKP")
    kid = _checked_kid(jwk)
    _check_purpose(jwk)
    try:
        material, members = read(jwk)
    except UnusableKey:
        raise
    except Exception as error:
        raise UnusableKey("not a well-formed key") from error
    key = _key(kid, material, members, _bound_algorithm(jwk, members))
    if any(name in jwk for name in _PRIVATE):
        _LOG.error("%s gives away a private key; its public half is used, and it must be replaced", source)
    return key


def key_from_public(public: object, kid: str | None = None) -> Key:
    """The key for a public (or private: its public half) key object of `cryptography`.

    Raises:
        UnusableKey: It is of a kind or strength that cannot verify a token.
    """
    if isinstance(public, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        _LOG.error("a private key was given where a public one belongs; its public half is used")
        public = public.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        if why := weak_rsa(numbers.n, numbers.e):
            raise UnusableKey(why)
        return _key(kid, public, {"e": _unsigned(numbers.e), "kty": "RSA", "n": _unsigned(numbers.n)})
    if isinstance(public, ec.EllipticCurvePublicKey):
        crv = next((name for name, curve in _CURVES.items() if curve.name == public.curve.name), None)
        if crv is None:
            raise UnusableKey(f"not a supported curve: {public.curve.name}")
        point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        members = {"crv": crv, "kty": "EC", "x": _unsigned(point.x, size), "y": _unsigned(point.y, size)}
        return _key(kid, public, members)
    if isinstance(public, ed25519.Ed25519PublicKey):
        members = {"crv": "Ed25519", "kty": "OKP", "x": _encoded(public.public_bytes_raw())}
        return _key(kid, public, members)
    raise UnusableKey(f"not a public key that verifies tokens: {type(public).__name__}")


def key_from_secret(secret: bytes) -> Key:
    """The key for a configured HMAC secret. It has no id: tokens are tried whatever theirs says."""
    members = {"k": _encoded(secret), "kty": "oct"}
    return _key("", secret, members)


def _key(kid: str | None, material: object, members: Mapping[str, str], alg: str | None = None) -> Key:
    """The key with these required members (RFC 7638 section 3.2), from which its thumbprint is made."""
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    thumbprint = _encoded(hashlib.sha256(canonical).digest())
    return Key(thumbprint if kid is None else kid, members["kty"], members.get("crv"), alg, thumbprint, material)


def _checked_kid(jwk: Mapping[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if "kid" in jwk and (not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID):
        raise UnusableKey("kid is not a string of 1 to 256 characters")
    return kid


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    """RFC 7517 sections 4.2 and 4.3: a key that says what it is for is used for nothing else."""
    if "use" in jwk and jwk["use"] != "sig":
        raise UnusableKey("use is not sig")
    operations = jwk.get("key_ops")
    if "key_ops" in jwk and not (isinstance(operations, list) and "verify" in operations):
        raise UnusableKey("key_ops does not hold verify")


def _bound_algorithm(jwk: Mapping[str, Any], members: Mapping[str, str]) -> str | None:
    if "alg" not in jwk:
        return None
    name = jwk["alg"]
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is None or algorithm.kty != members["kty"] or algorithm.crv not in {None, members.get("crv")}:
        raise UnusableKey("alg is not a signature algorithm for this type of key")
    return algorithm.name


def _rsa(jwk: Mapping[str, Any]) -> tuple[object, dict[str, str]]:
    n, e = (int.from_bytes(decode_base64url(jwk[name]), "big") for name in ("n", "e"))
    if why := weak_rsa(n, e):
        raise UnusableKey(why)
    return rsa.RSAPublicNumbers(e, n).public_key(), {"e": _unsigned(e), "kty": "RSA", "n": _unsigned(n)}


def _ec(jwk: Mapping[str, Any]) -> tuple[object, dict[str, str]]:
    crv = jwk["crv"]
    curve, size = _CURVES[crv], (_CURVES[crv].key_size + 7) // 8
    x, y = (int.from_bytes(decode_base64url(jwk[name]), "big") for name in ("x", "y"))
    # public_key() checks that the point is on the curve (RFC 8725 section 3.4).
    public = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    return public, {"crv": crv, "kty": "EC", "x": _unsigned(x, size), "y": _unsigned(y, size)}


def _okp(jwk: Mapping[str, Any]) -> tuple[object, dict[str, str]]:
    if jwk.get("crv") != "Ed25519":
        raise UnusableKey("crv is not Ed25519")
    raw = decode_base64url(jwk["x"])
    return ed25519.Ed25519PublicKey.from_public_bytes(raw), {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw)}


def _unsigned(number: int, size: int | None = None) -> str:
    return _encoded(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
