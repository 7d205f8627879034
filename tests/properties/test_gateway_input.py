"""Whatever a client or a broken gateway sends, forward-auth and `GatewayIdentity` answer, and never with a fault or a grant."""

from __future__ import annotations

import json
import secrets
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from interservice import Gate, GatewayIdentity, JWTAuth, Rule
from interservice.errors import Rejection
from interservice.gateway import Signer, forward_auth
from interservice.gateway.fields import plain
from interservice.gateway.original import original
from interservice.http import Request
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from tests.gateway.asking import ask_asgi, ask_wsgi
from tests.inbound.requests import Fields

SECRET = secrets.token_bytes(32)
ISSUER = Issuer("https://auth.test")
AUTH = forward_auth(
    Gate(
        [
            JWTAuth(
                Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks)),
                rules=[Rule("GET", "/healthz", public=True)],
            )
        ]
    ),
    signer=Signer(secret=SECRET),
)
POLICY = GatewayIdentity(SECRET)
#: What a header field can hold on its way through servers: latin-1, anything.
LATIN = st.text(st.characters(max_codepoint=255), max_size=30)
NAMES = st.sampled_from(
    ["X-Original-Method", "X-Original-URI", "X_Original_URI", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Proto",
     "X-Forwarded-Host", "X-Forwarded-For", "Authorization", "X-Auth-Identity", "X_Auth_Identity", "Host"]
)  # fmt: skip
LIKELY = st.sampled_from(
    ["GET", "HEAD", "/healthz", "/healthz/../x", "//healthz", "https", "a.test", "127.0.0.1", "%2f", "/%", "*"]
)
FIELDS = st.lists(st.tuples(NAMES, LIKELY | LATIN), max_size=6)
URLS = st.sampled_from(["/nginx", "/envoy", "/caddy", "/traefik", "/nginx/GET/healthz", "/envoy/healthz", "/caddy/GET", "/"])
TARGETS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=20)


@given(URLS, TARGETS, FIELDS)
@settings(max_examples=150, deadline=None)
@example("/nginx", "", [("X-Original-Method", "GET"), ("X-Original-URI", "/healthz")])
def test_question_of_any_form_is_answered_and_grants_the_public_path_alone(url: str, behind: str, fields: Any) -> None:
    for answer in (ask_wsgi(AUTH.wsgi, "GET", url + behind, *fields), ask_asgi(AUTH.asgi, "GET", url + behind, *fields)):
        assert answer.status in {200, 400, 401, 403, 404, 414}
        assert all("\x20" <= char <= "\x7e" for _, value in answer.headers for char in value)
        if answer.status == 200:
            told = [value for name, value in fields if name.endswith(("Uri", "URI"))]
            assert any(value.partition("?")[0] == "/healthz" for value in [*told, (url + behind)[-8:]])
        else:
            assert answer.header("X-Auth-Identity") is None
            assert json.loads(answer.body)["code"]


@given(st.lists(st.tuples(st.sampled_from(["x-auth-identity", "x_auth_identity", "X-Auth_Identity"]), LATIN), max_size=3))
def test_identity_of_any_form_is_refused_as_the_clients_fault(fields: list[tuple[str, str]]) -> None:
    gate = Gate([POLICY])
    exchange = gate.open(Request("GET", "/orders/7", Fields(*fields)))
    assert gate.prepare(exchange) is None
    reply = gate.admit(exchange)
    assert reply is not None
    assert reply.status == 401


@given(st.text(), st.text(), st.text(), st.lists(st.tuples(NAMES, LATIN), max_size=3))
def test_original_is_one_or_refused(method: str, path: str, query: str, fields: Any) -> None:
    try:
        made = original(method, path, query, Fields(*fields))
    except Rejection:
        return
    assert (made.path + made.query).isascii()
    assert made.path.startswith("/")


@given(st.text(st.characters()), st.text(st.characters()))
def test_plain_values_are_visible_and_never_two_of_one(one: str, other: str) -> None:
    shown = plain(one)
    assert all("\x21" <= char <= "\x7e" and char != "," for char in shown)
    assert (shown == plain(other)) == (one == other)
