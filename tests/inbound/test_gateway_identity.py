"""The gateway's word at a service: what is believed, for which request, and what the application then knows."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from interservice import ConfigurationError, Gate, GatewayIdentity, Rule
from interservice.events import TokenRefused
from interservice.gateway import Signer
from interservice.inbound.gateway_claims import digest
from interservice.testing import FakeClock, Recorder
from interservice.tokens import JWKS, Principal, StaticKeys

from .requests import request

if TYPE_CHECKING:
    from interservice.exchange import Exchange
    from interservice.http import Reply

CLOCK = FakeClock()
NOW = CLOCK.time()
SECRET, OTHER = secrets.token_bytes(32), secrets.token_bytes(32)
SIGNER = Signer(secret=SECRET, clock=CLOCK)
ANNA = Principal(
    "anna", "https://auth.test", "shop", frozenset({"orders:read"}), frozenset({"staff"}),
    {"iss": "https://auth.test", "acr": "gold", "auth_time": NOW - 100, "amr": ["pwd"]}, NOW + 300.0, "t-1",
)  # fmt: skip
RULES = [
    Rule("GET", "/orders/{id}", scopes=["orders:read"]),
    Rule("POST", "/orders", scopes=["orders:write"]),
    Rule("GET", "/staff", roles=["staff"]),
    Rule("GET", "/gold", acr=["gold"], max_auth_age=3600),
    Rule("GET", "/fresh", max_auth_age=10),
    Rule("GET", "/ours", issuers=["https://auth.test"]),
    Rule("GET", "/theirs", issuers=["gateway"]),
    Rule("*", "/healthz", public=True),
]


def signed(method: str = "GET", path: str = "/orders/7", who: Any = ANNA, signer: Signer = SIGNER, **options: Any) -> str:
    asked = Gate([], clock=CLOCK).open(request(method, path, **{k: v for k, v in options.items() if k != "token"}))
    asked.principal, asked.token = who, options.get("token")
    return signer.sign(asked)


def passed(policy: GatewayIdentity, *what: Any, listeners: Any = (), **options: Any) -> tuple[Exchange, Reply | None]:
    gate = Gate([policy], listeners, service="orders", clock=CLOCK)
    exchange = gate.open(request(*what, **options))
    while (work := gate.prepare(exchange)) is not None:
        work()
    reply = gate.admit(exchange)
    gate.finish(exchange)
    return exchange, reply


def code(reply: Reply | None) -> str | None:
    return None if reply is None else f"{reply.status} {json.loads(reply.body)['code']}"


def identity(keys: Any = SECRET, **options: Any) -> GatewayIdentity:
    return GatewayIdentity(keys, clock=CLOCK, **options)


def test_application_knows_who_asks_by_their_own_issuer() -> None:
    exchange, reply = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", signed()))
    assert reply is None
    principal = exchange.principal
    assert principal == Principal(
        "anna", "https://auth.test", "shop", frozenset({"orders:read"}), frozenset({"staff"}),
        {
            "iss": "https://auth.test", "acr": "gold", "auth_time": NOW - 100, "amr": ["pwd"], "sub": "anna", "client_id": "shop",
            "scope": "orders:read", "roles": ["staff"], "jti": "t-1", "exp": NOW + 300,
        },
        NOW + 300.0, "t-1",
    )  # fmt: skip
    with pytest.raises(TypeError, match="cannot be changed"):
        principal.claims["sub"] = "eve"  # type: ignore[index]


def test_scopes_and_claims_with_spaces_stay_what_they_are() -> None:
    thumbprint = "A" * 43
    odd = Principal(
        "a b", "i", None, frozenset({"x y", "z"}), frozenset({"r s"}), {"cnf": {"x5t#S256": thumbprint}}, NOW + 9, None
    )
    exchange, _ = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", signed(who=odd)))
    found = exchange.principal
    assert isinstance(found, Principal)
    assert (found.subject, found.client_id, found.token_id, found.certificate) == ("a b", None, None, thumbprint)
    assert (set(found.scopes), set(found.roles)) == ({"x y", "z"}, {"r s"})


def test_nobody_passes_as_nobody() -> None:
    exchange, reply = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", signed(who=None)))
    assert (reply, exchange.principal, exchange.token) == (None, None, None)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("X-Auth-Identity", "")],
        [("X-Auth-Subject", "anna")],
        [("Authorization", "Bearer " + signed())],
    ],
    ids=["nothing", "empty", "plain", "in Authorization"],
)
def test_request_without_identity_did_not_come_through_the_gateway(fields: Any) -> None:
    _, reply = passed(identity(rules=[Rule("*", "/**", public=True)]), "GET", "/orders/7", *fields)
    assert code(reply) == "401 no_gateway_identity"
    assert reply is not None
    assert dict(reply.headers)["WWW-Authenticate"] == 'Gateway realm="orders"'


GOOD = signed()
FORGED = signed(signer=Signer(secret=OTHER, clock=CLOCK))


@pytest.mark.parametrize(
    "fields",
    [
        [("X-Auth-Identity", FORGED)],
        [("X-Auth-Identity", "forged")],
        [("X-Auth-Identity", f"{GOOD},{FORGED}")],
        [("X-Auth-Identity", f"{GOOD}, {FORGED}")],
        [("X-Auth-Identity", f"{GOOD},")],
        [("X-Auth-Identity", f" {GOOD}")],
        [("X-Auth-Identity", GOOD), ("X-Auth-Identity", GOOD)],
        [("X-Auth-Identity", GOOD), ("X-Auth-Identity", "")],
        [("X-Auth-Identity", GOOD), ("X-Auth-Identity", FORGED)],
        [("X_Auth_Identity", GOOD)],
        [("X-Auth-Identity", GOOD), ("X_Auth_Identity", FORGED)],
        [("X_Auth-Identity", FORGED), ("X-Auth-Identity", GOOD)],
        [("X-Auth-Identity", GOOD), ("X-Auth_Identity", "")],
    ],
    ids=[
        "forged", "no token", "joined", "joined with space", "trailing comma", "space", "twice", "twice and empty",
        "two", "underscore", "both spellings", "mixed spelling", "mixed and empty",
    ],
)  # fmt: skip
def test_spoofed_identity_is_never_believed(fields: Any) -> None:
    recorder = Recorder()
    exchange, reply = passed(identity(), "GET", "/orders/7", *fields, listeners=[recorder])
    assert code(reply) == "401 invalid_gateway_identity"
    assert exchange.principal is None
    (event,) = recorder.of(TokenRefused)
    assert event.service == "orders"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/orders/7", {}, None),
        ("HEAD", "/orders/7", {}, None),
        ("GET", "/orders/7/", {}, None),
        ("POST", "/orders/7", {}, "401 invalid_gateway_identity"),
        ("GET", "/orders/8", {}, "401 invalid_gateway_identity"),
        ("GET", "/orders/7", {"query": "x=1"}, "401 invalid_gateway_identity"),
        ("GET", "/7", {"mount": "/orders"}, None),
        ("GET", "/7", {"mount": "/invoices"}, "401 invalid_gateway_identity"),
    ],
)
def test_identity_is_for_one_request(method: str, path: str, options: Any, status: str | None) -> None:
    _, reply = passed(identity(), method, path, ("X-Auth-Identity", signed()), **options)
    assert code(reply) == status
    _, reply = passed(identity(bound=False), method, path, ("X-Auth-Identity", signed()), **options)
    assert reply is None


def test_requests_never_share_a_name() -> None:
    names = {
        digest(request(method, path, query=query, mount=mount))
        for method in ("GET", "POST")
        for path in ("/a", "/b", "/a?b", "/ä")
        for query in ("", "b", "a?b")
        for mount in ("", "/m")
    }
    # "/a" asked with "b" and "/a?b" asked without differ by the mark at the end.
    assert len(names) == 2 * 4 * 3 * 2


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, None), (34, None), (36, "401 invalid_gateway_identity"), (-4, None), (-6, "401 invalid_gateway_identity")],
)
def test_identity_lives_for_seconds(seconds: float, status: str | None) -> None:
    clock = FakeClock(time=NOW + seconds)
    _, reply = passed(GatewayIdentity(SECRET, clock=clock), "GET", "/orders/7", ("X-Auth-Identity", GOOD))
    assert code(reply) == status


def test_two_secrets_are_good_while_one_is_replaced() -> None:
    for token in (GOOD, FORGED):
        assert passed(identity([OTHER, SECRET]), "GET", "/orders/7", ("X-Auth-Identity", token))[1] is None


@pytest.mark.parametrize(
    ("signer", "reader", "status"),
    [
        ({"issuer": "edge"}, {"issuer": "edge"}, None),
        ({"issuer": "edge"}, {}, "401 invalid_gateway_identity"),
        ({"audience": ["orders", "billing"]}, {"audience": "orders"}, None),
        ({"audience": "billing"}, {"audience": "orders"}, "401 invalid_gateway_identity"),
        ({}, {"audience": "orders"}, "401 invalid_gateway_identity"),
        ({"audience": "orders"}, {}, None),
    ],
)
def test_gateway_and_audience_are_those_named(signer: Any, reader: Any, status: str | None) -> None:
    token = signed(signer=Signer(secret=SECRET, clock=CLOCK, **signer))
    assert code(passed(identity(**reader), "GET", "/orders/7", ("X-Auth-Identity", token))[1]) == status


def test_access_token_is_no_identity_whoever_signed_it() -> None:
    claims = {
        "iss": "gateway",
        "iat": NOW,
        "exp": NOW + 30,
        "sub": "eve",
        "req": digest(request("GET", "/orders/7")),
        "token": {"iss": "x"},
    }
    for typ in ("at+jwt", "JWT", "gateway+jwt"):
        token = jwt.encode(claims, SECRET, algorithm="HS256", headers={"typ": typ})
        _, reply = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", token))
        assert code(reply) == (None if typ == "gateway+jwt" else "401 invalid_gateway_identity")


@pytest.mark.parametrize(
    "change",
    [
        {"req": None}, {"req": 7}, {"req": ["x"]}, {"iat": None}, {"exp": None}, {"exp": "soon"}, {"token": 7}, {"token": []},
        {"token": {}}, {"token": {"iss": 7}}, {"token": {"iss": "x", "exp": "soon"}}, {"token": {"iss": "x", "exp": True}},
        {"token": {"iss": "x", "jti": 7}}, {"token": {"iss": "x", "cnf": {"jkt": "x"}}}, {"sub": 7}, {"cnf": {"jkt": "x"}},
    ],
    ids=str,
)  # fmt: skip
def test_identity_of_another_form_is_refused(change: dict[str, Any]) -> None:
    claims = {
        "iss": "gateway",
        "iat": NOW,
        "exp": NOW + 30,
        "sub": "anna",
        "req": digest(request("GET", "/orders/7")),
        "token": {"iss": "x"},
    }
    made = {name: value for name, value in (claims | change).items() if value is not None}
    token = jwt.encode(made, SECRET, algorithm="HS256", headers={"typ": "gateway+jwt"}) if made.get("sub") != 7 else _raw(made)
    _, reply = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", token))
    assert code(reply) == "401 invalid_gateway_identity"


def _raw(claims: dict[str, Any]) -> str:
    return jwt.PyJWS().encode(json.dumps(claims).encode(), SECRET, algorithm="HS256", headers={"typ": "gateway+jwt"})


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [
        ("GET", "/orders/7", ANNA, None),
        ("GET", "/orders/7", None, "401 unauthenticated"),
        ("POST", "/orders", ANNA, "403 insufficient_scope"),
        ("GET", "/staff", ANNA, None),
        ("GET", "/gold", ANNA, None),
        ("GET", "/fresh", ANNA, "401 insufficient_user_authentication"),
        ("GET", "/ours", ANNA, None),
        ("GET", "/theirs", ANNA, "403 forbidden"),
        ("GET", "/healthz", None, None),
        ("GET", "/healthz", ANNA, None),
        ("GET", "/nowhere", ANNA, "403 forbidden"),
        ("GET", "/nowhere", None, "401 unauthenticated"),
        ("GET", "/orders//7", ANNA, "400 ambiguous_path"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "nobody" if value is None else "anna",
)
def test_rules_are_those_of_jwt_auth(method: str, path: str, who: Any, status: str | None) -> None:
    _, reply = passed(identity(rules=RULES), method, path, ("X-Auth-Identity", signed(method, path, who)))
    assert code(reply) == status


PREFLIGHT = ("Origin", "https://shop.test"), ("Access-Control-Request-Method", "GET")


def test_preflight_needs_the_gateway_and_no_principal() -> None:
    token = signed("OPTIONS", "/orders/7", None)
    _, reply = passed(identity(rules=RULES), "OPTIONS", "/orders/7", *PREFLIGHT, ("X-Auth-Identity", token))
    assert reply is None
    _, reply = passed(identity(rules=RULES, preflight=False), "OPTIONS", "/orders/7", *PREFLIGHT, ("X-Auth-Identity", token))
    assert code(reply) == "401 unauthenticated"
    assert code(passed(identity(rules=RULES), "OPTIONS", "/orders/7", *PREFLIGHT)[1]) == "401 no_gateway_identity"


@pytest.mark.parametrize(
    ("peer", "status"), [("10.1.2.3", None), ("192.0.2.1", "401 no_gateway_identity"), (None, "401 no_gateway_identity")]
)
def test_peers_other_than_the_gateways_are_refused_unseen(peer: str | None, status: str | None) -> None:
    _, reply = passed(identity(trusted=["10.0.0.0/8"]), "GET", "/orders/7", ("X-Auth-Identity", GOOD), peer=peer)
    assert code(reply) == status


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        ([("Authorization", "Bearer the.client.token")], "the.client.token"),
        ([("Authorization", "bearer  the.client.token")], "the.client.token"),
        ([("Authorization", "Bearer another.client.token")], None),
        ([("Authorization", "Basic the.client.token")], None),
        ([("Authorization", "Bearer the.client.token"), ("Authorization", "Bearer the.client.token")], None),
        ([], None),
    ],
    ids=["the same", "spelt otherwise", "another", "another scheme", "twice", "none"],
)
def test_forwarded_token_is_taken_when_it_is_the_one_verified(fields: Any, token: str | None) -> None:
    said = signed(token="the.client.token")
    exchange, reply = passed(identity(), "GET", "/orders/7", ("X-Auth-Identity", said), *fields)
    assert (reply, exchange.token) == (None, token)


def test_public_keys_that_cannot_be_had_are_a_503() -> None:
    from tests.gateway.test_identity import KEYS, pem

    token = signed(signer=Signer(private_key=pem(KEYS["EdDSA"]), clock=CLOCK))
    cold = identity(JWKS("http://127.0.0.1:1/jwks"))
    _, reply = passed(cold, "GET", "/orders/7", ("X-Auth-Identity", token))
    assert code(reply) == "503 keys_unavailable"
    assert code(passed(cold, "GET", "/orders/7")[1]) == "401 no_gateway_identity"


def test_public_key_never_serves_as_a_secret() -> None:
    from tests.gateway.test_identity import KEYS, pem

    signer = Signer(private_key=pem(KEYS["RS256"]), clock=CLOCK)
    _, reply = passed(identity(StaticKeys(signer.jwks)), "GET", "/orders/7", ("X-Auth-Identity", GOOD))
    assert code(reply) == "401 invalid_gateway_identity"


@pytest.mark.parametrize(
    ("keys", "options", "message"),
    [
        (b"short", {}, "at least 32 bytes"),
        ([], {}, "at least one secret"),
        ("x" * 32, {}, r"GatewayIdentity\.keys"),
        (None, {}, r"GatewayIdentity\.keys"),
        (SECRET, {"rules": Rule("*", "/")}, r"GatewayIdentity\.rules"),
        (SECRET, {"rules": ["/"]}, r"GatewayIdentity\.rules"),
        (SECRET, {"issuer": ""}, r"GatewayIdentity\.issuer"),
        (SECRET, {"trusted": "10.0.0.0/8"}, r"GatewayIdentity\.trusted"),
        (SECRET, {"realm": ""}, r"GatewayIdentity\.realm"),
        (SECRET, {"leeway": -1}, "leeway"),
        (SECRET, {"algorithms": ["RS256"]}, "HS256"),
    ],
    ids=["short", "no secrets", "text", "none", "a rule", "no rules", "issuer", "trusted", "realm", "leeway", "algorithms"],
)
def test_nonsense_is_refused_when_it_is_made(keys: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        GatewayIdentity(keys, **options)
    assert SECRET.hex() not in str(refused.value)
