"""The metadata of a protected resource (RFC 9728), over every binding: found from the challenge, read without a token."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from interservice.errors import ConfigurationError
from interservice.inbound.auth import JWTAuth
from interservice.inbound.resource import ProtectedResource
from interservice.testing import FakeClock, Issuer
from interservice.tokens import StaticKeys, Verifier

from .script import Script

ISSUER = Issuer("https://auth.test", clock=FakeClock())
AUTH = JWTAuth(Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=FakeClock()))
RESOURCE = ProtectedResource(
    resource="https://api.test/orders",
    authorization_servers=["https://auth.test"],
    scopes_supported=["orders:read"],
    extra={"resource_name": "Orders"},
)
PATH = "/.well-known/oauth-protected-resource/orders"


def guarded(serve: Any, resource: ProtectedResource = RESOURCE) -> Any:
    return serve(Script(), resource, JWTAuth(AUTH.verifier, resource_metadata=resource.url))


def test_client_without_a_token_finds_the_authorization_server(serve: Any) -> None:
    challenge = guarded(serve).ask().header("WWW-Authenticate")
    assert challenge == f'Bearer realm="orders", resource_metadata="https://api.test{PATH}"'
    serving = guarded(serve)
    answer = serving.ask(path=urlsplit(RESOURCE.url).path)
    assert answer.status == 200
    assert answer.header("Content-Type") == "application/json"
    assert json.loads(answer.body) == {
        "resource": "https://api.test/orders",
        "authorization_servers": ["https://auth.test"],
        "scopes_supported": ["orders:read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Orders",
    }
    assert serving.script.calls == 0
    assert serving.served.status == 200


def test_head_has_no_body(serve: Any) -> None:
    answer = guarded(serve).ask("HEAD", PATH)
    assert (answer.status, answer.body) == (200, b"")


def test_document_can_only_be_read(serve: Any) -> None:
    serving = guarded(serve)
    answer = serving.ask("POST", PATH)
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert serving.script.calls == 0


@pytest.mark.parametrize("path", [PATH + "/", PATH + "/x", "/.well-known/oauth-protected-resource", "/orders" + PATH])
def test_other_paths_are_guarded_as_ever(serve: Any, path: str) -> None:
    assert guarded(serve).ask(path=path).status == 401


def test_path_may_be_ones_own(serve: Any) -> None:
    own = ProtectedResource(resource="https://api.test", path="/metadata", certificate_bound=True)
    assert own.url == "https://api.test/metadata"
    answer = guarded(serve, own).ask(path="/metadata")
    assert json.loads(answer.body)["tls_client_certificate_bound_access_tokens"] is True


@pytest.mark.parametrize(
    "options",
    [
        {"resource": "http://api.test"},
        {"resource": "https://api.test#part"},
        {"resource": "orders"},
        {"resource": "https://api.test", "authorization_servers": "https://auth.test"},
        {"resource": "https://api.test", "authorization_servers": ["http://auth.test"]},
        {"resource": "https://api.test", "extra": {"resource": "x"}},
        {"resource": "https://api.test", "path": "metadata"},
        {"resource": "https://api.test", "max_age": -1},
    ],
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="ProtectedResource"):
        ProtectedResource(**options)
