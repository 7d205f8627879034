"""Token exchange (RFC 8693): on behalf of somebody, never with more than both have."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import Scene

if TYPE_CHECKING:
    import requests

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def exchange(scene: Scene, subject: str, **form: Any) -> requests.Response:
    parameters = {"grant_type": GRANT, "subject_token": subject, "subject_token_type": ACCESS_TOKEN} | form
    return scene.post("/token", parameters, auth=("exchanger", "plain"))


def claims(answer: requests.Response) -> dict[str, Any]:
    part = answer.json()["access_token"].split(".")[1]
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


@pytest.fixture
def subject(scene: Scene) -> str:
    token: str = scene.token().json()["access_token"]
    return token


def test_the_new_token_speaks_for_the_subject_and_names_the_actor(scene: Scene, subject: str) -> None:
    answer = exchange(scene, subject)

    assert answer.json()["issued_token_type"] == ACCESS_TOKEN
    assert (claims(answer)["sub"], claims(answer)["client_id"], claims(answer)["aud"]) == ("orders", "exchanger", "billing")
    assert claims(answer)["act"] == {"sub": "exchanger"}


def test_scopes_are_those_that_both_have(scene: Scene, subject: str) -> None:
    assert exchange(scene, subject).json()["scope"] == "a"
    assert exchange(scene, subject, scope="b").json()["error"] == "invalid_scope"
    assert exchange(scene, subject, scope="c").json()["error"] == "invalid_scope"


def test_it_does_not_outlive_the_subject_token(scene: Scene, subject: str) -> None:
    scene.clock.advance(100)

    assert exchange(scene, subject).json()["expires_in"] == 200


def test_an_actor_token_names_the_actor_and_chains_nest(scene: Scene, subject: str) -> None:
    actor = scene.token(basic=("resource", "plain")).json()["access_token"]
    once = exchange(scene, subject, actor_token=actor, actor_token_type=ACCESS_TOKEN)
    twice = exchange(scene, once.json()["access_token"])

    assert claims(once)["act"] == {"sub": "resource"}
    assert claims(twice)["act"] == {"sub": "exchanger", "act": {"sub": "resource"}}


def test_a_chain_of_actors_has_an_end(scene: Scene, subject: str) -> None:
    token = subject
    for _ in range(8):
        token = exchange(scene, token).json()["access_token"]

    assert exchange(scene, token).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    "form",
    [
        {"subject_token": "not one of ours"},
        {"subject_token": ""},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"actor_token": "x"},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    ],
)
def test_what_cannot_be_exchanged_is_refused(scene: Scene, subject: str, form: dict[str, str]) -> None:
    answer = exchange(scene, subject, **form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_expired_token_is_not_exchanged(scene: Scene, subject: str) -> None:
    scene.clock.advance(300)

    assert exchange(scene, subject).status_code == 400


def test_another_audience_than_the_clients_is_refused(scene: Scene, subject: str) -> None:
    assert exchange(scene, subject, audience="invoices").json()["error"] == "invalid_target"
