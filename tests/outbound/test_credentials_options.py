"""ClientCredentials: nonsense is refused when made, nothing secret is shown, and each request is built anew."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest

from interservice.errors import ConfigurationError
from interservice.issuer.keys import generate
from interservice.outbound.credentials import ClientCredentials

URL = "https://auth.example/token"
ISSUER = "https://auth.example"
KEY = generate("ES256")


def private_jwk(alg: str, /, **members: Any) -> dict[str, Any]:
    from jwt.algorithms import get_default_algorithms

    key: dict[str, Any] = get_default_algorithms()[alg].to_jwk(generate(alg).private, as_dict=True)
    key.pop("key_ops", None)
    return key | members


def made(**options: Any) -> ClientCredentials:
    return ClientCredentials(**({"client_id": "orders", "client_secret": "hunter2", "token_url": URL} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client_id": ""}, r"ClientCredentials\.client_id must be a non-empty string"),
        ({"client_secret": None}, "exactly one of client_secret and private_key"),
        ({"private_key": KEY.pem()}, "exactly one of client_secret and private_key"),
        ({"client_secret": ""}, r"ClientCredentials\.client_secret must be a non-empty string"),
        ({"client_secret": b"hunter2"}, r"ClientCredentials\.client_secret must be a non-empty string"),
        ({"token_url": None}, "needs token_url or issuer"),
        ({"token_url": "auth.example/token"}, r"ClientCredentials\.token_url must be an https URL"),
        ({"token_url": "http://auth.example/token"}, r"ClientCredentials\.token_url must be https beyond this machine"),
        ({"token_url": "https://u:hunter2@auth.example/"}, r"ClientCredentials\.token_url must hold neither"),
        ({"issuer": "http://auth.example"}, r"ClientCredentials\.issuer must be https"),
        ({"issuer": 7}, r"ClientCredentials\.issuer must be an https URL"),
        ({"auth_method": "none"}, r"ClientCredentials\.auth_method must be one of"),
        ({"auth_method": "private_key_jwt"}, r"auth_method must fit the secret given, not 'private_key_jwt'"),
        ({"scope": ""}, r"ClientCredentials\.scope"),
        ({"scope": [1]}, r"ClientCredentials\.scope"),
        ({"resource": 5}, r"ClientCredentials\.resource"),
        ({"audience": ""}, r"ClientCredentials\.audience"),
        ({"extra": {"scope": "x"}}, r"ClientCredentials\.extra"),
        ({"extra": {"client_secret": "hunter2"}}, r"ClientCredentials\.extra"),
        ({"extra": {"a": 1}}, r"ClientCredentials\.extra"),
        ({"extra": "hunter2"}, r"ClientCredentials\.extra"),
        ({"client_secret": None, "private_key": KEY.pem()}, "issuer is needed with a private_key"),
        ({"client_secret": None, "private_key": "hunter2", "issuer": ISSUER}, r"private_key must be a private key"),
        ({"client_secret": None, "private_key": 5, "issuer": ISSUER}, r"private_key must be a private key"),
        ({"client_secret": None, "private_key": KEY.jwk, "issuer": ISSUER}, r"private_key must be a private key"),
        ({"client_secret": None, "private_key": {"kty": "oct", "k": "aGk"}, "issuer": ISSUER}, r"private_key must be a private"),
        (
            {"client_secret": None, "private_key": private_jwk("ES256", alg="RS256"), "issuer": ISSUER},
            r"private_key",
        ),
        (
            {"client_secret": None, "private_key": KEY.pem(), "issuer": ISSUER, "auth_method": "client_secret_post"},
            r"auth_method must fit the private key given",
        ),
    ],
)
def test_nonsense_is_refused_without_showing_a_secret(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        made(**options)

    assert "hunter2" not in str(caught.value)


def test_no_secret_is_in_the_repr() -> None:
    keyed = made(client_secret=None, private_key=KEY.pem(), issuer=ISSUER)

    assert "hunter2" not in repr(made(extra={"assertion": "hunter2"}))
    assert "PRIVATE" not in repr(keyed)
    assert "orders" in repr(keyed)


@pytest.mark.parametrize(
    ("url", "permitted"),
    [
        ("https://billing/x", True),
        ("http://127.0.0.1:8000/", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("http://127.8.8.8/", True),
        ("http://billing/x", False),
        ("http://10.0.0.1/", False),
        ("http://localhost.evil.example/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("ftp://127.0.0.1/", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_a_token_goes_over_https_or_stays_on_this_machine(url: str, permitted: bool) -> None:
    assert made().permits(url) is permitted


def test_plain_http_is_permitted_when_said_aloud() -> None:
    assert made(allow_http=True).permits("http://billing/x")
    assert not made(allow_http=True).permits("ftp://billing/x")


def form_of(credentials: ClientCredentials, now: float = 1_800_000_000.0) -> tuple[dict[str, str], list[tuple[str, str]]]:
    headers, body = credentials.request(now)
    return dict(headers), parse_qsl(body.decode(), strict_parsing=True)


def test_a_secret_goes_into_the_header_form_encoded() -> None:
    headers, form = form_of(made(client_id="a:b", client_secret="ü +%"))

    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"a%3Ab:%C3%BC+%2B%25"
    assert form == [("grant_type", "client_credentials")]


def test_a_secret_goes_into_the_form_when_asked() -> None:
    headers, form = form_of(made(auth_method="client_secret_post"))

    assert "Authorization" not in headers
    assert form[1:] == [("client_id", "orders"), ("client_secret", "hunter2")]


def test_scopes_resources_audience_and_more_are_sent() -> None:
    _, form = form_of(made(scope=["a", "b"], resource=["https://r1", "https://r2"], audience="billing", extra={"x": "y z"}))

    assert form[1:] == [
        ("scope", "a b"),
        ("resource", "https://r1"),
        ("resource", "https://r2"),
        ("audience", "billing"),
        ("x", "y z"),
    ]


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_an_assertion_is_for_the_issuer_alone_and_new_each_time(alg: str) -> None:
    jwk = private_jwk(alg, alg=alg, kid="key-1")
    credentials = made(client_secret=None, private_key=jwk, issuer=ISSUER)
    sent = [dict(form_of(credentials)[1]) for _ in range(2)]

    public = jwt.PyJWK({name: value for name, value in jwk.items() if name not in {"d", "p", "q", "dp", "dq", "qi"}})
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = [jwt.decode(form["client_assertion"], public, [alg], audience=ISSUER, options=options) for form in sent]
    header = jwt.get_unverified_header(sent[0]["client_assertion"])
    assert sent[0]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert header == {"alg": alg, "typ": "client-authentication+jwt", "kid": "key-1"}
    assert claims[0]["aud"] == ISSUER
    assert claims[0]["iss"] == claims[0]["sub"] == "orders"
    assert claims[0]["exp"] - claims[0]["iat"] == 60
    assert claims[0]["jti"] != claims[1]["jti"]


@pytest.mark.parametrize("form", [bytes, str, "jwk", "json"])
def test_a_private_key_may_be_pem_or_jwk(form: Any) -> None:
    jwk = private_jwk("RS256")
    key: Any = {"jwk": jwk, "json": json.dumps(jwk), bytes: KEY.pem(), str: KEY.pem().decode()}[form]

    header = jwt.get_unverified_header(
        dict(form_of(made(client_secret=None, private_key=key, issuer=ISSUER))[1])["client_assertion"]
    )

    assert header["alg"] == ("RS256" if form in {"jwk", "json"} else "ES256")
    assert "kid" not in header


def test_copies_have_the_options_and_a_life_of_their_own() -> None:
    credentials = made(extra={"x": "y"}, scope=["a"])
    credentials._source()

    for twin in (copy.copy(credentials), copy.deepcopy(credentials), pickle.loads(pickle.dumps(credentials))):
        assert form_of(twin) == form_of(credentials)
        assert twin._sources == {}
