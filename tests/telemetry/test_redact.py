"""What is taken out of queries, fields and free text."""

from __future__ import annotations

import pytest

from interservice.telemetry.redact import Secrets, redact_text

_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


@pytest.mark.parametrize(
    "name",
    [
        "access_token",
        "ID_TOKEN",
        "code",
        "password",
        "client_secret",
        "api_key",
        "jwt",
        "sig",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "AWSAccessKeyId",
        "X-Goog-Signature",
        "X-Amz-Security-Token",
        "Signature",
        "pass%77ord",
        "user%5Bpassword%5D",
        "user[password]",
        "refreshToken",
        "+token",
    ],
)
def test_values_of_secret_parameters_are_redacted(name: str) -> None:
    assert Secrets().query(f"a=1&{name}=s3cret&b=2") == f"a=1&{name}=REDACTED&b=2"


@pytest.mark.parametrize(
    "query", ["a=1&b=2", "", "&&==&", "token", "tokens=3", "state=token", "q=password", "a;b;c", "%", "%zz=1"]
)
def test_other_queries_are_left_byte_for_byte(query: str) -> None:
    assert Secrets().query(query) == query


def test_semicolons_separate_too() -> None:
    assert Secrets().query("a=1;token=x;b=2") == "a=1;token=REDACTED;b=2"


def test_every_one_of_repeated_parameters_is_redacted() -> None:
    assert Secrets().query("token=a&token=b&token=") == "token=REDACTED&token=REDACTED&token=REDACTED"


@pytest.mark.parametrize(
    "text",
    [
        f"bad token {_JWT}",
        "header was 'Bearer s3cretvalue'",
        "Basic dXNlcjpzM2NyZXQ=",
        "https://me:s3cret@host/x",
        "password=s3cret",
        '{"api_key": "s3cret"}',
    ],
)
def test_free_text_loses_credentials(text: str) -> None:
    told = redact_text(text)
    assert "REDACTED" in told
    for secret in (_JWT, "s3cret", "dXNlcjpzM2NyZXQ"):
        assert secret not in told


@pytest.mark.parametrize("text", ["connection refused", "http://host:80/path", "KeyError: 'token'", "a bearer of news", ""])
def test_harmless_text_is_left(text: str) -> None:
    assert redact_text(text) == text


def test_clients_cannot_fill_the_memory_with_names() -> None:
    secrets = Secrets()
    for number in range(5000):
        secrets.query(f"name{number}=1")
    assert secrets.query("name4999=1&token=x") == "name4999=1&token=REDACTED"
    assert len(secrets._judged) <= 1024
