"""/token: the client credentials grant, and refusals as RFC 6749 section 5.2 has them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from .conftest import SECRET, Scene

if TYPE_CHECKING:
    import requests


def refused(answer: requests.Response, status: int, error: str) -> bool:
    """Every refusal is JSON with an error code, and never to be stored."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json()) == {"error", "error_description"}
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "Location" not in answer.headers
    return True


def claims_of(scene: Scene, token: str, audience: str) -> dict[str, Any]:
    keys = {key["kid"]: jwt.PyJWK(key) for key in scene.app.keys.jwks["keys"]}
    options: Any = {"verify_exp": False, "verify_iat": False}
    header = jwt.get_unverified_header(token)
    claims: dict[str, Any] = jwt.decode(
        token, keys[header["kid"]], algorithms=["ES256"], audience=audience, issuer=scene.issuer, options=options
    )
    return claims


def test_a_client_gets_an_access_token_of_rfc_9068(scene: Scene) -> None:
    answer = scene.token({"scope": "a"})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    body = answer.json()
    assert {name: body[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "a",
    }
    claims = claims_of(scene, body["access_token"], "invoices")
    assert jwt.get_unverified_header(body["access_token"])["typ"] == "at+jwt"
    assert claims["sub"] == claims["client_id"] == "orders"
    assert claims["iat"] == scene.clock.time()
    assert claims["exp"] == claims["iat"] + 300
    assert claims["jti"]


def test_no_scope_asked_for_gives_all(scene: Scene) -> None:
    assert scene.token().json()["scope"] == "a b"


def test_a_client_without_scopes_gets_a_token_without(scene: Scene) -> None:
    answer = scene.token(basic=("resource", "plain")).json()

    assert "scope" not in answer
    assert claims_of(scene, answer["access_token"], scene.issuer)["aud"] == scene.issuer


@pytest.mark.parametrize("parameter", ["audience", "resource"])
def test_an_audience_among_the_clients_own_can_be_chosen(scene: Scene, parameter: str) -> None:
    token = scene.token({parameter: "billing"}).json()["access_token"]

    assert claims_of(scene, token, "billing")["aud"] == "billing"


def test_several_audiences_make_a_list(scene: Scene) -> None:
    token = scene.token({"resource": ["billing", "invoices", "billing"]}).json()["access_token"]

    assert claims_of(scene, token, "billing")["aud"] == ["billing", "invoices"]


def test_the_secret_may_be_in_the_form(scene: Scene) -> None:
    assert scene.token({"client_id": "orders", "client_secret": "plain"}, basic=None).ok


def test_basic_credentials_are_form_decoded(scene: Scene) -> None:
    encoded = base64.b64encode(b"odd%3Aid+%2B%25:s3cret+%2B%25%3A%C3%BC").decode()

    assert scene.token(basic=None, headers={"Authorization": f"Basic {encoded}"}).ok
    assert scene.token({"client_id": "odd:id +%", "client_secret": SECRET}, basic=None).ok


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"scope": "a zzz"}, 400, "invalid_scope"),
        ({"scope": "A"}, 400, "invalid_scope"),
        ({"scope": "a  b"}, 400, "invalid_scope"),
        ({"audience": "elsewhere"}, 400, "invalid_target"),
        ({"resource": ["billing", "elsewhere"]}, 400, "invalid_target"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, 400, "invalid_request"),
        ({"client_secret": "plain"}, 400, "invalid_request"),
        ({"client_id": "resource"}, 400, "invalid_request"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, 400, "unauthorized_client"),
    ],
)
def test_a_request_that_asks_wrongly_is_refused(scene: Scene, form: dict[str, Any], status: int, error: str) -> None:
    assert refused(scene.token(form), status, error)


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic " + base64.b64encode(b"orders").decode(),
        "Basic " + base64.b64encode(b"orders:wrong").decode(),
        "Basic " + base64.b64encode(b"orders:").decode(),
        "Basic " + base64.b64encode(b"nobody:plain").decode(),
        "Basic " + base64.b64encode(b"keyed:plain").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Bearer abc",
        "Digest x",
    ],
)
def test_whoever_cannot_prove_who_they_are_gets_one_and_the_same_answer(scene: Scene, authorization: str) -> None:
    answer = scene.token(basic=None, headers={"Authorization": authorization})

    assert refused(answer, 401, "invalid_client")
    assert answer.json()["error_description"] == "Client authentication failed"
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_no_credentials_are_refused_with_a_challenge(scene: Scene) -> None:
    answer = scene.token({"client_id": "orders"}, basic=None)

    assert refused(answer, 401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_wrong_secret_in_the_form_is_refused(scene: Scene) -> None:
    assert refused(scene.token({"client_id": "orders", "client_secret": "wrong"}, basic=None), 401, "invalid_client")
    assert refused(scene.token({"client_id": "nobody", "client_secret": "plain"}, basic=None), 401, "invalid_client")


def test_parameters_in_the_query_are_refused(scene: Scene) -> None:
    assert refused(scene.token(params={"scope": "a"}), 400, "invalid_request")


def test_another_content_type_is_refused(scene: Scene) -> None:
    answer = scene.post("/token", json={"grant_type": "client_credentials"}, auth=("orders", "plain"))

    assert refused(answer, 400, "invalid_request")


def test_a_body_without_end_is_refused(scene: Scene) -> None:
    assert refused(scene.token({"padding": "x" * 100_000}), 413, "invalid_request")


def test_other_methods_and_paths_are_refused_as_json(scene: Scene) -> None:
    assert refused(scene.session.get(f"{scene.issuer}/token", timeout=5), 405, "invalid_request")
    assert refused(scene.session.get(f"{scene.issuer}/nothing/here", timeout=5), 404, "invalid_request")
    assert refused(scene.session.post(f"{scene.issuer}/jwks", timeout=5), 405, "invalid_request")
