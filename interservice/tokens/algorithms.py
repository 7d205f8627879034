"""Signature algorithms, each bound to one kind of key (RFC 7518 section 3, RFC 8037, RFC 9864; RFC 8725 section 3.1).

`none` has no representation here, and HMAC takes bytes alone, so that no public key can ever be used as a secret. `verify`
never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

#: What a verifier accepts unless told otherwise: asymmetric and in no doubt.
DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


#: Returns or raises, given a key, a signature and what was signed.
Proof: TypeAlias = Callable[[Any, bytes, bytes], object]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How one `alg` is verified, and with which keys.

    Attributes:
        name: The registered name, compared exactly.
        kty: The key type that it takes: RSA, EC, OKP or oct.
        crv: The curve, for EC and OKP.
        least_secret: Bytes that an HMAC secret must have at least (RFC 7518 section 3.2).
    """

    name: str
    kty: str
    crv: str | None
    least_secret: int
    _prove: Proof = field(repr=False, compare=False)

    def verify(self, signed: bytes, key: Any, signature: bytes) -> bool:
        """Whether `signature` over `signed` was made with the private half of `key`."""
        try:
            self._prove(key, signature, signed)
        except Exception:  # noqa: BLE001 - whatever a library makes of a hostile signature, it is not a proof
            return False
        return True


def _rsa(scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> Proof:
    """RFC 7518 sections 3.3 and 3.5."""

    def prove(key: rsa.RSAPublicKey, signature: bytes, signed: bytes) -> None:
        key.verify(signature, signed, scheme, digest)

    return prove


def _ecdsa(digest: hashes.HashAlgorithm, size: int) -> Proof:
    """RFC 7518 section 3.4: two numbers of exactly `size` bytes, for which cryptography wants DER."""
    ecdsa = ec.ECDSA(digest)

    def prove(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), signed, ecdsa)

    return prove


def _eddsa(key: ed25519.Ed25519PublicKey, signature: bytes, signed: bytes) -> None:
    """RFC 8037 section 3.1."""
    key.verify(signature, signed)


def _hmac(digest: str) -> Proof:
    """RFC 7518 section 3.2."""

    def prove(key: bytes, signature: bytes, signed: bytes) -> None:
        if not compare_digest(hmac_digest(key, signed, digest), signature):
            raise InvalidSignature

    return prove


def _known() -> Iterable[Algorithm]:
    curves = {"256": ("P-256", 32), "384": ("P-384", 48), "512": ("P-521", 66)}
    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        bits = digest.name.removeprefix("sha")
        curve, size = curves[bits]
        pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        yield Algorithm(f"RS{bits}", "RSA", None, 0, _rsa(padding.PKCS1v15(), digest))
        yield Algorithm(f"PS{bits}", "RSA", None, 0, _rsa(pss, digest))
        yield Algorithm(f"HS{bits}", "oct", None, digest.digest_size, _hmac(digest.name))
        yield Algorithm(f"ES{bits}", "EC", curve, 0, _ecdsa(digest, size))
    for name in ("EdDSA", "Ed25519"):
        yield Algorithm(name, "OKP", "Ed25519", 0, _eddsa)


#: Every algorithm that can be verified, by its registered name.
ALGORITHMS: Mapping[str, Algorithm] = {algorithm.name: algorithm for algorithm in _known()}


def allowed(option: str, names: object) -> dict[str, Algorithm]:
    """The algorithms named in an allow-list.

    Raises:
        ConfigurationError: It is empty, no list, names an unknown algorithm, or mixes HMAC with public keys.
    """
    if isinstance(names, (str, bytes)) or not hasattr(names, "__iter__"):
        raise ConfigurationError(f"{option} must be a list of algorithm names, not {names!r}")
    chosen: dict[str, Algorithm] = {}
    for name in names:
        algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
        if algorithm is None:
            raise ConfigurationError(f"{option} must be names out of {', '.join(sorted(ALGORITHMS))}, not {name!r}")
        chosen[algorithm.name] = algorithm
    if not chosen:
        raise ConfigurationError(f"{option} must name at least one algorithm")
    if 0 < sum(algorithm.kty == "oct" for algorithm in chosen.values()) < len(chosen):
        raise ConfigurationError(
            f"{option} must not mix HMAC with public keys, as {', '.join(chosen)} does (RFC 8725 section 3.1)"
        )
    return chosen
