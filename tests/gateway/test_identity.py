"""The gateway's signature: what it says, for how long, and with which keys it is made and proven."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from interservice import ConfigurationError, Gate, GatewayIdentity
from interservice.errors import InvalidToken
from interservice.gateway import Signer
from interservice.http import Request
from interservice.testing import FakeClock
from interservice.tokens import Principal, StaticKeys, Verifier
from tests.inbound.requests import Fields

if TYPE_CHECKING:
    from interservice.exchange import Exchange

CLOCK = FakeClock()
SECRET = secrets.token_bytes(32)
NOW = CLOCK.time()


def principal(**changes: Any) -> Principal:
    claims = {"iss": "https://auth.test", "sub": "anna", "acr": "2", "auth_time": 5, "tenant": "t", "secret": "s"}
    values: dict[str, Any] = {
        "subject": "anna", "issuer": "https://auth.test", "client_id": "shop", "scopes": frozenset({"b", "a"}),
        "roles": frozenset({"admin"}), "claims": claims, "expires_at": NOW + 300.0, "token_id": "t-1",
    } | changes  # fmt: skip
    return Principal(**values)


def exchange(who: Principal | None = None, token: str | None = None, path: str = "/orders/7") -> Exchange:
    made = Gate([], clock=CLOCK).open(Request("GET", path, Fields()))
    made.principal, made.token = who, token
    return made


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = (urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(payload)


def test_identity_says_who_asks_and_for_what() -> None:
    header, claims = parts(Signer(secret=SECRET, clock=CLOCK).sign(exchange(principal(), "the-token")))
    assert header == {"alg": "HS256", "typ": "gateway+jwt"}
    assert claims.pop("req")
    assert claims.pop("ath")
    assert claims == {
        "iss": "gateway", "iat": int(NOW), "exp": int(NOW) + 30, "sub": "anna", "client_id": "shop", "scope": "a b",
        "roles": ["admin"],
        "token": {"iss": "https://auth.test", "jti": "t-1", "exp": NOW + 300, "acr": "2", "auth_time": 5},
    }  # fmt: skip


@pytest.mark.parametrize("target", ["/orders/7", "/a%20b/%C3%A9?x=%20&y=?", "/orders/", "/"])
def test_identity_for_a_request_not_seen_is_that_of_the_one_seen(target: str) -> None:
    signer = Signer(secret=SECRET, clock=CLOCK)
    path, _, query = target.partition("?")
    seen = Gate([]).open(Request("GET", unquote(path), Fields(), query=query))
    seen.principal, seen.token = principal(), "the-token"
    assert signer.issue("GET", target, principal(), token="the-token") == signer.sign(seen)
    seen.principal = seen.token = None
    assert signer.issue("GET", target) == signer.sign(seen)


def test_identity_of_nobody_says_nothing_of_anybody() -> None:
    _, claims = parts(Signer(secret=SECRET, clock=CLOCK).sign(exchange()))
    assert sorted(claims) == ["exp", "iat", "iss", "req"]


def test_further_claims_go_along_when_named() -> None:
    _, claims = parts(Signer(secret=SECRET, claims=["tenant", "absent"], clock=CLOCK).sign(exchange(principal())))
    assert claims["token"] == {"iss": "https://auth.test", "jti": "t-1", "exp": NOW + 300, "tenant": "t"}


def test_identity_is_for_the_audience_named() -> None:
    assert parts(Signer(secret=SECRET, audience="orders", clock=CLOCK).sign(exchange()))[1]["aud"] == "orders"
    assert parts(Signer(secret=SECRET, audience=["a", "b"], clock=CLOCK).sign(exchange()))[1]["aud"] == ["a", "b"]


@pytest.mark.parametrize(("left", "lives"), [(300.0, 30), (10.0, 10), (1.0, 5), (-20.0, 5)])
def test_identity_ends_with_its_token_but_reaches_the_service(left: float, lives: int) -> None:
    _, claims = parts(Signer(secret=SECRET, clock=CLOCK).sign(exchange(principal(expires_at=NOW + left))))
    assert claims["exp"] - NOW == lives


def test_token_without_end_makes_an_identity_that_ends() -> None:
    _, claims = parts(Signer(secret=SECRET, clock=CLOCK).sign(exchange(principal(expires_at=float("inf")))))
    assert claims["exp"] == NOW + 30
    assert "exp" not in claims["token"]


def pem(key: Any) -> bytes:
    encrypted = serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted))


KEYS = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_private_key_signs_and_its_public_half_proves(algorithm: str) -> None:
    signer = Signer(private_key=pem(KEYS[algorithm]), clock=CLOCK)
    token = signer.sign(exchange(principal()))
    header, _ = parts(token)
    assert header["alg"] == algorithm
    (published,) = signer.jwks["keys"]
    assert header["kid"] == published["kid"]
    assert "d" not in published
    gate = Gate([GatewayIdentity(StaticKeys(signer.jwks), clock=CLOCK)], clock=CLOCK)
    arrived = gate.open(Request("GET", "/orders/7", Fields(("X-Auth-Identity", token))))
    while (work := gate.prepare(arrived)) is not None:
        work()
    assert gate.admit(arrived) is None
    assert arrived.principal is not None
    assert arrived.principal.subject == "anna"


def test_secret_is_in_no_jwks_and_no_repr() -> None:
    signer = Signer(secret=SECRET)
    assert signer.jwks == {"keys": []}
    assert repr(SECRET) not in repr(signer)
    assert repr(SECRET) not in repr(GatewayIdentity(SECRET))
    assert "PRIVATE" not in repr(Signer(private_key=pem(KEYS["EdDSA"])))


def test_identity_is_no_access_token_whoever_has_the_key() -> None:
    token = Signer(secret=SECRET, audience="orders", clock=CLOCK).sign(exchange(principal()))
    with pytest.raises(InvalidToken) as refused:
        Verifier("gateway", "orders", keys=StaticKeys.secret(SECRET), clock=CLOCK).verify(token)
    assert refused.value.reason == "type"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Signer must be given a secret or a private_key"),
        ({"secret": SECRET, "private_key": b"x"}, "Signer must be given a secret or a private_key"),
        ({"secret": b"short"}, "at least 32 bytes"),
        ({"secret": "x" * 32}, "must be bytes"),
        ({"private_key": "nonsense"}, r"Signer\.private_key"),
        ({"secret": SECRET, "lifetime": 1}, r"Signer\.lifetime"),
        ({"secret": SECRET, "lifetime": 3600}, r"Signer\.lifetime"),
        ({"secret": SECRET, "issuer": ""}, r"Signer\.issuer"),
        ({"secret": SECRET, "audience": [""]}, r"Signer\.audience"),
        ({"secret": SECRET, "claims": "acr"}, r"Signer\.claims"),
    ],
    ids=["nothing", "both", "short", "text", "no key", "too short a life", "too long a life", "issuer", "audience", "claims"],
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Signer(**options)


def test_verifier_of_another_kind_of_token_takes_that_kind_alone() -> None:
    keys = StaticKeys.secret(SECRET)
    token = Signer(secret=SECRET, audience="orders", clock=CLOCK).sign(exchange(principal()))
    assert Verifier("gateway", "orders", keys=keys, typ="Gateway+JWT", clock=CLOCK).verify(token).subject == "anna"
    with pytest.raises(InvalidToken) as refused:
        Verifier("gateway", "orders", keys=keys, typ="other+jwt", clock=CLOCK).verify(token)
    assert refused.value.reason == "type"
    with pytest.raises(ConfigurationError, match=r"Verifier\.typ"):
        Verifier("gateway", "orders", keys=keys, typ="x", profile="rfc9068")
