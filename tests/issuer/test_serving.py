"""The embedded issuer as a process: loopback unless told otherwise, said aloud to be for development, and its options."""

from __future__ import annotations

import io
import socket
from typing import Any

import pytest
import requests

from interservice.errors import ConfigurationError
from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, SigningKey, serve
from interservice.issuer.authentication import Replays
from interservice.issuer.errors import OAuthError
from interservice.issuer.keys import generate, load


def test_it_says_at_start_that_it_is_for_development() -> None:
    out = io.StringIO()

    with serve(out=out) as server:
        assert server.url in out.getvalue()

    assert "for development only" in out.getvalue()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com"])
def test_a_host_beyond_loopback_is_refused_unless_asked_for(host: str) -> None:
    with pytest.raises(ConfigurationError, match="host must be loopback unless allow_remote=True"):
        serve(host=host, out=io.StringIO())


def test_all_interfaces_are_listened_on_when_asked_for() -> None:
    with serve(host="0.0.0.0", allow_remote=True, out=io.StringIO()) as server:
        assert requests.get(f"http://127.0.0.1:{server.port}/jwks", timeout=10).ok


def test_a_port_in_use_is_an_oserror_and_not_an_exit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(port=taken.getsockname()[1], out=io.StringIO())


def test_a_stopped_server_refuses_connections() -> None:
    with serve(out=io.StringIO()) as server:
        pass

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.url}/jwks", timeout=10)


def test_a_server_that_never_started_can_be_stopped() -> None:
    server = serve(out=io.StringIO())

    server.stop()

    with socket.create_server(("127.0.0.1", server.port)):
        pass


def test_any_wsgi_application_can_be_served_and_knows_its_url() -> None:
    def make(url: str) -> Any:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [url.encode()]

        return app

    with Server(make) as server:
        assert requests.get(server.url, timeout=10).text == server.url


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "auth",
        "ftp://auth.example",
        "http://auth.example",
        "https://auth.example/",
        "https://auth.example?x=1",
        "https://auth.example?",
        "https://auth.example#x",
        "https://user:pw@auth.example",
        "https://",
        "https://auth.example:port",
    ],
)
def test_an_issuer_that_is_no_identifier_is_refused(issuer: str) -> None:
    with pytest.raises(ConfigurationError, match=r"AuthorizationServer\.issuer"):
        AuthorizationServer(issuer=issuer)


def test_plain_http_between_containers_must_be_allowed_aloud() -> None:
    assert AuthorizationServer(issuer="http://issuer:9400", allow_http=True).issuer == "http://issuer:9400"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client_id": ""}, r"Client\.client_id"),
        ({"client_id": "é"}, r"Client\.client_id"),
        ({"secret": None}, "needs a secret or jwks"),
        ({"secret": ""}, r"Client\.secret must be a non-empty string"),
        ({"scopes": "a b"}, r"Client\.scopes must be a list of strings"),
        ({"scopes": ["a b"]}, r"Client\.scopes must be a list of scope tokens"),
        ({"audiences": "x"}, r"Client\.audiences"),
        ({"lifetime": 0}, r"Client\.lifetime must be more than 0"),
    ],
)
def test_a_client_of_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Client(**({"client_id": "x", "secret": "hunter2"} | options))


@pytest.mark.parametrize(
    "jwks",
    [
        {},
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
        {"keys": [{"kty": "RSA"}]},
        {"keys": ["x"]},
        {"keys": 1},
    ],
)
def test_client_keys_that_cannot_verify_are_refused(jwks: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Client\('x'\)\.jwks"):
        AuthorizationServer(issuer="https://auth.example", clients=[Client(client_id="x", jwks=jwks)])


def test_two_clients_of_one_id_are_refused() -> None:
    twins = [Client(client_id="x", secret="1"), Client(client_id="x", secret="2")]

    with pytest.raises(ConfigurationError, match="'x' occurs twice"):
        AuthorizationServer(issuer="https://auth.example", clients=twins)


def test_no_secret_is_shown() -> None:
    client = Client(client_id="x", secret="hunter2")
    key = generate("ES256")
    server = AuthorizationServer(issuer="https://auth.example", clients=[client], admin_token="hunter2")

    shown = repr(client) + repr(server) + repr(key) + repr(vars(server))
    assert "hunter2" not in shown
    assert key.pem().decode().splitlines()[1] not in shown


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])
def test_a_key_survives_its_pem(alg: str) -> None:
    key = generate(alg)

    assert load(key.pem(), alg=alg).jwk == key.jwk
    assert load(key.pem().decode()).kid == key.kid


@pytest.mark.parametrize("pem", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(ConfigurationError, match="must be an unencrypted private key in PEM"):
        load(pem)


def test_a_key_of_another_type_than_its_algorithm_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"SigningKey\.private must be a private key for RS256"):
        SigningKey(alg="RS256", private=generate("ES256").private)
    with pytest.raises(ConfigurationError, match=r"SigningKey\.alg"):
        SigningKey(alg="HS256", private=generate("ES256").private)


def test_a_ring_has_one_key_for_each_algorithm() -> None:
    with pytest.raises(ConfigurationError, match="one key for each algorithm"):
        KeyRing([generate("ES256"), generate("ES256")])
    with pytest.raises(ConfigurationError, match="at least one key"):
        KeyRing([])


def test_used_assertions_are_forgotten_when_they_expire_and_never_without_bound() -> None:
    replays = Replays(limit=2)

    assert replays.first(("c", "1"), until=10, now=0)
    assert replays.first(("c", "2"), until=20, now=0)
    assert not replays.first(("c", "1"), until=10, now=0)
    with pytest.raises(OAuthError, match="temporarily_unavailable"):
        replays.first(("c", "3"), until=30, now=5)
    assert replays.first(("c", "3"), until=30, now=15)
    assert not replays.first(("c", "2"), until=20, now=15)
