"""Algorithms: bound to their keys, and never an exception whatever they are given."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

from interservice.tokens.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from interservice.tokens.jwk import key_from_jwk

from .minting import jwk, private_key

FITS = {
    "rsa": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
    "p256": {"ES256"},
    "p384": {"ES384"},
    "ed": {"EdDSA", "Ed25519"},
}
DIGESTS = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512()}
SIGNERS = {"RS": "rsa", "PS": "rsa", "ES256": "p256", "ES384": "p384", "Ed": "ed"}


def pair(name: str) -> tuple[Any, Any]:
    """What signs with an algorithm, and what verifies."""
    if name.startswith("HS"):
        return bytes(64), bytes(64)
    known = SIGNERS.get(name) or SIGNERS.get(name[:2])
    private = private_key(known) if known else ec.generate_private_key(ec.SECP521R1())
    return private, private.public_key()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_signature_of_another_library_is_proven_and_no_changed_one(name: str) -> None:
    private, public = pair(name)
    signature = get_default_algorithms()["EdDSA" if name == "Ed25519" else name].sign(b"a.b", private)
    verify = ALGORITHMS[name].verify
    assert verify(b"a.b", public, signature) is True
    assert verify(b"a.c", public, signature) is False
    last = signature[-1] ^ 1
    for changed in (signature[:-1], signature + b"\0", b"\0" + signature, signature[:-1] + bytes([last]), signature * 2):
        assert verify(b"a.b", public, changed) is False


@pytest.mark.parametrize("name", DIGESTS)
def test_elliptic_signature_in_der_is_none(name: str) -> None:
    private, public = pair(name)
    assert ALGORITHMS[name].verify(b"a.b", public, private.sign(b"a.b", ec.ECDSA(DIGESTS[name]))) is False


@pytest.mark.parametrize("name", FITS)
def test_key_fits_the_algorithms_of_its_type_and_curve(name: str) -> None:
    key = key_from_jwk(jwk(name))
    assert {algorithm.name for algorithm in ALGORITHMS.values() if key.fits(algorithm)} == FITS[name]


def test_none_is_no_algorithm_and_no_default_is_symmetric() -> None:
    assert not {name.lower() for name in ALGORITHMS} & {"none", ""}
    assert all(ALGORITHMS[name].kty != "oct" for name in DEFAULT_ALGORITHMS)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_whatever_is_verified_with_whatever_is_at_worst_false(name: str) -> None:
    keys: list[Any] = [None, 7, b"", "text", object(), *(private_key(each).public_key() for each in FITS)]
    for key in keys:
        for signature in (b"", b"x", bytes(64), bytes(256)):
            assert ALGORITHMS[name].verify(b"a.b", key, signature) is False
