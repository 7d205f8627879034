"""Every attack on a token ends in one InvalidToken with a reason, and never in anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interservice.errors import InvalidToken
from interservice.testing import FakeClock
from interservice.tokens import Reason, StaticKeys, Verifier

from .attacks import CLASSES, HEADER, KIDS, OUT_OF_TIME, T
from .minting import AUDIENCE, ISSUER, NOW, claims, compact, jwk, jwks, mint, payload_of, shown

TOKENS = [
    pytest.param(token, each.reasons, id=f"{each.title}-{number}") for each in CLASSES for number, token in enumerate(each.tokens)
]


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    keys = StaticKeys(jwks(jwk("rsa"), jwk("p256"), jwk("ed"), jwk("p384")))
    return Verifier(ISSUER, AUDIENCE, keys=keys, clock=FakeClock())


def refused(verifier: Any, token: Any) -> Reason:
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(token)
    assert isinstance(caught.value.reason, Reason)
    assert caught.value.status == 401
    return caught.value.reason


@pytest.mark.parametrize(
    ("key", "alg"), [("rsa", "RS256"), ("rsa", "PS256"), ("p256", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")], ids=shown
)
def test_good_token_is_accepted_with_every_default_algorithm(verifier: Verifier, key: str, alg: str) -> None:
    assert verifier.verify(mint(key, alg)).subject == "svc-a"


@pytest.mark.parametrize(("token", "reasons"), TOKENS)
def test_attack_is_refused(verifier: Verifier, token: str, reasons: frozenset[Reason]) -> None:
    assert refused(verifier, token) in reasons


def test_every_reason_that_a_class_names_occurs(verifier: Verifier) -> None:
    for each in CLASSES:
        assert {refused(verifier, token) for token in each.tokens} == each.reasons, each.title


def test_kid_is_unknown_where_its_form_is_right(verifier: Verifier) -> None:
    reasons = [refused(verifier, compact({"alg": "RS256", "kid": kid}, claims())) for kid in KIDS]
    assert reasons == [Reason.UNKNOWN_KEY] * 5 + [Reason.HEADER] * 9 + [Reason.TOO_LARGE]


def test_times_are_told_apart(verifier: Verifier) -> None:
    reasons = [refused(verifier, mint(**changes)) for changes in OUT_OF_TIME]
    assert reasons == [Reason.EXPIRED] * 3 + [Reason.NOT_YET_VALID] * 2


@pytest.mark.parametrize("depth", [4, 15], ids=shown)
def test_nesting_that_real_tokens_have_is_accepted(verifier: Verifier, depth: int) -> None:
    deep = payload_of('"x":' + "[" * depth + "]" * depth + ',"y":' + json.dumps([{"roles": ["[{["]}] * 20) + ",")
    assert verifier.verify(compact(HEADER, deep)).subject == "svc-a"


@pytest.mark.parametrize("changes", [{"exp": NOW - 29.5}, {"nbf": NOW + 30}, {"iat": NOW + 30}, {"exp": NOW + 0.25}], ids=shown)
def test_clocks_may_differ_by_the_leeway(verifier: Verifier, changes: dict[str, Any]) -> None:
    assert verifier.verify(mint(**changes)).subject == "svc-a"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"], ids=shown)
def test_usual_types_are_accepted(verifier: Verifier, typ: str) -> None:
    assert verifier.verify(mint(header={"typ": typ})).subject == "svc-a"


@pytest.mark.parametrize("token", [None, 7, T.encode(), [T], {}, object(), True], ids=shown)
def test_token_that_is_no_string_is_refused(verifier: Verifier, token: Any) -> None:
    assert refused(verifier, token) is Reason.MALFORMED


@pytest.mark.parametrize("missing", ["sub", "client_id", "iat", "jti", "exp"], ids=shown)
def test_profile_wants_every_claim_of_rfc9068(missing: str) -> None:
    strict = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(jwks(jwk("rsa"))), profile="rfc9068", clock=FakeClock())
    assert strict.verify(mint(header={"typ": "at+jwt"})).client_id == "svc-a"
    assert refused(strict, mint(header={"typ": "at+jwt"}, **dict[str, Any]({missing: None}))) is Reason.MISSING_CLAIM


@pytest.mark.parametrize("typ", ["JWT", None, "dpop+jwt", "at+jwt2", "at", "application/jwt", "x/at+jwt", ""], ids=shown)
def test_profile_wants_the_type_of_an_access_token(typ: str | None) -> None:
    strict = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(jwks(jwk("rsa"))), profile="rfc9068", clock=FakeClock())
    assert refused(strict, mint(header={"typ": typ})) is Reason.TYPE
