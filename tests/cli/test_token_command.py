"""`interservice token`: asked for at a real issuer, or minted with a key."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from interservice.__main__ import main
from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, serve
from interservice.issuer.keys import generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = generate("ES256")
RING = KeyRing([KEY])


@pytest.fixture
def server() -> Iterator[Server[AuthorizationServer]]:
    client = Client(client_id="orders", secret="hunter2", jwks={"keys": [KEY.jwk]}, scopes=["a"], audiences=["billing"])
    with serve(clients=[client], keys=RING, out=io.StringIO()) as server:
        yield server


@pytest.fixture
def pem(tmp_path: Path) -> str:
    file = tmp_path / "key.pem"
    file.write_bytes(KEY.pem())
    return str(file)


def test_a_token_is_asked_for_with_the_secret_of_the_environment(
    server: Server[AuthorizationServer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERSERVICE_CLIENT_SECRET", "hunter2")

    assert main(["token", "--issuer", server.url, "--client-id", "orders", "--scope", "a"]) == 0

    claims = server.app.active(capsys.readouterr().out.strip())
    assert claims is not None
    assert claims["sub"] == "orders"


def test_the_secret_may_be_in_a_file_and_the_endpoint_given(
    server: Server[AuthorizationServer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    args = ["--token-url", f"{server.url}/token", "--client-id", "orders", "--client-secret-file", str(tmp_path / "secret")]

    assert main(["token", *args, "--auth-method", "client_secret_post", "--audience", "billing"]) == 0
    assert server.app.active(capsys.readouterr().out.strip())


def test_a_private_key_proves_who_asks_and_the_token_is_shown(
    server: Server[AuthorizationServer], pem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "--issuer", server.url, "--client-id", "orders", "--private-key", pem, "--decode"]) == 0

    shown = capsys.readouterr()
    assert server.app.active(shown.out.strip())
    assert '"aud": "billing"' in shown.err
    assert '"typ": "at+jwt"' in shown.err


def test_a_minted_token_is_believed_by_the_issuer_that_has_the_key(
    server: Server[AuthorizationServer], pem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["--issuer", server.url, "--sub", "svc-a", "--aud", "x", "--aud", "y", "--scope", "a b", "--claim", 'roles=["admin"]']

    assert main(["token", "--mint", "--key", pem, *args]) == 0

    claims = server.app.active(capsys.readouterr().out.strip())
    assert claims is not None
    assert (claims["sub"], claims["aud"], claims["scope"], claims["roles"]) == ("svc-a", ["x", "y"], "a b", ["admin"])


def test_a_refusal_is_one_line_without_the_secret(
    server: Server[AuthorizationServer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERSERVICE_CLIENT_SECRET", "hunter3")

    assert main(["token", "--issuer", server.url, "--client-id", "orders"]) == 1

    shown = capsys.readouterr()
    assert "invalid_client" in shown.err
    assert shown.out == ""
    assert "hunter3" not in shown.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--client-id is needed"),
        (["--client-id", "x", "--issuer", "https://auth.example"], "a secret is needed"),
        (["--mint"], "--key is needed"),
        (["--mint", "--key", "{pem}", "--issuer", "i", "--sub", "s"], "--aud is needed"),
        (
            ["--mint", "--key", "{pem}", "--issuer", "i", "--sub", "s", "--aud", "a", "--claim", "x=y"],
            "--claim must be NAME=JSON",
        ),
        (["--mint", "--key", "{pem}", "--issuer", "i", "--sub", "s", "--aud", "a", "--alg", "RS256"], "a private key for RS256"),
    ],
)
def test_nonsense_is_one_line_and_status_2(
    args: list[str], message: str, pem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("INTERSERVICE_CLIENT_SECRET", raising=False)

    assert main(["token", *(arg.format(pem=pem) for arg in args)]) == 2
    assert message in capsys.readouterr().err


def test_an_opaque_token_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def make(url: str) -> object:
        def app(environ: object, start_response: object) -> list[bytes]:
            start_response("200 OK", [])  # type: ignore[operator]
            return [json.dumps({"access_token": "opaque", "token_type": "Bearer"}).encode()]

        return app

    monkeypatch.setenv("INTERSERVICE_CLIENT_SECRET", "x")
    with Server(make) as server:  # type: ignore[type-var]
        assert main(["token", "--token-url", server.url, "--client-id", "x", "--decode"]) == 0

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("opaque\n", "the token is opaque\n")
