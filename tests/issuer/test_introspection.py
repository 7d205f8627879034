"""/introspect (RFC 7662): who may ask, and what is told."""

from __future__ import annotations

import pytest

from interservice.issuer.keys import generate
from interservice.issuer.minting import access_token_claims, sign

from .conftest import Scene

RESOURCE = ("resource", "plain")


def ask(scene: Scene, token: str, basic: tuple[str, str] | None = RESOURCE) -> dict[str, object]:
    answer = scene.post("/introspect", {"token": token, "token_type_hint": "access_token"}, auth=basic)
    assert answer.headers["Cache-Control"] == "no-store"
    body: dict[str, object] = answer.json()
    return body


def test_a_good_token_is_active_and_described(scene: Scene) -> None:
    told = ask(scene, scene.token({"scope": "a"}).json()["access_token"])

    assert told["active"] is True
    assert (told["sub"], told["client_id"], told["scope"], told["aud"]) == ("orders", "orders", "a", "invoices")
    assert (told["iss"], told["exp"], told["token_type"]) == (scene.issuer, int(scene.clock.time()) + 300, "Bearer")


def test_nobody_is_told_without_proof_of_who_they_are(scene: Scene) -> None:
    assert ask(scene, "x", None)["error"] == "invalid_client"
    assert ask(scene, "x", ("resource", "wrong"))["error"] == "invalid_client"


def test_a_client_learns_of_its_own_tokens_only(scene: Scene) -> None:
    token = scene.token().json()["access_token"]

    assert ask(scene, token, ("orders", "plain"))["active"] is True
    assert ask(scene, token, ("exchanger", "plain")) == {"active": False}


def test_a_token_is_inactive_from_the_second_it_expires(scene: Scene) -> None:
    token = scene.token().json()["access_token"]
    scene.clock.advance(299)
    assert ask(scene, token)["active"] is True

    scene.clock.advance(1)

    assert ask(scene, token) == {"active": False}


def test_a_revoked_token_is_inactive(scene: Scene) -> None:
    token, other = scene.token().json()["access_token"], scene.token().json()["access_token"]

    assert scene.app.revoke(token)
    assert not scene.app.revoke(token)

    assert ask(scene, token) == {"active": False}
    assert ask(scene, other)["active"] is True


def test_a_rotated_key_counts_until_it_is_dropped(scene: Scene) -> None:
    token = scene.token().json()["access_token"]

    scene.app.rotate()
    assert ask(scene, token)["active"] is True
    scene.app.rotate(keep=0)

    assert ask(scene, token) == {"active": False}


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "..", "é", "x" * 20_000])
def test_what_is_no_token_of_ours_is_inactive(scene: Scene, token: str) -> None:
    assert ask(scene, token) == {"active": False}


def test_tokens_of_other_keys_issuers_and_types_are_inactive(scene: Scene) -> None:
    def claims(issuer: str) -> dict[str, object]:
        return access_token_claims(
            issuer=issuer, subject="x", audience="y", client_id="x", scope=None, now=scene.clock.time(), lifetime=60, token_id="1"
        )

    ours = scene.app.keys.key()
    assert ask(scene, sign(ours, claims(scene.issuer)))["active"] is True
    assert ask(scene, sign(ours, claims("https://elsewhere.example"))) == {"active": False}
    assert ask(scene, sign(ours, claims(scene.issuer), headers={"typ": "JWT"})) == {"active": False}
    assert ask(scene, sign(generate("ES256"), claims(scene.issuer), headers={"kid": ours.kid})) == {"active": False}


def test_a_request_without_token_is_refused(scene: Scene) -> None:
    answer = scene.post("/introspect", {"x": "y"}, auth=RESOURCE)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
