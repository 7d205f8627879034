"""private_key_jwt (RFC 7523, rfc7523bis): one audience, one use, keys and never secrets."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from interservice.issuer.minting import sign

from .conftest import KEYS, Scene

if TYPE_CHECKING:
    import requests

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def assertion(scene: Scene, alg: str = "ES256", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
    now = int(scene.clock.time())
    good = {"iss": "keyed", "sub": "keyed", "aud": scene.issuer, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
    return sign(KEYS[alg], good | claims, headers={"typ": "client-authentication+jwt"} | (headers or {}))


def present(scene: Scene, text: str, **form: str) -> requests.Response:
    answer: requests.Response = scene.token({"client_assertion_type": TYPE, "client_assertion": text} | form, basic=None)
    return answer


@pytest.mark.parametrize("alg", KEYS)
def test_a_client_proves_itself_with_its_key(scene: Scene, alg: str) -> None:
    answer = present(scene, assertion(scene, alg))

    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "a"


@pytest.mark.parametrize("typ", ["JWT", "jwt", None, "application/client-authentication+jwt"])
def test_older_types_of_assertions_are_taken(scene: Scene, typ: str | None) -> None:
    assert present(scene, assertion(scene, headers={"typ": typ})).ok


def test_an_assertion_without_key_id_is_tried_with_each_key(scene: Scene) -> None:
    assert present(scene, assertion(scene, "EdDSA", headers={"kid": None})).ok


def test_an_assertion_works_once(scene: Scene) -> None:
    text = assertion(scene)

    assert present(scene, text).ok
    replayed = present(scene, text)

    assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_client")


def test_an_id_may_return_after_its_assertion_has_expired(scene: Scene) -> None:
    assert present(scene, assertion(scene, jti="one")).ok
    scene.clock.advance(30)
    assert present(scene, assertion(scene, jti="one")).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"aud": []},
        {"iss": "orders"},
        {"sub": "orders"},
        {"sub": "nobody", "iss": "nobody"},
        {"sub": None},
        {"sub": 1},
        {"sub": ["keyed"]},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": 0},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"nbf": "x"},
        {"iat": "x"},
    ],
)
def test_claims_that_are_not_to_the_letter_are_refused(scene: Scene, claims: dict[str, Any]) -> None:
    answer = present(scene, assertion(scene, **claims))

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("audience", ["{}/token", "{}/", " {}"])
def test_the_audience_is_the_issuer_and_nothing_like_it(scene: Scene, audience: str) -> None:
    assert present(scene, assertion(scene, aud=audience.format(scene.issuer))).status_code == 401


def test_the_audience_is_a_sole_string(scene: Scene) -> None:
    assert present(scene, assertion(scene, aud=[scene.issuer])).status_code == 401


@pytest.mark.parametrize(("name", "offset"), [("exp", -6), ("exp", 601), ("nbf", 6), ("iat", 6)])
def test_times_out_of_bounds_are_refused(scene: Scene, name: str, offset: int) -> None:
    times: dict[str, Any] = {name: scene.clock.time() + offset}

    assert present(scene, assertion(scene, **times)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "at+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 1},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"crit": ["x"]},
        {"crit": ["b64"], "b64": False},
        {"kid": "unknown"},
        {"kid": 1},
    ],
)
def test_headers_that_say_otherwise_are_refused(scene: Scene, headers: dict[str, Any]) -> None:
    assert present(scene, assertion(scene, headers=headers)).status_code == 401


def test_a_key_signs_with_its_own_algorithm_and_no_other(scene: Scene) -> None:
    now = int(scene.clock.time())
    claims = {"iss": "keyed", "sub": "keyed", "aud": scene.issuer, "exp": now + 60, "jti": "x"}
    headers = {"kid": KEYS["RS256"].kid, "typ": "client-authentication+jwt"}

    assert present(scene, jwt.encode(claims, KEYS["RS256"].private, "PS256", headers)).status_code == 401


def test_a_public_key_is_no_shared_secret(scene: Scene) -> None:
    key = base64.urlsafe_b64decode(KEYS["RS256"].jwk["n"] + "==")
    now = int(scene.clock.time())
    claims = {"iss": "keyed", "sub": "keyed", "aud": scene.issuer, "exp": now + 60, "jti": "x"}

    assert present(scene, jwt.encode(claims, key, "HS256")).status_code == 401


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "..",
        "a.b",
        "a.b.c.d.e",
        "é.é.é",
        base64.urlsafe_b64encode(b'{"alg":"ES256"}').decode().rstrip("=") + "." + "W" * 9000 + ".x",
        base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=") + ".e30.x",
        "ImFsZyI.eyJzdWIiOiJrZXllZCJ9.x",
        "e30.eyJzdWIiOiJrZXllZCJ9.",
    ],
)
def test_what_is_no_assertion_at_all_is_refused(scene: Scene, text: str) -> None:
    answer = present(scene, text)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_member_that_occurs_twice_is_refused(scene: Scene) -> None:
    now = int(scene.clock.time())
    body = f'{{"sub":"orders","sub":"keyed","iss":"keyed","aud":"{scene.issuer}","exp":{now + 60},"jti":"twice"}}'
    good = assertion(scene).split(".")
    twice = base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")

    assert present(scene, f"{good[0]}.{twice}.{good[2]}").status_code == 401


def test_an_assertion_and_a_secret_together_are_refused(scene: Scene) -> None:
    answer = present(scene, assertion(scene), client_id="orders", client_secret="plain")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_another_client_id_beside_the_assertion_is_refused(scene: Scene) -> None:
    assert present(scene, assertion(scene), client_id="orders").status_code == 401


def test_another_assertion_type_is_refused(scene: Scene) -> None:
    answer = present(scene, assertion(scene), client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer")

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_nothing_of_the_assertion_is_echoed(scene: Scene) -> None:
    marker = json.dumps({"alg": "ES256", "kid": "<b>marker"}).encode()
    text = base64.urlsafe_b64encode(marker).decode().rstrip("=") + ".e30.x"

    assert "marker" not in present(scene, text).text
