"""Tokens bound to a client certificate, over every binding: good with it, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from interservice.errors import ConfigurationError, InvalidToken
from interservice.inbound.auth import JWTAuth
from interservice.inbound.client_certificate import ClientCertificate
from interservice.inbound.rules import Rule
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from tests.inbound.certs import certificate

from .script import Answer, Script, here

MINE, THEIRS = certificate("mine"), certificate("theirs")
ISSUER = Issuer("https://auth.test", algorithms=["ES256"])
PROXY = ["127.0.0.1/32"]


def bound(cnf: Any = None) -> str:
    return ISSUER.mint(sub="svc-a", aud="orders", cnf={"x5t#S256": MINE.thumbprint} if cnf is None else cnf)


class Repeated(dict[str, str]):
    """Header fields of which a name may occur twice."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        super().__init__(fields)
        self.fields = fields

    def items(self) -> Any:
        return self.fields


@pytest.fixture
def ask(serve: Any, binding: str) -> Any:
    """Asks with a bound token and these fields, which the server has joined where its protocol wants that."""
    script = Script(before=lambda: str(here().certificate).encode())

    def asking(fields: Iterable[tuple[str, str]], token: str | None = None, **options: Any) -> Answer:
        verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
        policies = [ClientCertificate(**options)] if options else []
        serving = serve(script, *policies, JWTAuth(verifier, rules=[Rule("*", "/public", public=True), Rule("*", "/**")]))
        headers = [("Authorization", f"Bearer {token or bound()}"), *fields]
        if binding in ("wsgi", "django-sync"):
            joined: dict[str, str] = {}
            for name, value in headers:
                key = name.replace("_", "-").lower()
                joined[key] = f"{joined[key]},{value}" if key in joined else value
            headers = list(joined.items())
        calls = script.calls
        answers = [serving.ask(headers=Repeated(*headers)) for _ in range(2)]  # the second finds the token verified
        assert answers[0].status == answers[1].status
        assert script.calls - calls == (2 if answers[0].status == 200 else 0)
        answer: Answer = answers[1]
        return answer

    return asking


def refused(answer: Answer) -> None:
    assert answer.status == 401
    assert json.loads(answer.body)["code"] == "invalid_token"
    assert answer.header("WWW-Authenticate") == (
        'Bearer realm="orders", error="invalid_token", error_description="The access token is not valid"'
    )


FIELDS: Any = {
    "xfcc": ("X-Forwarded-Client-Cert", lambda one: f'By=spiffe://a;Hash={one.hash};Subject="CN=a,b"'),
    "xfcc-last": ("X-Forwarded-Client-Cert", lambda one: f"Hash={THEIRS.hash},Hash={one.hash}"),
    "client-cert": ("Client-Cert", lambda one: one.field),
    "escaped": ("X-SSL-Client-Cert", lambda one: one.escaped),
}


@pytest.mark.parametrize("source", FIELDS)
def test_certificate_that_a_trusted_proxy_names_opens(ask: Any, source: str) -> None:
    name, write = FIELDS[source]
    answer = ask([(name, write(MINE))], sources=[source], trusted=PROXY)
    assert (answer.status, answer.body) == (200, MINE.thumbprint.encode())


@pytest.mark.parametrize("source", FIELDS)
@pytest.mark.parametrize("what", ["another", "none", "junk", "empty", "twice", "untrusted", "other source"])
def test_anything_else_refuses_a_bound_token(ask: Any, source: str, what: str) -> None:
    name, write = FIELDS[source]
    good = (name, write(MINE))
    fields = {
        "another": [(name, write(THEIRS))],
        "none": [],
        "junk": [(name, f"{write(MINE)}; x")],
        "empty": [(name, "")],
        "twice": [good, (name, write(THEIRS))],
        "untrusted": [good],
        "other source": [(other, make(MINE)) for other, make in FIELDS.values() if other != name],
    }[what]
    trusted = ["10.0.0.0/8"] if what == "untrusted" else PROXY
    refused(ask(fields, sources=["tls", source], trusted=trusted))


def test_two_fields_of_the_same_certificate_are_refused(ask: Any) -> None:
    for source in ("xfcc", "client-cert", "escaped"):
        name, write = FIELDS[source]
        refused(ask([(name, write(MINE))] * 2, sources=[source], trusted=PROXY))


@pytest.mark.parametrize("source", ["xfcc", "client-cert", "escaped"])
def test_field_with_underscores_beside_the_proxys_does_not_open(ask: Any, source: str) -> None:
    name, write = FIELDS[source]
    spoof = (name.replace("-", "_"), write(MINE))
    for fields in ([spoof, (name, write(THEIRS))], [(name, write(THEIRS)), spoof]):
        refused(ask(fields, sources=[source], trusted=PROXY))


def test_bound_token_is_refused_where_nobody_looks_for_certificates(ask: Any) -> None:
    refused(ask([(name, write(MINE)) for name, write in FIELDS.values()]))


@pytest.mark.parametrize(
    "cnf",
    [
        {},
        "x",
        [],
        {"jkt": MINE.thumbprint},
        {"x5t#S256": MINE.thumbprint, "jkt": "x"},
        {"x5t#S256": MINE.thumbprint + "="},
        {"x5t#S256": MINE.hash},
        {"x5t#S256": [MINE.thumbprint]},
        {"x5t#s256": MINE.thumbprint},
        {"x5t": MINE.thumbprint},
        {"x5t#S256": ""},
        {"x5t#S256": None},
        {"kid": "x"},
    ],
    ids=range(13),
)
def test_any_other_confirmation_is_refused_with_the_certificate_too(ask: Any, cnf: Any) -> None:
    refused(ask([("Client-Cert", MINE.field)], token=bound(cnf), sources=["client-cert"], trusted=PROXY))


def test_token_that_is_bound_to_nothing_needs_no_certificate(ask: Any) -> None:
    token = ISSUER.mint(sub="svc-a", aud="orders")
    assert ask([("Client-Cert", "junk")], token=token, sources=["client-cert"], trusted=PROXY).status == 200


def test_verifier_alone_refuses_a_bound_token_without_its_certificate() -> None:
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    token = bound()
    for shown in (None, THEIRS.thumbprint, "", "é"):
        for look in (verifier.verify, verifier.check):
            with pytest.raises(InvalidToken) as caught:
                look(token, certificate=shown)
            assert caught.value.reason == "binding"
    principal = verifier.verify(token, certificate=MINE.thumbprint)
    assert principal.certificate == MINE.thumbprint
    with pytest.raises(InvalidToken):
        verifier.verify(token)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": []}, "ClientCertificate.sources"),
        ({"sources": "tls"}, "ClientCertificate.sources must be a list"),
        ({"sources": ["x"]}, "ClientCertificate.sources must be one of"),
        ({"sources": ["xfcc", "client-cert"], "trusted": PROXY}, "at most one header"),
        ({"sources": ["xfcc"]}, "ClientCertificate.trusted must name the proxies"),
        ({"sources": ["tls"], "trusted": PROXY}, "ClientCertificate.trusted must be empty"),
        ({"sources": ["xfcc"], "trusted": ["here"]}, "ClientCertificate.trusted must be a list of networks"),
        ({"sources": ["xfcc"], "trusted": "10.0.0.0/8"}, "ClientCertificate.trusted must be a list"),
        ({"escaped_header": ""}, "ClientCertificate.escaped_header"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ClientCertificate(**options)
