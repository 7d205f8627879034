"""Keys from the configuration: what is usable, what is refused, and what is no secret."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from interservice.errors import ConfigurationError
from interservice.tokens import StaticKeys
from interservice.tokens.jwk import UnusableKey, key_from_jwk, key_from_public
from interservice.tokens.weakness import weak_rsa

from .minting import b64u, jwk, jwks, private_key, shown


def pem(name: str) -> bytes:
    public: bytes = private_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public


def test_thumbprint_is_that_of_rfc7638() -> None:
    # RFC 7638 section 3.1.
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = key_from_jwk({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"})
    assert key.kid == key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "keys",
    [
        jwks(jwk("rsa")),
        jwk("rsa"),
        [jwk("rsa")],
        (jwk("rsa"), jwk("p256")),
        json.dumps(jwks(jwk("rsa"))),
        json.dumps(jwk("rsa")).encode(),
        [jwks(jwk("rsa")), pem("p256"), private_key("ed").public_key()],
    ],
    ids=lambda keys: type(keys).__name__ + str(len(keys)),
)
def test_keys_are_taken_in_every_usual_form(keys: Any) -> None:
    assert "rsa" in StaticKeys(keys).kids


def test_ids_may_be_given_to_keys_that_have_none() -> None:
    assert StaticKeys({"one": pem("rsa"), "two": jwk("p256"), "three": private_key("ed").public_key()}).kids == {
        "one",
        "two",
        "three",
    }


def test_pem_with_several_blocks_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="several blocks"):
        StaticKeys(pem("rsa") + pem("p256"))


@pytest.mark.parametrize("name", ["rsa", "p256", "p384", "ed"])
def test_pem_has_its_thumbprint_for_an_id(name: str) -> None:
    expected = key_from_jwk(jwk(name)).thumbprint
    assert StaticKeys(pem(name)).kids == StaticKeys(pem(name).decode()).kids == {expected}


@pytest.mark.parametrize("name", ["rsa", "p256", "ed"])
def test_private_key_gives_its_public_half_and_is_reported(name: str, caplog: pytest.LogCaptureFixture) -> None:
    private = private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with caplog.at_level(logging.ERROR, "interservice.tokens"):
        assert StaticKeys(private).kids == StaticKeys(pem(name)).kids
        assert StaticKeys(jwk(name, private=True)).kids == {name}
    assert len(caplog.records) == 2
    assert "BEGIN" not in caplog.text


EC_OFF_CURVE = {**jwk("p256"), "x": b64u((1).to_bytes(32, "big"))}
UNUSABLE: dict[str, Any] = {
    "oct": {"kty": "oct", "k": b64u(b"x" * 32), "kid": "a"},
    "no kty": {"kid": "a"},
    "kty list": {"kty": ["RSA"]},
    "no object": "rsa",
    "use enc": jwk("rsa", use="enc"),
    "use svid": jwk("rsa", use="jwt-svid"),
    "use null": {**jwk("rsa"), "use": None},
    "ops sign": jwk("rsa", key_ops=["sign"]),
    "ops encrypt": jwk("rsa", key_ops=["encrypt"]),
    "ops text": jwk("rsa", key_ops="verify"),
    "kid int": jwk("rsa", kid=None) | {"kid": 7},
    "kid empty": jwk("rsa") | {"kid": ""},
    "kid huge": jwk("rsa") | {"kid": "k" * 257},
    "alg none": jwk("rsa", alg="none"),
    "alg list": jwk("rsa", alg=["RS256"]),
    "alg int": jwk("rsa", alg=7),
    "alg null": {**jwk("rsa"), "alg": None},
    "alg oaep": jwk("rsa", alg="RSA-OAEP"),
    "alg hmac": jwk("rsa", alg="HS256"),
    "alg of another type": jwk("rsa", alg="ES256"),
    "alg of another curve": jwk("p256", alg="ES384"),
    "n missing": jwk("rsa", n=None),
    "n int": jwk("rsa", n=7),
    "n padded": jwk("rsa", n=jwk("rsa")["n"] + "="),
    "n junk": jwk("rsa", n="!" + jwk("rsa")["n"]),
    "e one": jwk("rsa", e="AQ"),
    "e even": jwk("rsa", e="Ag"),
    "e huge": jwk("rsa", e=b64u(b"\xff" * 32)),
    "off curve": EC_OFF_CURVE,
    "unknown curve": jwk("p256", crv="secp256k1"),
    "wrong curve": jwk("p256", crv="P-384"),
    "curve list": jwk("p256", crv=["P-256"]),
    "x25519": {"kty": "OKP", "crv": "X25519", "x": jwk("ed")["x"]},
    "ed short": jwk("ed", x="AAAA"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_bad_key_is_no_key_and_never_spoils_the_set(what: str) -> None:
    with pytest.raises(UnusableKey):
        key_from_jwk(UNUSABLE[what])
    assert StaticKeys(jwks(UNUSABLE[what], jwk("p256"))).kids == {"p256"}
    with pytest.raises(ConfigurationError):
        StaticKeys(jwks(UNUSABLE[what]))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": []},
        {"keys": {}},
        {"keys": None},
        [],
        "",
        "junk",
        b"\0",
        "{}",
        "[1]",
        '{"keys":[]}',
        None,
        7,
        object(),
        {"keys": [jwk("rsa")] * 101},
    ],
    ids=shown,
)
def test_set_without_a_usable_key_is_refused(keys: Any) -> None:
    with pytest.raises(ConfigurationError, match="StaticKeys"):
        StaticKeys(keys)


def test_key_of_another_kind_is_refused() -> None:
    others = [
        rsa.generate_private_key(65537, 1024).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
        dsa.generate_private_key(2048).public_key(),
    ]
    for other in others:
        with pytest.raises(UnusableKey):
            key_from_public(other)


def test_weak_rsa_numbers_are_told() -> None:
    good = private_key("rsa").public_key().public_numbers().n
    assert weak_rsa(good, 65537) is None
    assert weak_rsa(good, 3) is None
    assert weak_rsa(good >> 1025, 65537) is not None
    assert weak_rsa((1 << 8192) | 1, 65537) is not None
    assert weak_rsa(good + 1, 65537) is not None


def test_modulus_of_infineon_is_told() -> None:
    # As in the chips (Nemec et al. 2017): 65537^a modulo the product of the first primes.
    primorial = 1
    for prime in [
        2,
        3,
        5,
        7,
        11,
        13,
        17,
        19,
        23,
        29,
        31,
        37,
        41,
        43,
        47,
        53,
        59,
        61,
        67,
        71,
        73,
        79,
        83,
        89,
        97,
        101,
        103,
        107,
        109,
        113,
        127,
        131,
        137,
        139,
        149,
        151,
        157,
        163,
        167,
    ]:
        primorial *= prime
    modulus = primorial * ((1 << 2047) // primorial + 2) + pow(65537, 123456, primorial)
    assert modulus.bit_length() == 2048
    assert weak_rsa(modulus, 65537) == "an RSA key with a known weakness"


DER = private_key("rsa").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS1 = private_key("rsa").public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
SSH = private_key("rsa").public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
NO_SECRET: dict[str, bytes] = {
    "pem": pem("rsa"),
    "pem stripped": pem("rsa").strip(),
    "der": DER,
    "pkcs1 der": PKCS1,
    "ec der": private_key("p256").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "ssh": SSH,
    "ssh after a space": b" " + SSH,
    "jwk": json.dumps(jwk("rsa")).encode(),
    "jwk compact": json.dumps(jwk("p256"), separators=(",", ":")).encode(),
    "jwks": json.dumps(jwks(jwk("rsa"))).encode(),
    "base64 der": base64.b64encode(DER),
    "base64 der in lines": base64.encodebytes(DER),
    "base64url der": base64.urlsafe_b64encode(DER).rstrip(b"="),
    "hex der": DER.hex().encode(),
    "base64 pem": base64.b64encode(pem("rsa")),
    "hex pem": pem("rsa").hex().encode(),
    "base64 ssh": base64.b64encode(SSH),
}


@pytest.mark.parametrize("what", NO_SECRET)
def test_public_key_in_any_wrapping_is_no_secret(what: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a secret") as caught:
        StaticKeys.secret(NO_SECRET[what])
    assert NO_SECRET[what].decode("latin-1") not in str(caught.value)


@pytest.mark.parametrize("secret", [b"", b"abcd", b"x" * 31, "x" * 32, None], ids=shown)
def test_short_secret_is_refused(secret: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"StaticKeys\.secret"):
        StaticKeys.secret(secret)


def test_secret_does_not_show() -> None:
    keys = StaticKeys.secret(b"0123456789abcdef0123456789abcdef")
    shown_text = repr(keys) + repr(keys.lease) + repr(keys.keyset.keys)
    assert "0123456789abcdef" not in shown_text
    assert keys.kids == frozenset()
    for key in keys.keyset.keys:
        assert key.thumbprint not in shown_text
