"""Discovery (RFC 8414), the published keys, and rotation by method and by the admin endpoint."""

from __future__ import annotations

import io
from typing import Any

import jwt
import pytest
import requests

from interservice.issuer import serve

from .conftest import Scene

DISCOVERY = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]


def fetch(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=10, allow_redirects=False)


@pytest.mark.parametrize("path", DISCOVERY)
def test_the_metadata_names_the_issuer_and_its_endpoints(scene: Scene, path: str) -> None:
    metadata = fetch(scene.issuer + path).json()

    assert metadata["issuer"] == scene.server.url
    assert metadata["token_endpoint"] == f"{scene.server.url}/token"
    assert metadata["jwks_uri"] == f"{scene.server.url}/jwks"
    assert metadata["introspection_endpoint"] == f"{scene.server.url}/introspect"
    assert metadata["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert metadata["scopes_supported"] == ["a", "b", "c"]


def test_keys_may_be_cached_and_are_revalidated_by_etag(scene: Scene) -> None:
    first = fetch(f"{scene.issuer}/jwks")

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert fetch(f"{scene.issuer}/jwks", **{"If-None-Match": first.headers["ETag"]}).status_code == 304
    scene.app.rotate()
    assert fetch(f"{scene.issuer}/jwks", **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_rotation_signs_with_a_new_key_and_publishes_both(scene: Scene) -> None:
    old = fetch(f"{scene.issuer}/jwks").json()["keys"]

    scene.app.rotate()

    keys = fetch(f"{scene.issuer}/jwks").json()["keys"]
    assert keys[1:] == old
    assert jwt.get_unverified_header(scene.token().json()["access_token"])["kid"] == keys[0]["kid"]


def test_the_admin_endpoint_rotates_for_its_token(scene: Scene) -> None:
    before = {key["kid"] for key in scene.app.keys.jwks["keys"]}

    answer = scene.post("/admin/rotate?keep=0", headers={"Authorization": "Bearer open sesame"})

    assert answer.status_code == 200
    assert answer.json()["kids"] == [key["kid"] for key in scene.app.keys.jwks["keys"]]
    assert not before & set(answer.json()["kids"])


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic open sesame", "Bearer"])
def test_the_admin_endpoint_rotates_for_nobody_else(scene: Scene, authorization: str | None) -> None:
    before = scene.app.keys.jwks
    headers: dict[str, Any] = {"Authorization": authorization} if authorization else {}

    answer = scene.post("/admin/rotate", headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert scene.app.keys.jwks == before


def test_the_admin_endpoint_refuses_nonsense(scene: Scene) -> None:
    assert scene.post("/admin/rotate?keep=many", headers={"Authorization": "Bearer open sesame"}).status_code == 400
    assert fetch(f"{scene.issuer}/admin/rotate").status_code == 405


def test_there_is_no_admin_endpoint_unless_asked_for() -> None:
    with serve(out=io.StringIO()) as server:
        answer = requests.post(f"{server.url}/admin/rotate", headers={"Authorization": "Bearer "}, timeout=10)

    assert answer.status_code == 404


def test_an_issuer_with_a_path_is_discovered_both_ways() -> None:
    with serve(issuer="http://127.0.0.1:1/tenant", out=io.StringIO()) as server:
        for path in (
            "/.well-known/oauth-authorization-server/tenant",
            "/.well-known/openid-configuration/tenant",
            "/tenant/.well-known/openid-configuration",
        ):
            assert fetch(server.url + path).json()["token_endpoint"] == "http://127.0.0.1:1/tenant/token"
        assert fetch(server.url + "/tenant/jwks").json()["keys"]
        assert fetch(server.url + "/jwks").status_code == 404
