"""What a server must know to verify tokens and keep rules by itself, and the refusal of what no server can.

Fetches nothing, but for the address of an issuer's keys where that is only known from its metadata.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interservice.errors import ConfigurationError
from interservice.inbound.admission import Admission
from interservice.inbound.auth import JWTAuth
from interservice.inbound.deadlines import Deadlines
from interservice.inbound.health import Health
from interservice.inbound.resource import ProtectedResource
from interservice.inbound.tracing import Tracing
from interservice.inbound.versions import Versions, VersionSets
from interservice.tokens import JWKS, Issuers, StaticKeys, Verifier
from interservice.tokens.discovery import Discovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.gateway.edge import Edge
    from interservice.inbound.rules import Rule
    from interservice.tokens.jwk import Key

#: What is not the gateway's to decide, or only ever refuses: the services do it again.
_LEFT: Final = (Tracing, Deadlines, Versions, VersionSets, Admission, ProtectedResource, Health)


class Provider(NamedTuple):
    """One issuer, as a server may verify its tokens.

    Attributes:
        name: For the configuration.
        issuer: `iss`, exactly.
        audiences: One of these must be in `aud`; None for any.
        leeway: Seconds.
        algorithms: Those accepted.
        require: Claims that must be there.
        access_token: Whether `typ` must be at+jwt.
        reject_id_tokens: Whether the claims of an ID token need that type.
        keys: Where the keys are.
    """

    name: str
    issuer: str
    audiences: tuple[str, ...] | None
    leeway: float
    algorithms: tuple[str, ...]
    require: tuple[str, ...]
    access_token: bool
    reject_id_tokens: bool
    keys: StaticKeys | JWKS


def policy(edge: Edge, server: str) -> JWTAuth:
    """The gate's one `JWTAuth`, where there is nothing else in the gate that the server would leave out.

    Raises:
        ConfigurationError: There is.
    """
    found = [each for each in edge.gate.policies if isinstance(each, JWTAuth)]
    others = [each for each in edge.gate.policies if not isinstance(each, (JWTAuth, *_LEFT))]
    if others or len(found) != 1:
        what = f"{type(others[0]).__name__} of the gate" if others else "several JWTAuth of the gate"
        raise ConfigurationError(f"{server} cannot carry out {what}: give Edge.forward_auth")
    return found[0]


def providers(edge: Edge, server: str) -> list[Provider]:
    """The issuers of the gate's verifier.

    Raises:
        ConfigurationError: The verifier does what the server cannot.
    """
    verifier = policy(edge, server).verifier
    if isinstance(verifier, Issuers):
        verifiers: Sequence[Verifier] = verifier.verifiers
    elif isinstance(verifier, Verifier):
        verifiers = [verifier]
    else:
        raise ConfigurationError(f"{server} cannot carry out {type(verifier).__name__}: give Edge.forward_auth")
    named = [(issuer, each) for each in verifiers for issuer in each.issuers]
    return [_provider(f"issuer-{position}", issuer, each, server) for position, (issuer, each) in enumerate(named)]


def _provider(name: str, issuer: str, verifier: Verifier, server: str) -> Provider:
    expected = verifier._expected  # noqa: SLF001 - compiled from options, and of this package
    unable = {
        "Verifier.revocations": verifier.revocations is not None,
        "Verifier.max_lifetime": expected.max_lifetime is not None,
        "Verifier.max_age": expected.max_age is not None,
        "StaticKeys.secret": verifier.keys.has_secret,
    }
    for option in (option for option, given in unable.items() if given):
        raise ConfigurationError(f"{server} cannot carry out {option}: give Edge.forward_auth")
    if not isinstance(verifier.keys, (StaticKeys, JWKS)):
        raise ConfigurationError(f"{server} cannot carry out {type(verifier.keys).__name__}: give Edge.forward_auth")
    return Provider(
        name,
        issuer,
        verifier.audiences,
        expected.leeway,
        tuple(verifier._algorithms),  # noqa: SLF001 - as above
        expected.require,
        expected.rfc9068,
        expected.reject_id_tokens,
        verifier.keys,
    )


def keys_url(keys: JWKS) -> str:
    """Where a key set is. That of an issuer's metadata is asked for now, unless it is known.

    Raises:
        ConfigurationError: The issuer does not tell.
    """
    if isinstance(keys, Discovery) and keys.url == keys.issuer and not keys.warm():
        raise ConfigurationError(f"the metadata of {keys.issuer} cannot be had: give Verifier(keys=JWKS(...)), or have it served")
    return keys.url


def jwks(keys: StaticKeys) -> str:
    """Configured keys as a JWK Set (RFC 7517), in one line."""
    return json.dumps({"keys": [jwk(key) for key in ordered_keys(keys)]})


def ordered_keys(keys: StaticKeys) -> list[Key]:
    """The keys, in an order that is the same each time."""
    return sorted(keys.keyset.keys, key=lambda key: (key.kid, key.thumbprint))


def jwk(key: Key) -> dict[str, Any]:
    """A public key as a JWK."""
    found: dict[str, Any] = {"kid": key.kid, "kty": key.kty, "use": "sig"}
    if key.alg is not None:
        found["alg"] = key.alg
    if key.kty == "RSA":
        numbers = key.material.public_numbers()
        return {**found, "n": _unsigned(numbers.n), "e": _unsigned(numbers.e)}
    if key.kty == "EC":
        point, size = key.material.public_numbers(), (key.material.curve.key_size + 7) // 8
        return {**found, "crv": key.crv, "x": _unsigned(point.x, size), "y": _unsigned(point.y, size)}
    return {**found, "crv": key.crv, "x": _encoded(key.material.public_bytes_raw())}


def pem(key: Key) -> bytes:
    """A public key in PEM."""
    found: bytes = key.material.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def _unsigned(number: int, size: int = 0) -> str:
    return _encoded(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def methods(rule: Rule) -> tuple[str, ...]:
    """The methods of a rule, HEAD with GET; none for all."""
    if "*" in rule.methods:
        return ()
    return tuple(dict.fromkeys((*rule.methods, *(("HEAD",) if "GET" in rule.methods else ()))))


def before(rules: Sequence[Rule], position: int) -> list[Rule]:
    """The rules that come before one and may match the same request: the first counts."""
    return [earlier for earlier in rules[:position] if _overlap(earlier, rules[position])]


def _overlap(one: Rule, other: Rule) -> bool:
    ours, theirs = methods(one), methods(other)
    if ours and theirs and set(ours).isdisjoint(theirs):
        return False
    left, right = one.path.split("/")[1:], other.path.split("/")[1:]
    for mine, its in zip(left, right, strict=False):
        if "**" in (mine, its):
            return True
        if mine != its and not mine.startswith("{") and not its.startswith("{"):
            return False
    # "/a/**" is "/a", too.
    longer = max(left, right, key=len)
    shorter = min(len(left), len(right))
    return len(left) == len(right) or longer[shorter:] == ["**"]
