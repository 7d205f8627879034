"""Tokens, good and hostile, made byte by byte: no library stands between a test and what it sends."""

from __future__ import annotations

import functools
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from interservice.testing import FakeClock

ISSUER = "https://auth.test"
AUDIENCE = "orders"
NOW = FakeClock().time()

_SIGNERS: dict[str, Any] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "ES384": ECAlgorithm(ECAlgorithm.SHA384),
    "EdDSA": OKPAlgorithm(),
    "Ed25519": OKPAlgorithm(),
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
    "HS512": HMACAlgorithm(HMACAlgorithm.SHA512),
}


def b64u(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@functools.cache
def private_key(name: str) -> Any:
    """A key made once per run: rsa, rsa2, p256, p256b, p384, ed, ed2."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, 2048)
    if name.startswith("p256"):
        return ec.generate_private_key(ec.SECP256R1())
    if name.startswith("p384"):
        return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()


def jwk(name: str, kid: str | None = None, *, private: bool = False, **members: Any) -> dict[str, Any]:
    """The JWK of a key of `private_key`, with further or changed members; None takes one out."""
    key = private_key(name)
    algorithm = RSAAlgorithm if name.startswith("rsa") else ECAlgorithm if name.startswith("p") else OKPAlgorithm
    document: dict[str, Any] = {**algorithm.to_jwk(key if private else key.public_key(), as_dict=True)}
    document.pop("key_ops", None)
    document["kid"] = name if kid is None else kid
    document.update(members)
    return {member: value for member, value in document.items() if value is not None}


def jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims; None takes one out."""
    base = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "svc-a",
        "client_id": "svc-a",
        "scope": "orders:read",
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
        "jti": "t-1",
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def compact(header: bytes | dict[str, Any], payload: bytes | dict[str, Any], key: Any = None, alg: str = "RS256") -> str:
    """A compact JWS over exactly these bytes, signed with `key` under `alg` whatever the header says."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{b64u(head)}.{b64u(body)}"
    return f"{signed}.{b64u(signature(signed.encode(), private_key('rsa') if key is None else key, alg))}"


def signature(signed: bytes, key: Any, alg: str) -> bytes:
    made: bytes = _SIGNERS[alg].sign(signed, key)
    return made


def mint(key: str = "rsa", alg: str = "RS256", *, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A token that is good unless `header` or `changes` make it otherwise."""
    head = {"alg": alg, "kid": key, **(header or {})}
    return compact({name: value for name, value in head.items() if value is not None}, claims(**changes), private_key(key), alg)


def payload_of(text: str) -> bytes:
    """Good claims as JSON, with `text` (members, ending in a comma) put in front."""
    return b"{" + text.encode() + json.dumps(claims()).encode()[1:]


#: Numbers what has no short name of its own: keys are made anew in each process, and every process must find the same tests.
_NUMBERS = itertools.count()


def shown(value: object) -> str | None:
    """An id for a parameter that is unlike any other's, and the same in every process."""
    if callable(value):
        return None
    text = ascii(sorted(value)) if isinstance(value, (set, frozenset)) else ascii(value)
    return text if len(text) <= 50 and " object at 0x" not in text else f"{text[:7]}~{next(_NUMBERS)}"
