"""testing.Issuer: tokens and keys in memory, the same over a real socket, and faults."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import jwt
import pytest
import requests

from interservice.errors import ConfigurationError
from interservice.issuer.keys import ALGORITHMS, generate
from interservice.testing import FakeClock, Issuer

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(algorithms=("ES256",))


def verified(token: str, jwks: dict[str, Any], alg: str, audience: str = "orders") -> dict[str, Any]:
    keys = {key["kid"]: jwt.PyJWK(key) for key in jwks["keys"]}
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(token, keys[header["kid"]], algorithms=[alg], audience=audience)
    return claims


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


@pytest.mark.parametrize("alg", [alg for alg in ALGORITHMS if alg != "Ed25519"])
def test_a_minted_token_is_verified_by_the_published_keys(alg: str) -> None:
    issuer = Issuer(algorithms=[alg])

    claims = verified(issuer.mint(sub="svc-a", aud="orders", scope="orders:read"), issuer.jwks, alg)

    assert claims["sub"] == claims["client_id"] == "svc-a"
    assert claims["scope"] == "orders:read"
    assert claims["iss"] == issuer.issuer


def test_a_token_is_an_rfc_9068_access_token_with_an_id_of_its_own(issuer: Issuer) -> None:
    token, other = issuer.mint(aud="orders"), issuer.mint(aud="orders")

    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= payload(token).keys()
    assert payload(token)["jti"] != payload(other)["jti"]


def test_times_are_the_clocks() -> None:
    clock = FakeClock(time=1000.0)
    issuer = Issuer(algorithms=("ES256",), clock=clock, expires_in=60)

    first = payload(issuer.mint())
    clock.advance(30)
    second = payload(issuer.mint(expires_in=-10))

    assert (first["iat"], first["exp"]) == (1000, 1060)
    assert (second["iat"], second["exp"]) == (1030, 1020)


def test_claims_and_headers_are_taken_as_they_are(issuer: Issuer) -> None:
    token = issuer.mint(aud="orders", exp="never", jti=None, roles=["admin"], headers={"typ": "JWT", "kid": None, "crit": ["x"]})

    assert payload(token)["exp"] == "never"
    assert payload(token)["roles"] == ["admin"]
    assert "jti" not in payload(token)
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header == {"alg": "ES256", "typ": "JWT", "crit": ["x"]}


def test_scopes_may_be_a_list_and_a_subject_left_out(issuer: Issuer) -> None:
    claims = payload(issuer.mint(sub=None, scope=["a", "b"]))

    assert claims["scope"] == "a b"
    assert "sub" not in claims


def test_another_key_forges(issuer: Issuer) -> None:
    stranger = generate("ES256")
    forged = issuer.mint(aud="orders", key=stranger, headers={"kid": issuer.keys.key().kid})

    with pytest.raises(jwt.InvalidSignatureError):
        verified(forged, issuer.jwks, "ES256")


def test_an_algorithm_without_a_key_is_refused(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match="alg must be one of ES256, not 'RS256'"):
        issuer.mint(alg="RS256")


def test_rotation_signs_with_a_new_key_and_goes_on_publishing_the_old(issuer: Issuer) -> None:
    old = issuer.mint(aud="orders")
    before = [key["kid"] for key in issuer.jwks["keys"]]

    issuer.rotate()

    after = [key["kid"] for key in issuer.jwks["keys"]]
    assert after[1:] == before
    assert jwt.get_unverified_header(issuer.mint())["kid"] == after[0]
    assert verified(old, issuer.jwks, "ES256")
    issuer.rotate(keep=0)
    assert len(issuer.jwks["keys"]) == 1
    assert not set(before) & {key["kid"] for key in issuer.jwks["keys"]}


def test_the_jwks_holds_no_private_member() -> None:
    for key in Issuer().jwks["keys"]:
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}


def test_served_it_is_discovered_under_its_own_url(issuer: Issuer) -> None:
    with issuer.serve() as url:
        metadata = requests.get(url + DISCOVERY, timeout=5).json()
        keys = requests.get(metadata["jwks_uri"], timeout=5).json()

    assert metadata["issuer"] == url == payload(issuer.mint())["iss"]
    assert keys == issuer.jwks
    assert issuer.requests == [("GET", DISCOVERY), ("GET", "/jwks")]
    assert issuer.hits("/jwks") == 1


def test_served_it_gives_tokens_to_whoever_asks(issuer: Issuer) -> None:
    form = {"grant_type": "client_credentials", "scope": "a", "audience": "orders"}
    with issuer.serve() as url:
        answer = requests.post(f"{url}/token", form, auth=("svc-a", "anything"), timeout=5).json()

    claims = verified(answer["access_token"], issuer.jwks, "ES256")
    assert (claims["sub"], claims["scope"]) == ("svc-a", "a")
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 300


def test_it_comes_back_on_the_same_port(issuer: Issuer) -> None:
    with issuer.serve() as url:
        pass
    with pytest.raises(requests.ConnectionError):
        requests.get(url + "/jwks", timeout=5)
    with pytest.raises(RuntimeError, match="not served"):
        _ = issuer.url

    with issuer.serve() as again:
        assert again == url == issuer.url
        assert requests.get(url + "/jwks", timeout=5).json() == issuer.jwks


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("unavailable", 503, "text/plain"),
        ("error", 500, "text/plain"),
        ("html", 200, "text/html; charset=utf-8"),
        ("redirect", 302, "text/plain"),
        ("refused", 401, "application/json"),
    ],
)
def test_faults_answer_wrongly_until_healed(issuer: Issuer, kind: str, status: int, content_type: str) -> None:
    with issuer.serve() as url:
        issuer.fail(kind, path="/jwks")
        wrong = requests.get(f"{url}/jwks", timeout=5, allow_redirects=False)
        elsewhere = requests.get(url + DISCOVERY, timeout=5)
        issuer.heal()
        right = requests.get(f"{url}/jwks", timeout=5)

    assert (wrong.status_code, wrong.headers["Content-Type"]) == (status, content_type)
    assert elsewhere.ok
    assert right.json() == issuer.jwks


def test_unavailable_may_say_when_to_come_again(issuer: Issuer) -> None:
    with issuer.serve() as url:
        issuer.fail("unavailable", retry_after=7)
        assert requests.get(f"{url}/jwks", timeout=5).headers["Retry-After"] == "7"


def test_a_huge_answer_is_as_large_as_asked(issuer: Issuer) -> None:
    with issuer.serve() as url:
        issuer.fail("huge", size=300_000)
        assert len(requests.get(f"{url}/jwks", timeout=5).content) == 300_000


def test_a_slow_answer_comes_when_healed(issuer: Issuer) -> None:
    answers: list[Any] = []
    with issuer.serve() as url:
        issuer.fail("slow", seconds=60)
        asking = threading.Thread(target=lambda: answers.append(requests.get(f"{url}/jwks", timeout=30).json()))
        asking.start()
        asking.join(0.2)
        assert answers == []
        issuer.heal()
        asking.join()

    assert answers == [issuer.jwks]


def test_an_unknown_fault_is_refused(issuer: Issuer) -> None:
    with pytest.raises(ConfigurationError, match=r"Fault\.kind must be one of"):
        issuer.fail("earthquake")


def test_keys_of_another_issuer_can_be_shared() -> None:
    first = Issuer(algorithms=("ES256",))
    second = Issuer(keys=first.keys.current)

    second.rotate()

    assert first.jwks != second.jwks
    assert second.jwks["keys"][1] == first.jwks["keys"][0]
