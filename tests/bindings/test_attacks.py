"""Every attack over every binding: refused with the right challenge, the application never called, nothing fetched for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from interservice.events import TokenRefused
from interservice.exchange import current
from interservice.inbound.auth import JWTAuth
from interservice.inbound.rules import Rule
from interservice.issuer.serving import Server
from interservice.testing import FakeClock
from interservice.tokens import JWKS, Reason, Verifier
from tests.tokens.attacks import CLASSES, HEADER, AttackClass
from tests.tokens.minting import AUDIENCE, ISSUER, claims, compact, jwk, jwks, mint, private_key

from .script import Answer, Script

INVALID = 'Bearer realm="orders", error="invalid_token", error_description="'
GENERAL = INVALID + 'The access token is not valid"'
EXPIRED = INVALID + 'The access token expired"'
MALFORMED = 'Bearer realm="orders", error="invalid_request", error_description="The Authorization field is malformed"'
#: A key that is not in the set may be looked for: a bucket of two, whatever the flood.
FETCHES = 2


class Keys:
    """A server of keys that remembers what it was asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.document = json.dumps(jwks(jwk("rsa"), jwk("p256"), jwk("ed"), jwk("p384"))).encode()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self.paths.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(self.document)))])
        return [self.document]


@pytest.fixture
def keys() -> Iterator[Server[Keys]]:
    with Server(lambda _url: Keys()) as server:
        yield server


@pytest.fixture
def behind(serve: Any, keys: Server[Keys]) -> Any:
    """A script behind a gate whose keys have been fetched once, for a good token."""

    def start(script: Script, *rules: Rule) -> Any:
        verifier = Verifier(ISSUER, AUDIENCE, keys=JWKS(f"{keys.url}/jwks", clock=FakeClock()), clock=FakeClock())
        serving = serve(script, JWTAuth(verifier, rules=rules))
        assert serving.ask(path="/orders/7", headers={"Authorization": f"Bearer {mint()}"}).status == 200
        assert keys.app.paths == ["/jwks"]
        script.calls = 0
        serving.recorder.clear()
        return serving

    return start


def fits_a_header(token: str) -> bool:
    """Whether a server could hand it on at all, and it is the same there: spaces after the scheme are the scheme's."""
    return not token.startswith(" ") and (token.isascii() or token.encode("latin-1", "ignore").decode("latin-1") == token)


@pytest.mark.parametrize("attack", CLASSES, ids=[each.title for each in CLASSES])
def test_token_is_refused_and_nothing_happens(behind: Any, keys: Server[Keys], attack: AttackClass) -> None:
    script = Script()
    serving = behind(script)
    for token in filter(fits_a_header, attack.tokens):
        serving.recorder.clear()
        answer: Answer = serving.ask(path="/orders/7", headers={"Authorization": f"Bearer {token}"})
        document = json.loads(answer.body)
        assert answer.error is None
        assert (answer.status, document["code"]) in {(401, "invalid_token"), (400, "invalid_request")}
        assert answer.header("WWW-Authenticate") in {GENERAL, EXPIRED} if answer.status == 401 else {MALFORMED}
        assert answer.header("Cache-Control") == "no-store"
        refusals = [event.reason for event in serving.recorder.events if isinstance(event, TokenRefused)]
        assert len(refusals) == (answer.status == 401)
        assert attack.reasons.issuperset(refusals)
        assert serving.served.outcome == "client_error"
    assert script.calls == 0
    fetches = FETCHES if Reason.UNKNOWN_KEY in attack.reasons else 0
    assert len(keys.app.paths) - 1 <= fetches
    assert set(keys.app.paths) == {"/jwks"}


def test_expired_is_told_only_of_a_proven_token(behind: Any) -> None:
    serving = behind(Script())
    forged = compact(HEADER, claims(exp=1), private_key("rsa2"))
    asked = [serving.ask(headers={"Authorization": f"Bearer {token}"}) for token in (mint(exp=1), forged)]
    assert [answer.header("WWW-Authenticate") for answer in asked] == [EXPIRED, GENERAL]


def test_keys_that_a_token_points_to_are_not_fetched(behind: Any, keys: Server[Keys]) -> None:
    script = Script()
    serving = behind(script)
    for member in ("jku", "x5u"):
        token = compact({**HEADER, member: f"{keys.url}/evil"}, claims(iss=keys.url), private_key("rsa2"))
        own = compact({**HEADER, member: f"{keys.url}/evil"}, claims(), private_key("rsa2"))
        for each in (token, own):
            assert serving.ask(headers={"Authorization": f"Bearer {each}"}).status == 401
    assert (keys.app.paths, script.calls) == (["/jwks"], 0)


def test_flood_of_unknown_kids_makes_two_fetches_and_good_tokens_pass(behind: Any, keys: Server[Keys]) -> None:
    script = Script()
    serving = behind(script)
    for number in range(200):
        token = compact({"alg": "RS256", "kid": f"k{number}"}, claims(), private_key("rsa2"))
        assert serving.ask(headers={"Authorization": f"Bearer {token}"}).status == 401
        if number % 20 == 0:
            assert serving.ask(headers={"Authorization": f"Bearer {mint(jti=str(number))}"}).status == 200
    assert script.calls == 10
    assert len(keys.app.paths) - 1 <= FETCHES


class Repeated(dict[str, str]):
    """Header fields of which a name occurs twice; WSGI servers join them."""

    def __init__(self, binding: str, *fields: tuple[str, str]) -> None:
        super().__init__(fields)
        joined = ",".join(value for _, value in fields)
        self.fields = list(fields) if binding in ("asgi", "django-async") else [(fields[0][0], joined)]

    def items(self) -> Any:
        return self.fields


GOOD = f"Bearer {mint()}"


@pytest.mark.parametrize("second", [GOOD, "Basic eA==", "", "Bearer x"], ids=range(4))
def test_two_authorization_fields_are_a_bad_request(behind: Any, second: str) -> None:
    script = Script()
    serving = behind(script)
    for fields in ([GOOD, second], [second, GOOD]):
        answer = serving.ask(headers=Repeated(serving.binding, *(("Authorization", value) for value in fields)))
        # Joined, what comes first names the scheme; with a scheme that is none of ours there are no credentials at all.
        others = answer.status == 401 and fields[0] in ("", "Basic eA==") and serving.binding != "asgi"
        assert others or (answer.status, json.loads(answer.body)["code"]) == (400, "invalid_request")
    assert script.calls == 0


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("Bearer", 400),
        ("Bearer ", 400),
        ("Bearer\t" + GOOD[7:], 401),
        (f'Bearer "{GOOD[7:]}"', 400),
        (f"Bearer token={GOOD[7:]}", 400),
        (f"Bearer {GOOD[7:]}, Basic eA==", 400),
        (f"Basic eA==, {GOOD}", 401),
        (f"Bearer:{GOOD[7:]}", 401),
        (f"BearerX {GOOD[7:]}", 401),
        ("", 401),
        (GOOD[7:], 401),
        (f" {GOOD}", 401),
        (f"{GOOD} ", 400),
        (f"{GOOD}\0", 400),
        (f"Bearer {GOOD}", 400),
        (f"{GOOD}\r\nX-Role: admin", 400),
        ("DPoP " + GOOD[7:], 401),
    ],
    ids=range(17),
)
def test_credentials_that_are_not_to_the_letter_do_not_open(behind: Any, value: str, status: int) -> None:
    script = Script()
    answer = behind(script).ask(headers={"Authorization": value})
    assert (answer.status, script.calls) == (status, 0)
    challenge = answer.header("WWW-Authenticate")
    assert challenge == (MALFORMED if status == 400 else 'Bearer realm="orders"')


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_scheme_compares_without_case(behind: Any, scheme: str) -> None:
    assert behind(Script()).ask(headers={"Authorization": f"{scheme} {GOOD[7:]}"}).status == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/?access_token={GOOD[7:]}", {}),
        ("/", {"Cookie": f"access_token={GOOD[7:]}"}),
        ("/", {"X-Access-Token": GOOD[7:]}),
        ("/", {"Proxy-Authorization": GOOD}),
        ("/", {"X-Forwarded-Authorization": GOOD}),
    ],
    ids=["query", "cookie", "own", "proxy", "forwarded"],
)
def test_token_anywhere_else_is_no_credentials(behind: Any, path: str, headers: dict[str, str]) -> None:
    script = Script()
    answer = behind(script).ask(path=path, headers=headers)
    assert (answer.status, answer.header("WWW-Authenticate"), script.calls) == (401, 'Bearer realm="orders"', 0)


RULES = (
    Rule("GET", "/orders/{id}"),
    Rule("*", "/open/**", public=True),
    Rule("*", "/admin/**", roles=["admin"]),
    Rule("POST", "/orders/{id}", scopes=["orders:write"]),
)


@pytest.mark.parametrize(
    "path",
    [
        "//admin",
        "/open/../admin",
        "/open/./x",
        "/open//x",
        "/admin;a",
        "/open/x;y=z",
        "/open\\admin",
        "/open/%2fadmin",
        "/open/..",
        "/.",
    ],
)
@pytest.mark.parametrize("authorization", [None, GOOD], ids=["nobody", "somebody"])
def test_path_of_two_meanings_is_a_bad_request(behind: Any, path: str, authorization: str | None) -> None:
    script = Script()
    answer = behind(script, *RULES).ask(path=path, headers={"Authorization": authorization} if authorization else {})
    assert (answer.status, json.loads(answer.body)["code"], script.calls) == (400, "ambiguous_path", 0)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/admin", {}),
        ("HEAD", "/admin/x", {}),
        ("GET", "/ADMIN", {}),
        ("GET", "/admin/", {}),
        ("OPTIONS", "/admin", {}),
        ("PATCH", "/orders/7", {}),
        ("POST", "/orders/7", {"X-HTTP-Method-Override": "GET"}),
        ("POST", "/orders/7", {"X-Method-Override": "GET", "X-HTTP-Method": "GET"}),
        ("POST", "/orders/7?_method=GET", {}),
        ("GET", "/admin", {"X-Original-URL": "/open/x", "X-Rewrite-URL": "/open/x", "X-Forwarded-Uri": "/open/x"}),
    ],
    ids=range(10),
)
def test_rule_applies_whatever_the_request_pretends(behind: Any, method: str, path: str, headers: dict[str, str]) -> None:
    script = Script()
    serving = behind(script, *RULES)
    assert serving.ask(method, path, {**headers, "Authorization": GOOD}).status == 403
    assert serving.ask(method, path, headers).status == 401
    assert script.calls == 0


def test_hostile_claims_reach_no_header(behind: Any) -> None:
    hostile = 'a"\r\nX-Evil: 1\u0416'
    token = compact(HEADER, claims(sub=hostile, client_id=hostile, scope=hostile, jti=hostile))
    script = Script()
    serving = behind(script, Rule("*", "/", scopes=["orders:write"]), Rule("*", "/orders/{id}"))
    refused = serving.ask(path="/", headers={"Authorization": f"Bearer {token}"})
    passed = serving.ask(path="/orders/7", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status, passed.status) == (403, 200)
    for answer in (refused, passed):
        assert not any("evil" in text.lower() or "\n" in text for pair in answer.headers for text in pair)
    assert b"Evil" not in refused.body


def test_identity_that_a_client_claims_in_headers_is_nobodys(behind: Any) -> None:
    seen: list[Any] = []
    serving = behind(Script(before=lambda: seen.append(current() and current().principal)), *RULES)  # type: ignore[union-attr]
    seen.clear()
    spoofed = {"X-Auth-Subject": "root", "X-Auth-Scopes": "orders:write", "X-Auth-Roles": "admin", "X-Forwarded-User": "root"}
    assert serving.ask(path="/open/x", headers=spoofed).status == 200
    assert serving.ask(path="/admin", headers={**spoofed, "Authorization": GOOD}).status == 403
    assert serving.ask(path="/orders/7", headers={**spoofed, "Authorization": GOOD}).status == 200
    assert [principal and (principal.subject, principal.roles) for principal in seen] == [None, ("svc-a", frozenset())]
