"""Authentication at the gate: what each kind of credentials is answered, and what the application then knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from interservice.errors import ConfigurationError, InsufficientScope, Rejection
from interservice.events import TokenRefused
from interservice.inbound.auth import JWTAuth
from interservice.inbound.gate import Gate
from interservice.inbound.rules import Rule
from interservice.testing import FakeClock, Issuer, Recorder
from interservice.tokens import JWKS, Issuers, StaticKeys, Verifier

from .requests import request

if TYPE_CHECKING:
    from interservice.exchange import Exchange
    from interservice.http import Reply

CLOCK = FakeClock()
ISSUER = Issuer("https://auth.test", clock=CLOCK)
VERIFIER = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=CLOCK)
COLD = Verifier("https://auth.test", "orders", keys=JWKS("http://127.0.0.1:1/jwks"), clock=CLOCK)
RULES = [
    Rule("GET", "/orders/{id}", scopes=["orders:read"]),
    Rule("POST", "/orders", scopes=["orders:read", "orders:write"]),
    Rule("GET", "/any", any_scopes=["a", "b"]),
    Rule("GET", "/admin/**", roles=["admin", "root"]),
    Rule("GET", "/partner", clients=["billing"]),
    Rule("*", "/healthz", public=True),
    Rule("GET", "/plain"),
]


def mint(**claims: Any) -> str:
    return ISSUER.mint(**{"sub": "svc-a", "aud": "orders", **claims})


def bearer(**claims: Any) -> tuple[str, str]:
    return "Authorization", f"Bearer {mint(**claims)}"


def passed(gate: Gate, *what: Any, **options: Any) -> tuple[Exchange, Reply | None]:
    exchange = gate.open(request(*what, **options))
    while (work := gate.prepare(exchange)) is not None:
        work()
    return exchange, gate.admit(exchange)


def gate(*rules: Rule, verifier: Any = VERIFIER, service: str | None = "orders", **options: Any) -> Gate:
    return Gate([JWTAuth(verifier, rules=rules, **options)], service=service)


def answer(reply: Reply | None) -> tuple[int, str | None, str]:
    """Status, challenge and code of a refusal."""
    assert reply is not None
    return reply.status, dict(reply.headers).get("WWW-Authenticate"), json.loads(reply.body)["code"]


def test_valid_token_opens_everything_without_rules() -> None:
    token = mint(scope="orders:read")
    exchange, reply = passed(gate(), "DELETE", "/whatever//odd", ("Authorization", f"Bearer {token}"))
    assert reply is None
    assert exchange.principal is not None
    assert exchange.principal.subject == "svc-a"
    assert exchange.token == token


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_scheme_compares_without_case(scheme: str) -> None:
    assert passed(gate(), "GET", "/", ("Authorization", scheme + mint()))[1] is None


@pytest.mark.parametrize(
    "value", [None, "Basic dXNlcjpwYXNz", "DPoP abc", "Bearer:abc", "BearerX abc", "", "Token abc", "Negotiate"]
)
def test_no_bearer_credentials_is_a_challenge_without_an_error(value: str | None) -> None:
    fields = () if value is None else (("Authorization", value),)
    assert answer(passed(gate(), "GET", "/", *fields)[1]) == (401, 'Bearer realm="orders"', "unauthenticated")


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "bearer",
        "Bearer \tabc",
        "Bearer a b",
        'Bearer "abc"',
        "Bearer a,Bearer b",
        "Bearer token=abc;",
        "Bearer a=b",
        "Bearer \u00e9",
    ],
)
def test_malformed_credentials_are_a_bad_request(value: str) -> None:
    status, challenge, code = answer(passed(gate(), "GET", "/", ("Authorization", value))[1])
    assert (status, code) == (400, "invalid_request")
    assert challenge is not None
    assert challenge.startswith('Bearer realm="orders", error="invalid_request", error_description="')


def test_two_authorization_fields_are_a_bad_request() -> None:
    status, _, code = answer(passed(gate(), "GET", "/", bearer(), ("Authorization", "Basic eA=="))[1])
    assert (status, code) == (400, "invalid_request")


def test_two_fields_that_a_server_has_joined_are_a_bad_request() -> None:
    both = f"Bearer {mint()},Bearer {mint()}"
    assert answer(passed(gate(), "GET", "/", ("Authorization", both))[1])[0] == 400


@pytest.mark.parametrize("token", ["junk", "a.b.c", "a.b.c=", "abc==", "~"])
def test_invalid_token_is_told_in_general(token: str) -> None:
    exchange, reply = passed(gate(), "GET", "/", ("Authorization", f"Bearer {token}"))
    challenge = 'Bearer realm="orders", error="invalid_token", error_description="The access token is not valid"'
    assert answer(reply) == (401, challenge, "invalid_token")
    assert reply is not None
    assert json.loads(reply.body)["error"] == "invalid_token"
    assert exchange.principal is None
    assert exchange.token is None


def test_refusals_before_the_signature_do_not_tell_what_is_configured() -> None:
    forged = Issuer("https://auth.test", clock=CLOCK)
    tokens = [
        mint(aud="x"),
        mint(iss="https://x.test"),
        forged.mint(aud="orders"),
        forged.mint(aud="orders", expires_in=-100),
        "junk",
    ]
    replies = [passed(gate(), "GET", "/", ("Authorization", f"Bearer {token}"))[1] for token in tokens]
    assert len({(answer(reply), reply.body if reply else b"") for reply in replies}) == 1


def test_expired_token_is_told_so() -> None:
    status, challenge, _ = answer(passed(gate(), "GET", "/", bearer(expires_in=-100))[1])
    assert status == 401
    assert challenge == 'Bearer realm="orders", error="invalid_token", error_description="The access token expired"'


def test_missing_keys_are_unavailable() -> None:
    exchange, reply = passed(gate(verifier=COLD), "GET", "/", bearer())
    status, challenge, code = answer(reply)
    assert (status, challenge, code) == (503, None, "keys_unavailable")
    assert reply is not None
    assert int(dict(reply.headers)["Retry-After"]) >= 1
    assert exchange.principal is None


@pytest.mark.parametrize(
    ("method", "path", "claims", "expected"),
    [
        ("GET", "/orders/7", {"scope": "orders:read"}, None),
        ("HEAD", "/orders/7", {"scope": "orders:read"}, None),
        ("GET", "/orders/7", {"scope": "orders:read extra"}, None),
        ("GET", "/orders/7", {"scope": "orders:write"}, 'scope="orders:read"'),
        ("GET", "/orders/7", {}, 'scope="orders:read"'),
        ("GET", "/orders/7", {"scope": "orders:rea orders:reads"}, 'scope="orders:read"'),
        ("POST", "/orders", {"scope": "orders:write"}, 'scope="orders:read orders:write"'),
        ("POST", "/orders", {"scope": "orders:write orders:read"}, None),
        ("GET", "/any", {"scope": "b"}, None),
        ("GET", "/any", {"scope": "c"}, 'scope="a b"'),
        ("GET", "/admin", {"roles": ["root"]}, None),
        ("GET", "/admin/x/y", {"roles": ["admin"]}, None),
        ("GET", "/admin/x", {"roles": ["user"]}, "insufficient_scope"),
        ("GET", "/plain", {}, None),
        ("GET", "/partner", {"client_id": "billing"}, None),
    ],
)
def test_rule_decides_by_what_the_token_carries(method: str, path: str, claims: dict[str, Any], expected: str | None) -> None:
    _, reply = passed(gate(*RULES), method, path, bearer(**claims))
    if expected is None:
        assert reply is None
        return
    assert reply is not None
    assert reply.status == 403
    assert expected in dict(reply.headers)["WWW-Authenticate"]


STEP_UP = [Rule("GET", "/", acr=["phr", "mfa"], max_auth_age=300.0)]


@pytest.mark.parametrize(
    "claims", [{"acr": "mfa", "auth_time": CLOCK.time() - 300}, {"acr": "phr", "auth_time": int(CLOCK.time())}]
)
def test_user_who_authenticated_strongly_and_lately_passes(claims: dict[str, Any]) -> None:
    policies = Gate([JWTAuth(VERIFIER, rules=STEP_UP)], service="orders", clock=CLOCK)
    assert passed(policies, "GET", "/", bearer(**claims))[1] is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"acr": "mfa"},
        {"acr": "pwd", "auth_time": CLOCK.time()},
        {"acr": ["mfa"], "auth_time": CLOCK.time()},
        {"acr": "mfa", "auth_time": CLOCK.time() - 301},
        {"acr": "mfa", "auth_time": str(CLOCK.time())},
        {"acr": "mfa", "auth_time": True},
    ],
    ids=str,
)
def test_user_who_did_not_is_told_to_step_up(claims: dict[str, Any]) -> None:
    policies = Gate([JWTAuth(VERIFIER, rules=STEP_UP)], service="orders", clock=CLOCK)
    status, challenge, code = answer(passed(policies, "GET", "/", bearer(**claims))[1])
    assert (status, code) == (401, "insufficient_user_authentication")
    assert challenge is not None
    assert challenge.endswith(', acr_values="phr mfa", max_age="300"')


def test_token_of_an_issuer_that_is_not_named_is_refused() -> None:
    rules = [Rule("GET", "/", issuers=["https://other.test"]), Rule("POST", "/", issuers=["https://auth.test"])]
    assert answer(passed(gate(*rules), "GET", "/", bearer())[1])[0] == 403
    assert passed(gate(*rules), "POST", "/", bearer())[1] is None


def test_client_that_is_not_named_is_refused() -> None:
    assert answer(passed(gate(*RULES), "GET", "/partner", bearer(client_id="other"))[1]) == (403, None, "forbidden")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("DELETE", "/orders/7"), ("GET", "/orders/7/"), ("GET", "/Healthz")]
)
def test_what_no_rule_matches_is_refused(method: str, path: str) -> None:
    assert answer(passed(gate(*RULES), method, path, bearer())[1]) == (403, None, "forbidden")
    assert answer(passed(gate(*RULES), method, path)[1])[0] == 401
    assert answer(passed(gate(*RULES), method, path, ("Authorization", "Bearer junk"))[1])[0] == 401


def test_public_rule_asks_for_nothing() -> None:
    exchange, reply = passed(gate(*RULES), "GET", "/healthz")
    assert reply is None
    assert exchange.principal is None
    assert exchange.fields is None


def test_public_rule_knows_who_asks_with_a_good_token() -> None:
    exchange, reply = passed(gate(*RULES), "GET", "/healthz", bearer())
    assert reply is None
    assert exchange.principal is not None


@pytest.mark.parametrize(
    ("value", "verifier", "reason"),
    [
        ("Bearer junk", VERIFIER, "malformed"),
        ("Bearer", VERIFIER, "invalid_request"),
        (f"Bearer {mint(aud='other')}", VERIFIER, "audience"),
        (f"Bearer {mint()}", COLD, "keys_unavailable"),
    ],
    ids=["junk", "malformed", "audience", "keys"],
)
def test_public_rule_takes_a_bad_token_for_nobody_and_notes_it(value: str, verifier: Verifier, reason: str) -> None:
    exchange, reply = passed(gate(*RULES, verifier=verifier), "GET", "/healthz", ("Authorization", value))
    assert reply is None
    assert exchange.principal is None
    assert exchange.token is None
    assert exchange.fields == {"auth.reason": reason}


PREFLIGHT = (("Origin", "https://app.test"), ("Access-Control-Request-Method", "GET"))


def test_preflight_passes_without_a_token() -> None:
    assert passed(gate(*RULES), "OPTIONS", "/orders/7", *PREFLIGHT)[1] is None


@pytest.mark.parametrize(
    ("method", "fields", "options"),
    [
        ("OPTIONS", PREFLIGHT, {"preflight": False}),
        ("OPTIONS", PREFLIGHT[:1], {}),
        ("OPTIONS", PREFLIGHT[1:], {}),
        ("GET", PREFLIGHT, {}),
    ],
    ids=["off", "no method", "no origin", "no OPTIONS"],
)
def test_what_is_no_preflight_needs_a_token(method: str, fields: Any, options: dict[str, Any]) -> None:
    assert answer(passed(gate(*RULES, **options), method, "/orders/7", *fields)[1])[0] == 401


@pytest.mark.parametrize("path", ["//healthz", "/x/../healthz", "/healthz;a", "/healthz\\", "/healthz\0", "/a%2fb"])
def test_path_with_two_meanings_is_refused_under_every_rule(path: str) -> None:
    everything = [Rule("*", "/**", public=True)]
    assert answer(passed(gate(*everything), "GET", path)[1]) == (400, None, "ambiguous_path")
    assert answer(passed(gate(*RULES), "GET", path, bearer())[1]) == (400, None, "ambiguous_path")


def test_encoded_slash_in_the_raw_path_is_refused() -> None:
    everything = gate(Rule("*", "/**", public=True))
    assert answer(passed(everything, "GET", "/a/b", raw_path=b"/a%2Fb")[1])[0] == 400


def test_rules_see_the_path_that_the_application_sees() -> None:
    policies = gate(Rule("GET", "/orders", public=True))
    exchange = policies.open(request("GET", "/v1/orders"))
    exchange.path = "/orders"
    assert policies.prepare(exchange) is None
    assert policies.admit(exchange) is None


@pytest.mark.parametrize(
    ("realm", "service", "shown"),
    [(None, None, "api"), (None, "orders", "orders"), ("shop", "orders", "shop"), ('a"b\\', None, "a?b?")],
)
def test_realm_is_the_policys_or_the_services(realm: str | None, service: str | None, shown: str) -> None:
    _, challenge, _ = answer(passed(gate(realm=realm, service=service), "GET", "/")[1])
    assert challenge == f'Bearer realm="{shown}"'


def test_metadata_of_the_resource_is_told_to_who_has_no_valid_token() -> None:
    url = "https://orders.test/.well-known/oauth-protected-resource"
    policies = gate(*RULES, resource_metadata=url)
    for fields in ((), (("Authorization", "Bearer junk"),)):
        _, challenge, _ = answer(passed(policies, "GET", "/plain", *fields)[1])
        assert challenge is not None
        assert challenge.endswith(f', resource_metadata="{url}"')
    exchange, _ = passed(policies, "GET", "/healthz")
    with pytest.raises(Rejection) as caught:
        exchange.require("x")
    assert answer(policies.refuse(exchange, caught.value)) == answer(passed(policies, "GET", "/plain")[1])


def test_require_in_a_handler_is_refused_as_by_a_rule() -> None:
    policies = gate(*RULES, realm="shop")
    _, by_rule = passed(policies, "GET", "/orders/7", bearer())
    exchange, none = passed(policies, "GET", "/plain", bearer())
    assert none is None
    with pytest.raises(InsufficientScope) as caught:
        exchange.require("orders:read")
    assert by_rule is not None
    by_handler = policies.refuse(exchange, caught.value)
    assert by_handler == by_rule


def test_require_without_a_principal_is_unauthenticated() -> None:
    exchange, _ = passed(gate(*RULES), "GET", "/healthz")
    with pytest.raises(Rejection) as caught:
        exchange.require("orders:read")
    assert caught.value.status == 401


def test_several_issuers_stand_behind_one_policy() -> None:
    other = Issuer("https://other.test", clock=CLOCK)
    both = Issuers(VERIFIER, Verifier("https://other.test", "orders", keys=StaticKeys(other.jwks), clock=CLOCK))
    for issuer in (ISSUER, other):
        exchange, reply = passed(gate(verifier=both), "GET", "/", ("Authorization", f"Bearer {issuer.mint(aud='orders')}"))
        assert reply is None
        assert exchange.principal is not None
        assert exchange.principal.issuer == issuer.issuer


def test_two_policies_each_see_the_request_for_themselves() -> None:
    strict = Verifier("https://auth.test", "billing", keys=StaticKeys(ISSUER.jwks), clock=CLOCK)
    both = Gate([JWTAuth(VERIFIER), JWTAuth(strict)])
    assert answer(passed(both, "GET", "/", bearer())[1])[0] == 401
    assert passed(both, "GET", "/", bearer(aud=["orders", "billing"]))[1] is None


def test_token_elsewhere_than_in_the_header_is_not_seen() -> None:
    reply = passed(gate(), "GET", "/", ("Cookie", f"access_token={mint()}"), query=f"access_token={mint()}")[1]
    assert answer(reply)[0] == 401


def test_hostile_claims_do_not_reach_a_header() -> None:
    rules = [Rule("GET", "/", scopes=["x\r\ny"])]
    _, reply = passed(gate(*rules), "GET", "/", bearer(sub="a\r\nX: y"))
    assert reply is not None
    assert all("\r" not in value and "\n" not in value for _, value in reply.headers)


@pytest.mark.parametrize(
    ("verifier", "options"),
    [
        (None, {}),
        ("https://auth.test", {}),
        (VERIFIER, {"rules": Rule("GET", "/")}),
        (VERIFIER, {"rules": "GET /"}),
        (VERIFIER, {"rules": ["GET /"]}),
        (VERIFIER, {"rules": None}),
        (VERIFIER, {"realm": ""}),
        (VERIFIER, {"resource_metadata": "orders.test"}),
        (VERIFIER, {"realm": 7}),
    ],
)
def test_nonsense_is_refused_when_it_is_made(verifier: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="JWTAuth"):
        JWTAuth(verifier, **options)


@pytest.mark.parametrize(("path", "public"), [("/plain", False), ("/healthz", True)])
def test_listeners_hear_why_a_token_was_refused(path: str, *, public: bool) -> None:
    recorder = Recorder()
    listening = Gate([JWTAuth(VERIFIER, rules=RULES)], [recorder], service="orders")
    exchange, _ = passed(listening, "GET", path, bearer(aud="elsewhere"))
    listening.finish(exchange)
    assert recorder.of(TokenRefused) == [TokenRefused("orders", "audience", public)]
