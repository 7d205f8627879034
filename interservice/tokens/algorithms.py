"""Signature algorithms, each bound to one kind of key (RFC 7518 section 3, RFC 8037, RFC 9864; RFC 8725 section 3.1).

`none` has no representation here, and HMAC takes bytes alone, so that no public key can ever be used as a secret. `verify`
never raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jwt import algorithms as pyjwt

from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a verifier accepts unless told otherwise: asymmetric and in no doubt.
DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


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
    _engine: Any = field(repr=False, compare=False)

    def verify(self, signed: bytes, key: Any, signature: bytes) -> bool:
        """Whether `signature` over `signed` was made with the private half of `key`."""
        try:
            return bool(self._engine.verify(signed, key, signature))
        except Exception:  # noqa: BLE001 - whatever a library makes of a hostile signature, it is not a proof
            return False


def _rsa(bits: str) -> Iterable[Algorithm]:
    digest = getattr(pyjwt.RSAAlgorithm, f"SHA{bits}")
    yield Algorithm(f"RS{bits}", "RSA", None, 0, pyjwt.RSAAlgorithm(digest))
    yield Algorithm(f"PS{bits}", "RSA", None, 0, pyjwt.RSAPSSAlgorithm(digest))


def _known() -> Iterable[Algorithm]:
    for bits in ("256", "384", "512"):
        yield from _rsa(bits)
        digest = getattr(pyjwt.HMACAlgorithm, f"SHA{bits}")
        yield Algorithm(f"HS{bits}", "oct", None, int(bits) // 8, pyjwt.HMACAlgorithm(digest))
    for bits, curve in (("256", "P-256"), ("384", "P-384"), ("512", "P-521")):
        yield Algorithm(f"ES{bits}", "EC", curve, 0, pyjwt.ECAlgorithm(getattr(pyjwt.ECAlgorithm, f"SHA{bits}")))
    for name in ("EdDSA", "Ed25519"):
        yield Algorithm(name, "OKP", "Ed25519", 0, pyjwt.OKPAlgorithm())


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
