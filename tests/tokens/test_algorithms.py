"""Algorithms: bound to their keys, and never an exception whatever they are given."""

from __future__ import annotations

from typing import Any

import pytest

from interservice.tokens.algorithms import ALGORITHMS, DEFAULT_ALGORITHMS
from interservice.tokens.jwk import key_from_jwk

from .minting import jwk, private_key

FITS = {
    "rsa": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"},
    "p256": {"ES256"},
    "p384": {"ES384"},
    "ed": {"EdDSA", "Ed25519"},
}


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
