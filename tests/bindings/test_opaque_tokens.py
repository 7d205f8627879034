"""Opaque tokens and JWTs side by side, over every binding: asking the issuer is work for wherever blocking is allowed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from interservice.events import TokenRefused, TokenVerified
from interservice.inbound.auth import JWTAuth
from interservice.inbound.rules import Rule
from interservice.testing import FakeClock, FaultServer, Issuer, Reply
from interservice.tokens import ByShape, Introspection, StaticKeys, Verifier

from .script import Script, here

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = FakeClock()
ISSUER = Issuer("https://auth.test", algorithms=["EdDSA"], clock=CLOCK)


def said(**members: Any) -> Reply:
    return Reply(body=json.dumps({"active": True, "aud": "orders", "sub": "u-1", "scope": "orders:read", **members}).encode())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(then=said()) as made:
        yield made


@pytest.fixture
def auth(server: FaultServer) -> JWTAuth:
    opaque = Introspection(server.url, "orders", client_id="orders", client_secret="x", url=f"{server.url}/i", clock=CLOCK)
    jwt = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=CLOCK)
    return JWTAuth(ByShape(jwt, opaque), rules=[Rule("*", "/**", scopes=["orders:read"])])


def ask(serving: Any, token: str) -> Any:
    return serving.ask(headers={"Authorization": f"Bearer {token}"})


def subject() -> bytes:
    principal = here().principal
    assert principal is not None
    return str(principal.subject).encode()


def test_both_kinds_of_tokens_say_who_asks(serve: Any, auth: JWTAuth, server: FaultServer) -> None:
    serving = serve(Script(before=subject), auth)
    token = ISSUER.mint(sub="svc-a", aud="orders", scope="orders:read")
    assert [ask(serving, each).body for each in ("opaque", token, "opaque", token)] == [b"u-1", b"svc-a", b"u-1", b"svc-a"]
    assert len(server.requests) == 1
    assert len(serving.recorder.of(TokenVerified)) == 2


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(body=b'{"active":false}'), (401, "invalid_token")),
        (Reply(body=b'{"active":"true"}'), (401, "invalid_token")),
        (said(aud="billing"), (401, "invalid_token")),
        (said(exp=1), (401, "invalid_token")),
        (said(cnf={"jkt": "x"}), (401, "invalid_token")),
        (said(scope="orders:write"), (403, "insufficient_scope")),
        (Reply(status=500), (503, "introspection_unavailable")),
        (Reply(status=302, headers={"Location": "/x"}), (503, "introspection_unavailable")),
        (Reply(body=b"<html>"), (503, "introspection_unavailable")),
        (Reply.drop(), (503, "introspection_unavailable")),
    ],
    ids=["inactive", "string", "audience", "expired", "bound", "scope", "error", "redirect", "html", "drop"],
)
def test_answer_of_the_issuer_decides(
    serve: Any, auth: JWTAuth, server: FaultServer, reply: Reply, told: tuple[int, str]
) -> None:
    status, code = told
    server.expect(reply)
    serving = serve(Script(), auth)
    answer = ask(serving, "opaque")
    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert (answer.header("Retry-After") is not None) == (status == 503)
    assert (answer.header("WWW-Authenticate") is None) == (status == 503)
    assert len(serving.recorder.of(TokenRefused)) == (status == 401)
    assert serving.script.calls == 0
