"""Several issuers: each token is proven with the keys of its own issuer, and of no other."""

from __future__ import annotations

import pytest

from interservice.errors import ConfigurationError, InvalidToken
from interservice.testing import FakeClock
from interservice.tokens import JWKS, Issuers, Reason, StaticKeys, Verifier

from .minting import claims, compact, jwk, mint, private_key

ONE, TWO = "https://one.test", "https://two.test"


def of(issuer: str, key: str, audience: str = "orders") -> Verifier:
    return Verifier(issuer, audience, keys=StaticKeys(jwk(key, kid="same")), clock=FakeClock())


def token(issuer: str, key: str, **changes: object) -> str:
    return compact({"alg": "RS256", "kid": "same"}, claims(iss=issuer, **changes), private_key(key))


def test_each_issuer_proves_its_own_tokens() -> None:
    both = Issuers(of(ONE, "rsa"), of(TWO, "rsa2"))
    assert both.verify(token(ONE, "rsa")).issuer == ONE
    assert both.check(token(TWO, "rsa2")).issuer == TWO


def test_key_of_one_issuer_never_proves_a_token_of_another() -> None:
    both = Issuers(of(ONE, "rsa"), of(TWO, "rsa2"))
    with pytest.raises(InvalidToken) as caught:
        both.verify(token(TWO, "rsa"))
    assert caught.value.reason is Reason.SIGNATURE


def test_each_issuer_has_its_own_audience() -> None:
    both = Issuers(of(ONE, "rsa"), of(TWO, "rsa2", audience="billing"))
    with pytest.raises(InvalidToken) as caught:
        both.verify(token(TWO, "rsa2"))
    assert caught.value.reason is Reason.AUDIENCE


def test_unknown_issuer_is_refused_without_a_fetch() -> None:
    remote = Verifier(ONE, "orders", keys=JWKS("http://127.0.0.1:1/jwks"), clock=FakeClock())
    several = Issuers(remote)
    assert several.wants(mint(iss="https://evil.test")) is None
    with pytest.raises(InvalidToken) as caught:
        several.check(mint(iss="https://evil.test"))
    assert caught.value.reason is Reason.ISSUER


def test_same_token_again_gives_the_same_principal() -> None:
    both = Issuers(of(ONE, "rsa"), of(TWO, "rsa2"))
    again = token(ONE, "rsa")
    assert both.verify(again) is both.verify(again)


def test_what_one_verifier_proved_for_all_is_nothing_to_another() -> None:
    one, two = of(ONE, "rsa"), of(TWO, "rsa2")
    Issuers(one, two).verify(token(ONE, "rsa"))
    with pytest.raises(InvalidToken):
        two.verify(token(ONE, "rsa"))


@pytest.mark.parametrize("count", [0, 2])
def test_nonsense_is_refused_when_it_is_made(count: int) -> None:
    with pytest.raises(ConfigurationError, match="Issuers"):
        Issuers(*[of(ONE, "rsa") for _ in range(count)])


def test_junk_is_refused() -> None:
    with pytest.raises(InvalidToken):
        Issuers(of(ONE, "rsa")).verify("junk")


def test_each_issuer_has_its_own_bounds() -> None:
    keys = StaticKeys(jwk("rsa", kid="same"))
    small = Verifier(ONE, "orders", keys=keys, clock=FakeClock(), max_token_bytes=600, cache_size=0)
    both = Issuers(small, of(TWO, "rsa2"))
    assert both.verify(token(ONE, "rsa")) is not both.verify(token(ONE, "rsa"))
    with pytest.raises(InvalidToken) as caught:
        both.verify(token(ONE, "rsa", padding="x" * 600))
    assert caught.value.reason is Reason.TOO_LARGE
    assert both.verify(token(TWO, "rsa2", padding="x" * 600)).issuer == TWO
