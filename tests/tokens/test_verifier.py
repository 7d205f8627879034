"""Verification with keys at hand, and what is kept of it."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from interservice.errors import ConfigurationError, InvalidToken, KeysUnavailable
from interservice.testing import FakeClock
from interservice.tokens import JWKS, Issuers, Reason, StaticKeys, Verifier

from .minting import AUDIENCE, ISSUER, NOW, claims, compact, jwk, jwks, mint, private_key, shown

SECRET = b"0123456789abcdef0123456789abcdef"


def verifier(*keys: dict[str, Any], clock: Any = None, **options: Any) -> Verifier:
    given = StaticKeys(jwks(*(keys or (jwk("rsa"),))))
    return Verifier(ISSUER, AUDIENCE, keys=given, clock=clock or FakeClock(), **options)


def test_principal_says_what_the_token_says() -> None:
    principal = verifier().verify(mint(scope="orders:read orders:write", roles=["admin"]))
    assert principal.subject == "svc-a"
    assert principal.issuer == ISSUER
    assert principal.client_id == "svc-a"
    assert principal.scopes == {"orders:read", "orders:write"}
    assert principal.roles == {"admin"}
    assert principal.expires_at == NOW + 3600
    assert principal.token_id == "t-1"
    assert principal.claims["scope"] == "orders:read orders:write"


def test_claims_cannot_be_changed_and_copies_can() -> None:
    once = verifier()
    principal = once.verify(mint(nested={"list": [1, {"a": [2]}]}))
    with pytest.raises(TypeError):
        principal.claims["sub"] = "admin"  # type: ignore[index]
    with pytest.raises(TypeError):
        principal.claims["nested"]["list"].append(3)
    with pytest.raises(TypeError):
        principal.claims["nested"]["list"][1].update(a=1)
    with pytest.raises(AttributeError):
        principal.subject = "admin"  # type: ignore[misc]
    mine = copy.deepcopy(principal.claims["nested"])
    mine["list"].append(3)
    assert principal.claims["nested"] == {"list": [1, {"a": [2]}]}
    assert json.loads(json.dumps(principal.claims))["nested"] == {"list": [1, {"a": [2]}]}


def test_same_token_again_gives_the_same_principal() -> None:
    once, token = verifier(), mint()
    assert once.verify(token) is once.verify(token)
    assert once.check(token) is once.verify(token)
    assert once.wants(token) is None


def test_nothing_is_kept_when_the_cache_has_no_room() -> None:
    once, token = verifier(cache_size=0), mint()
    assert once.verify(token) is not once.verify(token)


def test_kept_tokens_are_bounded() -> None:
    once = verifier(jwk("ed"), cache_size=8)
    for number in range(100):
        once.verify(mint("ed", "EdDSA", jti=str(number)))
    assert len(once._kept) <= 8


def test_kept_token_expires() -> None:
    clock = FakeClock()
    once, token = verifier(clock=clock), mint(exp=int(NOW) + 60)
    once.verify(token)
    clock.advance(89.5)
    assert once.verify(token).subject == "svc-a"
    clock.advance(0.5)
    with pytest.raises(InvalidToken) as caught:
        once.verify(token)
    assert caught.value.reason is Reason.EXPIRED
    assert caught.value.detail == "The access token expired"


def test_token_is_verified_anew_after_five_minutes() -> None:
    clock = FakeClock()
    once, token = verifier(clock=clock), mint()
    first = once.verify(token)
    clock.advance(299)
    assert once.verify(token) is first
    clock.advance(1)
    assert once.verify(token) is not first


def test_kept_token_is_verified_anew_after_the_clock_went_back() -> None:
    clock = FakeClock()
    once, token = verifier(clock=clock), mint(nbf=int(NOW))
    once.verify(token)
    clock.jump(-100)
    with pytest.raises(InvalidToken) as caught:
        once.verify(token)
    assert caught.value.reason is Reason.NOT_YET_VALID


def test_expired_is_told_only_to_who_has_a_real_token() -> None:
    once = verifier()
    with pytest.raises(InvalidToken) as real:
        once.verify(mint(exp=int(NOW) - 100))
    forged = compact({"alg": "RS256", "kid": "rsa"}, claims(exp=int(NOW) - 100), private_key("rsa2"))
    with pytest.raises(InvalidToken) as false:
        once.verify(forged)
    assert real.value.detail == "The access token expired"
    assert false.value.detail is None


def test_token_with_one_of_several_audiences_is_accepted() -> None:
    several = Verifier(ISSUER, ["billing", "orders"], keys=StaticKeys(jwk("rsa")), clock=FakeClock())
    assert several.verify(mint(aud=["x", "billing"])).subject == "svc-a"


def test_audience_is_not_checked_when_that_was_said_aloud() -> None:
    anybody = Verifier(ISSUER, None, keys=StaticKeys(jwk("rsa")), clock=FakeClock())
    assert anybody.verify(mint(aud="whoever")).subject == "svc-a"
    assert anybody.verify(mint(aud=None)).subject == "svc-a"


def test_token_without_expiry_is_accepted_where_none_is_required() -> None:
    lasting = verifier(require=())
    assert lasting.verify(mint(exp=None)).expires_at == math.inf


def test_required_claim_must_be_there() -> None:
    with pytest.raises(InvalidToken) as caught:
        verifier(require=("exp", "tenant")).verify(mint())
    assert caught.value.reason is Reason.MISSING_CLAIM


@pytest.mark.parametrize(
    ("changes", "accepted"), [({}, True), ({"exp": int(NOW) + 3601}, False), ({"iat": None}, False)], ids=shown
)
def test_token_may_live_no_longer_than_is_accepted(changes: dict[str, Any], accepted: bool) -> None:
    brief = verifier(max_lifetime=3600)
    if accepted:
        assert brief.verify(mint(**changes)).subject == "svc-a"
        return
    with pytest.raises(InvalidToken) as caught:
        brief.verify(mint(**changes))
    assert caught.value.reason is Reason.LIFETIME


def test_token_grows_too_old_whatever_its_expiry() -> None:
    clock = FakeClock()
    once, token = verifier(clock=clock, max_age=60), mint()
    once.verify(token)
    clock.advance(89.5)
    assert once.check(token).subject == "svc-a"
    clock.advance(0.5)
    for stale in (token, mint(iat=None)):
        with pytest.raises(InvalidToken) as caught:
            once.verify(stale)
        assert caught.value.reason is Reason.EXPIRED


def test_configured_keys_are_always_at_hand() -> None:
    assert verifier().warm()
    assert Issuers(verifier()).warm()


def test_token_without_kid_is_tried_with_a_few_keys() -> None:
    assert verifier(jwk("rsa2"), jwk("rsa")).verify(mint(header={"kid": None})).subject == "svc-a"


def test_token_without_kid_is_refused_where_it_would_cost_many_tries() -> None:
    many = [jwk("rsa", kid=f"k{number}") for number in range(4)]
    with pytest.raises(InvalidToken) as caught:
        verifier(*many).verify(mint(header={"kid": None}))
    assert caught.value.reason is Reason.UNKNOWN_KEY


def test_every_key_of_one_kid_is_tried() -> None:
    both = verifier(jwk("rsa", kid="same"), jwk("rsa2", kid="same"), jwk("p256", kid="same"))
    for key, alg in (("rsa", "RS256"), ("rsa2", "RS256"), ("p256", "ES256")):
        assert both.verify(mint(key, alg, header={"kid": "same"})).subject == "svc-a"


def test_key_bound_to_an_algorithm_verifies_no_other() -> None:
    bound = verifier(jwk("rsa", alg="RS256"))
    assert bound.verify(mint()).subject == "svc-a"
    with pytest.raises(InvalidToken) as caught:
        bound.verify(mint(alg="PS256"))
    assert caught.value.reason is Reason.UNKNOWN_KEY


@pytest.mark.parametrize("name", ["EdDSA", "Ed25519"], ids=shown)
@pytest.mark.parametrize("says", ["EdDSA", "Ed25519"], ids=shown)
def test_both_names_of_ed25519_are_one_algorithm(name: str, says: str) -> None:
    assert verifier(jwk("ed", alg=name)).verify(mint("ed", says)).subject == "svc-a"


def test_algorithm_off_the_allow_list_is_refused_though_the_key_fits() -> None:
    with pytest.raises(InvalidToken) as caught:
        verifier(algorithms=["PS256"]).verify(mint())
    assert caught.value.reason is Reason.ALGORITHM


def test_secret_verifies_hmac_and_ignores_the_kid() -> None:
    shared = Verifier(ISSUER, AUDIENCE, keys=StaticKeys.secret(SECRET), clock=FakeClock())
    token = compact({"alg": "HS256", "kid": "whatever"}, claims(), SECRET, "HS256")
    assert shared.verify(token).subject == "svc-a"
    with pytest.raises(InvalidToken):
        shared.verify(mint())


def test_either_of_two_secrets_verifies_while_one_is_replaced() -> None:
    shared = Verifier(ISSUER, AUDIENCE, keys=StaticKeys.secret(SECRET, SECRET[::-1]), clock=FakeClock())
    for secret in (SECRET, SECRET[::-1]):
        assert shared.verify(compact({"alg": "HS256"}, claims(), secret, "HS256")).subject == "svc-a"


def test_truncated_hmac_is_refused() -> None:
    shared = Verifier(ISSUER, AUDIENCE, keys=StaticKeys.secret(SECRET), clock=FakeClock())
    token = compact({"alg": "HS256"}, claims(), SECRET, "HS256")
    with pytest.raises(InvalidToken):
        shared.verify(token.rpartition(".")[0] + ".AAAA")


def test_no_keys_yet_is_unavailable_and_never_invalid() -> None:
    cold = Verifier(ISSUER, AUDIENCE, keys=JWKS("http://127.0.0.1:1/jwks", clock=FakeClock()), clock=FakeClock())
    assert cold.wants(mint()) is not None
    with pytest.raises(KeysUnavailable) as caught:
        cold.check(mint())
    assert caught.value.status == 503
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 0


@pytest.mark.parametrize(
    "token",
    [
        mint(iss="https://other.test"),
        mint(aud="other"),
        mint(exp=1),
        mint(nbf=2**33),
        compact({"alg": "none"}, claims()),
        "junk",
        mint() + "=",
    ],
    ids=shown,
)
def test_nothing_is_fetched_for_a_token_that_is_refused_anyway(token: str) -> None:
    cold = Verifier(ISSUER, AUDIENCE, keys=JWKS("http://127.0.0.1:1/jwks", clock=FakeClock()), clock=FakeClock())
    assert cold.wants(token) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"issuer": ""}, "Verifier.issuer"),
        ({"issuer": []}, "Verifier.issuer"),
        ({"issuer": None}, "Verifier.issuer"),
        ({"audience": ""}, "Verifier.audience"),
        ({"audience": []}, "Verifier.audience"),
        ({"leeway": -1}, "Verifier.leeway must be at least 0, not -1"),
        ({"leeway": 301}, "Verifier.leeway must be at most 300, not 301"),
        ({"profile": "x"}, "Verifier.profile"),
        ({"require": "exp"}, "Verifier.require"),
        ({"max_token_bytes": 0}, "Verifier.max_token_bytes"),
        ({"max_age": 0}, "Verifier.max_age"),
        ({"max_lifetime": 0}, "Verifier.max_lifetime"),
        ({"cache_size": -1}, "Verifier.cache_size"),
        ({"algorithms": []}, "Verifier.algorithms"),
        ({"algorithms": "RS256"}, "Verifier.algorithms"),
        ({"algorithms": ["none"]}, "Verifier.algorithms"),
        ({"algorithms": ["RS256", "HS256"]}, "must not mix"),
        ({"algorithms": ["HS256"]}, "Verifier.algorithms"),
        ({"algorithms": ["ES384"]}, "Verifier.keys must hold a key"),
        ({"keys": "https://x"}, "Verifier.keys"),
        ({"keys": StaticKeys.secret(SECRET), "algorithms": ["RS256"]}, "Verifier.algorithms"),
        ({"keys": StaticKeys.secret(SECRET), "algorithms": ["HS512"]}, "64 bytes"),
        ({"keys": None, "issuer": "http://auth.test"}, "https"),
        ({"keys": None, "issuer": "not a url"}, "https"),
        ({"keys": None, "issuer": ["https://a.test", "https://b.test"]}, "Verifier.keys"),
    ],
    ids=shown,
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": StaticKeys(jwk("rsa")), **options}
    with pytest.raises(ConfigurationError, match=message.replace("(", r"\(")):
        Verifier(arguments.pop("issuer"), arguments.pop("audience"), **arguments)
