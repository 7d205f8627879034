"""Forward authentication: the gate's decision, as each gateway understands it, over WSGI and ASGI alike."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

import interservice.asgi
import interservice.wsgi
from interservice import (
    ConfigurationError,
    Gate,
    GatewayIdentity,
    JWTAuth,
    Policy,
    ProtectedResource,
    Rejection,
    Rule,
    Tracing,
    Versions,
    current,
)
from interservice.events import Served
from interservice.gateway import ForwardAuth, Signer, forward_auth
from interservice.testing import FakeClock, Issuer, Recorder
from interservice.tokens import JWKS, StaticKeys, Verifier
from tests.bindings import asgi_side, wsgi_side
from tests.bindings.script import Answer, Script

from .asking import ask_asgi, ask_wsgi

CLOCK = FakeClock()
ISSUER = Issuer("https://auth.test", clock=CLOCK)
VERIFIER = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks), clock=CLOCK)
SECRET = secrets.token_bytes(32)
SIGNER = Signer(secret=SECRET, clock=CLOCK)
RULES = [
    Rule("GET", "/orders/{id}", scopes=["orders:read"]),
    Rule("POST", "/orders", scopes=["orders:write"]),
    Rule("GET", "/admin/**", roles=["admin"]),
    Rule("*", "/healthz", public=True),
]
SIDES = {"wsgi": ask_wsgi, "asgi": ask_asgi}
CONTRACTS = ("nginx", "envoy", "caddy", "traefik")


def the_gate(*policies: Any, listeners: Any = (), rules: Any = RULES) -> Gate:
    before = [Tracing(), Versions(["1", "2"], default="2")]
    return Gate([*before, *policies, JWTAuth(VERIFIER, rules=rules)], listeners, service="orders", clock=CLOCK)


def bearer(**claims: Any) -> tuple[str, str]:
    return "Authorization", "Bearer " + ISSUER.mint(**{"sub": "svc-a", "aud": "orders", "scope": "orders:read", **claims})


class Gateway:
    """Asks as a gateway of some kind does, over WSGI or ASGI."""

    def __init__(self, side: str, contract: str) -> None:
        self.side = side
        self.contract = contract

    def ask(self, auth: ForwardAuth, method: str, target: str, *fields: tuple[str, str], **more: Any) -> Answer:
        app, asking = getattr(auth, self.side), SIDES[self.side]
        if self.contract == "envoy":
            return asking(app, method, f"/envoy{target}", *fields, **more)
        prefix = "X-Original" if self.contract == "nginx" else "X-Forwarded"
        named = "URI" if self.contract == "nginx" else "Uri"
        told = (f"{prefix}-Method", method), (f"{prefix}-{named}", target)
        return asking(app, "GET", f"/{self.contract}", *told, *fields, **more)

    def real(self, answer: Answer) -> int:
        """What the client gets in the end."""
        status = answer.header("X-Auth-Status") if self.contract == "nginx" else None
        return int(status or answer.status or 0)


@pytest.fixture(params=[f"{side}-{contract}" for side in SIDES for contract in CONTRACTS])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    return Gateway(*request.param.split("-"))


@pytest.fixture(params=sorted(SIDES))
def side(request: pytest.FixtureRequest) -> Any:
    name: str = request.param
    return lambda auth, *what, **more: SIDES[name](getattr(auth, name), *what, **more)


def test_who_may_pass_gets_200_and_an_identity(gateway: Gateway) -> None:
    auth = forward_auth(the_gate(), signer=SIGNER)
    answer = gateway.ask(auth, "GET", "/orders/7?x=1", bearer(), ("X-Request-ID", "r-1"))
    assert (answer.status, answer.body) == (200, b"")
    told = {name: answer.header(f"X-Auth-{name}") for name in ("Subject", "Client-Id", "Scopes", "Issuer", "Version")}
    assert told == {
        "Subject": "svc-a",
        "Client-Id": "svc-a",
        "Scopes": "orders:read",
        "Issuer": "https://auth.test",
        "Version": "2",
    }
    assert answer.header("X-Request-ID") == "r-1"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Auth-Identity")


CASES: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("GET", "/orders/7", []),
    ("GET", "/orders/7", [("Authorization", "Bearer")]),
    ("GET", "/orders/7", [("Authorization", "Bearer x.y.z")]),
    ("GET", "/orders/7", [bearer(aud="billing")]),
    ("GET", "/orders/7", [bearer(scope="other")]),
    ("GET", "/orders/7", [bearer(expires_in=-60)]),
    ("GET", "/orders/7", [bearer()]),
    ("HEAD", "/orders/7", [bearer()]),
    ("HEAD", "/orders/7", []),
    ("POST", "/orders/7", [bearer()]),
    ("POST", "/orders", [bearer(scope="orders:write")]),
    ("DELETE", "/orders/7", [bearer()]),
    ("GET", "/admin/x", [bearer(roles=["admin"])]),
    ("GET", "/admin/x", [bearer()]),
    ("GET", "/nowhere", []),
    ("GET", "/orders//7", [bearer()]),
    ("GET", "/orders/%2e%2e/7", [bearer()]),
    ("GET", "/orders%2F7", [bearer()]),
    ("GET", "/orders/7;a=b", [bearer()]),
    ("GET", "/orders/7%00", [bearer()]),
    ("GET", "/orders/%C3%A9?q=%C3%A9", [bearer()]),
    ("GET", "/v3/orders/7", [bearer()]),
    ("GET", "/healthz", []),
    ("OPTIONS", "/orders/7", [("Origin", "https://shop.test"), ("Access-Control-Request-Method", "GET")]),
]


@pytest.mark.parametrize(
    ("method", "target", "fields"), CASES, ids=[f"{n}-{method}-{target}" for n, (method, target, _) in enumerate(CASES)]
)
def test_decision_is_that_of_the_middleware(gateway: Gateway, method: str, target: str, fields: Any) -> None:
    expected = wsgi_side.ask(
        interservice.wsgi.Middleware(wsgi_side.wsgi_app(Script()), the_gate()), method, _decoded(target), dict(fields)
    )
    if "%2F" in target:  # which the side without a raw path does not see
        expected = asgi_side.ask(
            interservice.asgi.Middleware(asgi_side.asgi_app(Script()), the_gate()), method, target, dict(fields)
        )
    answer = gateway.ask(forward_auth(the_gate(), signer=SIGNER), method, target, *fields)
    assert gateway.real(answer) == expected.status
    challenge = answer.header("WWW-Authenticate") or answer.header("X-Auth-Challenge")
    assert challenge == expected.header("WWW-Authenticate")
    if expected.status != 200 and method != "HEAD":
        assert json.loads(answer.body)["code"] == json.loads(expected.body)["code"]
    assert (answer.header("X-Auth-Identity") is not None) == (expected.status == 200)


def _decoded(target: str) -> str:
    from urllib.parse import unquote_to_bytes

    path, _, query = target.partition("?")
    return unquote_to_bytes(path).decode("latin-1") + ("?" + query if query else "")


@pytest.mark.parametrize(
    ("real", "seen"), [(400, 401), (401, 401), (403, 403), (404, 403), (410, 403), (429, 403), (500, 503), (503, 503), (504, 503)]
)
def test_nginx_gets_a_status_it_understands_and_the_story_in_fields(side: Any, real: int, seen: int) -> None:
    class Refusing(Policy):
        def admit(self, exchange: Any) -> None:
            raise Rejection(
                "No.", status=real, code="no", headers=[("WWW-Authenticate", "A"), ("WWW-Authenticate", "B")], retry_after=2
            )

    answer = side(
        forward_auth(Gate([Refusing()])), "GET", "/nginx", ("X-Original-Method", "GET"), ("X-Original-URI", "/orders/7")
    )
    assert answer.status == seen
    assert answer.header("X-Auth-Status") == str(real)
    assert answer.header("X-Auth-Retry-After") == "2"
    problem = json.loads(answer.header("X-Auth-Problem"))
    assert (problem["status"], problem["code"]) == (real, "no")
    ours, theirs = answer.header("X-Auth-Challenge"), answer.header("WWW-Authenticate")
    assert (ours, theirs) == ((None, "A, B") if seen == 401 else ("A, B", None))


def test_problem_too_long_for_a_field_is_shortened(side: Any) -> None:
    class Refusing(Policy):
        def admit(self, exchange: Any) -> None:
            raise Rejection("é\n" * 2000, status=403, code="no")

    answer = side(forward_auth(Gate([Refusing()])), "GET", "/nginx", ("X-Original-Method", "GET"), ("X-Original-URI", "/"))
    line = answer.header("X-Auth-Problem")
    assert json.loads(line) == {"type": "about:blank", "title": "Forbidden", "status": 403, "code": "no"}
    assert len(json.loads(answer.body)["detail"]) == 4000


def test_keys_that_cannot_be_had_are_a_503_to_be_asked_again(gateway: Gateway) -> None:
    cold = Verifier("https://auth.test", "orders", keys=JWKS("http://127.0.0.1:1/jwks"), clock=CLOCK)
    answer = gateway.ask(forward_auth(Gate([JWTAuth(cold)]), signer=SIGNER), "GET", "/orders/7", bearer())
    assert answer.status == 503
    assert answer.header("Retry-After")
    assert answer.header("X-Auth-Identity") is None


@pytest.mark.parametrize("peer", ["10.0.0.1", "::2", "", "evil"])
def test_stranger_is_refused_whatever_it_has(gateway: Gateway, peer: str) -> None:
    recorder = Recorder()
    answer = gateway.ask(forward_auth(the_gate(listeners=[recorder]), signer=SIGNER), "GET", "/orders/7", bearer(), peer=peer)
    assert answer.status == 403
    assert json.loads(answer.body)["code"] == "untrusted_peer"
    assert answer.header("X-Auth-Identity") is None
    (served,) = recorder.of(Served)
    assert served.exchange.refusal is not None
    assert served.exchange.refusal.code == "untrusted_peer"


def test_gateways_may_be_anywhere_if_told_so(gateway: Gateway) -> None:
    assert gateway.ask(forward_auth(the_gate(), trusted=None), "GET", "/healthz", peer="10.0.0.1").status == 200
    assert gateway.ask(forward_auth(the_gate(), trusted=["10.0.0.0/8"]), "GET", "/healthz", peer="10.0.0.1").status == 200


HEADERS = ("nginx", "caddy", "traefik")


@pytest.mark.parametrize("contract", HEADERS)
@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 403, "no_original"),
        ({"Method": ["GET"]}, 403, "no_original"),
        ({"URI": ["/healthz"]}, 403, "no_original"),
        ({"Method": [""], "URI": ["/healthz"]}, 403, "no_original"),
        ({"Method": ["GET"], "URI": [""]}, 403, "no_original"),
        ({"Method": ["G T"], "URI": ["/healthz"]}, 400, "bad_original"),
        ({"Method": ["GET\r\n"], "URI": ["/healthz"]}, 400, "bad_original"),
        ({"Method": ["G" * 40], "URI": ["/healthz"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["healthz"]}, 400, "bad_original"),
        ({"Method": ["OPTIONS"], "URI": ["*"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["http://evil.test/healthz"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["//evil.test/healthz"]}, 400, "ambiguous_path"),
        ({"Method": ["GET"], "URI": ["/healthz#x"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/healthz?a#x"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/healthz\x00"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/healthz\x0d\x0aX: y"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/health z"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/healthz\xe9"]}, 400, "bad_original"),
        ({"Method": ["GET"], "URI": ["/" + "a" * 100_000]}, 414, "bad_original"),
        ({"Method": ["GET"], "URI": ["/healthz?" + "a" * 100_000]}, 414, "bad_original"),
    ],
    ids=lambda value: repr(value)[:60],
)  # fmt: skip
def test_original_that_is_none_never_passes(side: Any, contract: str, fields: Any, status: int, code: str) -> None:
    prefix = "X-Original" if contract == "nginx" else "X-Forwarded"
    told = [(f"{prefix}-{name}", value) for name, values in fields.items() for value in values]
    auth = forward_auth(the_gate(rules=[Rule("*", "/healthz/**", public=True)]), signer=SIGNER)
    answer = side(auth, "GET", f"/{contract}", *told)
    assert Gateway("", contract).real(answer) == status
    assert json.loads(answer.body)["code"] == code
    assert answer.header("X-Auth-Identity") is None


@pytest.mark.parametrize(
    "extra",
    [
        ("X-Original-URI", "/admin/x"),
        ("X_Original_URI", "/admin/x"),
        ("X-Original_URI", "/admin/x"),
        ("X_Original_Method", "POST"),
    ],
    ids=lambda pair: pair[0] if isinstance(pair, tuple) else str(pair),
)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_original_told_twice_never_passes(side: Any, extra: tuple[str, str], first: bool) -> None:
    told = [("X-Original-Method", "GET"), ("X-Original-URI", "/healthz")]
    auth = forward_auth(the_gate(rules=[Rule("*", "/**", public=True)]))
    answer = side(auth, "GET", "/nginx", *([extra, *told] if first else [*told, extra]))
    assert answer.status in (401, 403)


def test_original_in_the_url_needs_no_fields(side: Any) -> None:
    auth = forward_auth(the_gate(), signer=SIGNER)
    assert side(auth, "GET", "/nginx/GET/orders/7?x=1", bearer()).status == 200
    assert side(auth, "GET", "/nginx/DELETE/orders/7?x=1", bearer()).status == 403
    assert side(auth, "GET", "/nginx/", bearer()).status == 403
    assert side(auth, "GET", "/nginx/GET", bearer()).status == 403


@pytest.mark.parametrize(
    ("method", "uri", "status"),
    [
        ("GET", "/orders/7?x=1", 200),
        ("POST", "/orders/7?x=1", 403),
        ("GET", "/orders/8?x=1", 403),
        ("GET", "/orders/7?x=2", 403),
        ("GET", "/orders%2F7?x=1", 400),
    ],
)
def test_original_in_the_url_and_in_fields_must_be_one(side: Any, method: str, uri: str, status: int) -> None:
    told = ("X-Forwarded-Method", method), ("X-Forwarded-Uri", uri)
    assert side(forward_auth(the_gate()), "GET", "/caddy/GET/orders/7?x=1", *told, bearer()).status == status


def test_comma_in_a_path_is_refused_where_fields_may_have_been_joined() -> None:
    told = ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/orders/7,8")
    auth = forward_auth(the_gate())
    assert ask_wsgi(auth.wsgi, "GET", "/caddy", *told, bearer()).status == 400
    assert ask_asgi(auth.asgi, "GET", "/caddy", *told, bearer()).status == 200
    assert ask_wsgi(auth.wsgi, "GET", "/caddy/GET/orders/7,8", *told, bearer()).status == 200


@pytest.mark.parametrize("path", ["/", "", "/apache", "/nginxx", "/envoy", "/envoyx/healthz"])
def test_url_of_no_contract_never_passes(side: Any, path: str) -> None:
    assert side(forward_auth(the_gate()), "GET", path).status in (403, 404)


@pytest.mark.parametrize("base", ["", "/auth"])
def test_it_may_be_mounted_below_a_path(side: Any, base: str) -> None:
    auth = forward_auth(the_gate(), base=base)
    assert side(auth, "GET", f"{base}/envoy/healthz").status == 200
    assert side(auth, "GET", f"/other{base}/envoy/healthz").status == 404


def test_mount_point_that_the_server_takes_off_is_not_the_originals() -> None:
    auth = forward_auth(the_gate())
    wsgi = ask_wsgi(auth.wsgi, "GET", "/envoy/orders%2F7", bearer(), SCRIPT_NAME="/auth", REQUEST_URI="/auth/envoy/orders%2F7")
    asgi = ask_asgi(auth.asgi, "GET", "/auth/envoy/orders%2F7", bearer(), root_path="/auth")
    assert [wsgi.status, asgi.status] == [400, 400]
    assert ask_asgi(auth.asgi, "GET", "/auth/envoy/orders/7", bearer(), root_path="/auth").status == 200


def test_prefix_that_was_sent_otherwise_is_no_contract(side: Any) -> None:
    auth = forward_auth(the_gate())
    assert side(auth, "GET", "/%65nvoy/orders%2F7", bearer()).status == 403
    assert side(auth, "GET", "/nginx%2FGET/orders/7", bearer()).status == 403


def test_server_that_hides_the_path_as_sent_is_asked_about_what_it_tells() -> None:
    recorder = Recorder()
    auth = forward_auth(the_gate(listeners=[recorder]))
    assert ask_wsgi(auth.wsgi, "GET", "/envoy/orders/%C3%A9%25?x=%20", bearer(), REQUEST_URI="").status == 200
    (served,) = recorder.of(Served)
    assert served.exchange.request.raw_path == b"/orders/%C3%A9%25"


class Noting(Policy):
    """Keeps the requests that it sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def admit(self, exchange: Any) -> None:
        request = exchange.request
        self.seen.append(
            (
                request.scheme,
                request.headers.get("host"),
                request.peer,
                request.path,
                request.raw_path,
                request.query,
                request.mount,
            )
        )
        self.headers = dict(request.headers.items())
        self.certificate = request.peer_certificate and request.peer_certificate()


def test_gate_sees_the_clients_request_and_not_the_gateways(gateway: Gateway) -> None:
    noting = Noting()
    told = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "6.6.6.6, 192.0.2.7"),
        ("Host", "api.test"),
        ("Content-Length", "3"),
    ]
    if gateway.contract != "envoy":
        told[2:3] = [("Host", "auth:9000"), ("X-Forwarded-Host", "api.test")]
    gateway.ask(
        forward_auth(Gate([noting])),
        "POST",
        "/orders/a%20b?x=%20",
        *told,
        ("Accept", "application/json"),
        ("Content-Type", "text/csv"),
    )
    assert noting.seen == [("https", "api.test", "192.0.2.7", "/orders/a b", b"/orders/a%20b", "x=%20", "")]
    assert (noting.headers["accept"], noting.headers["content-type"]) == ("application/json", "text/csv")
    assert not {"content-length", "x-original-uri", "x-forwarded-uri", "x-forwarded-method"} & set(noting.headers)


def test_envoys_client_cannot_choose_the_host() -> None:
    noting = Noting()
    auth = forward_auth(Gate([noting]))
    ask_asgi(auth.asgi, "GET", "/envoy/x", ("Host", "api.test"), ("X-Forwarded-Host", "evil.test"))
    assert noting.seen[0][1] == "api.test"


def test_certificate_of_the_gateway_is_nobodys_in_front_of_it() -> None:
    noting = Noting()
    auth = forward_auth(Gate([noting]))
    told = ("X-Forwarded-Proto", "https")
    ask_wsgi(auth.wsgi, "GET", "/envoy/x", told, SSL_CLIENT_CERT="the gateway's", **{"wsgi.url_scheme": "https"})
    assert noting.certificate is None
    tls = {"tls": {"client_cert_chain": ["the gateway's"]}}
    ask_asgi(auth.asgi, "GET", "/envoy/x", told, extensions=tls, scheme="https")
    assert noting.certificate is None


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("X-Forwarded-Proto", "https", 200), ("X-Forwarded-Proto", "wss", 200), ("X-Forwarded-Proto", "https,http", 400),
        ("X-Forwarded-Proto", "gopher", 400), ("X-Forwarded-Host", "api.test:8443", 200), ("X-Forwarded-Host", "[::1]:80", 200),
        ("X-Forwarded-Host", "a.test,b.test", 400), ("X-Forwarded-Host", "a\r\nb", 400), ("X-Forwarded-Host", "", 400),
        ("X-Forwarded-For", "nonsense", 200), ("X-Forwarded-For", "\xff", 200), ("X-Forwarded-For", "1.2.3.4, ", 200),
    ],
)  # fmt: skip
def test_what_the_gateway_says_besides_is_held_to_the_letter(side: Any, field: str, value: str, status: int) -> None:
    told = ("X-Original-Method", "GET"), ("X-Original-URI", "/healthz"), (field, value)
    answer = side(forward_auth(the_gate()), "GET", "/nginx", *told)
    assert Gateway("", "nginx").real(answer) == status


def test_log_has_the_original(gateway: Gateway) -> None:
    recorder = Recorder()
    auth = forward_auth(the_gate(listeners=[recorder]))
    gateway.ask(auth, "POST", "/orders/7?x=1", bearer(), ("X-Forwarded-For", "192.0.2.7"))
    (served,) = recorder.of(Served)
    exchange: Any = served.exchange
    assert (exchange.request.method, exchange.request.path, exchange.request.query) == ("POST", "/orders/7", "x=1")
    assert (exchange.request.peer, served.status, exchange.refusal.code) == ("192.0.2.7", 403, "forbidden")
    assert exchange.principal.subject == "svc-a"


def test_answer_of_a_policy_lets_the_request_pass_as_nobodys(gateway: Gateway) -> None:
    resource = ProtectedResource(resource="https://api.test")
    answer = gateway.ask(
        forward_auth(the_gate(resource), signer=SIGNER), "GET", "/.well-known/oauth-protected-resource", bearer()
    )
    assert (answer.status, answer.body) == (200, b"")
    assert not [name for name, _ in answer.headers if name.lower().startswith("x-auth-")]
    assert answer.header("Cache-Control") == "no-store"


def test_policy_that_fails_on_the_response_grants_nothing(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Policy):
        def respond(self, exchange: Any, head: Any) -> None:
            raise RuntimeError("boom")

    answer = gateway.ask(forward_auth(the_gate(Failing()), signer=SIGNER), "GET", "/orders/7", bearer())
    assert gateway.real(answer) == 500
    assert answer.header("X-Auth-Identity") is None
    assert answer.header("X-Auth-Subject") is None


def test_policy_that_makes_another_status_of_it_grants_nothing(gateway: Gateway) -> None:
    class Amending(Policy):
        def respond(self, exchange: Any, head: Any) -> None:
            head.status = 302

    answer = gateway.ask(forward_auth(the_gate(Amending()), signer=SIGNER), "GET", "/orders/7", bearer())
    assert gateway.real(answer) == 302
    assert answer.header("X-Auth-Identity") is None


def test_policy_that_makes_204_of_it_is_still_a_200(gateway: Gateway) -> None:
    class Amending(Policy):
        def respond(self, exchange: Any, head: Any) -> None:
            head.status = 204

    answer = gateway.ask(forward_auth(the_gate(Amending()), signer=SIGNER), "GET", "/orders/7", bearer())
    assert answer.status == 200
    assert answer.header("X-Auth-Identity")


def test_policy_that_makes_a_success_of_a_refusal_grants_nothing(gateway: Gateway) -> None:
    class Amending(Policy):
        def respond(self, exchange: Any, head: Any) -> None:
            head.status = 200

    auth = forward_auth(the_gate(Amending()), signer=SIGNER)
    for answer in (gateway.ask(auth, "GET", "/orders/7"), gateway.ask(auth, "GET", "/orders/7", peer="10.0.0.1")):
        assert gateway.real(answer) in {401, 403}
        assert answer.header("X-Auth-Identity") is None


def test_public_request_is_of_nobody_and_signed(gateway: Gateway) -> None:
    answer = gateway.ask(forward_auth(the_gate(), signer=SIGNER), "GET", "/healthz")
    assert answer.status == 200
    assert answer.header("X-Auth-Subject") is None
    assert answer.header("X-Auth-Identity")


HOSTILE = {
    "line ends": "a\r\nX-Evil: 1",
    "unicode": "żółć",
    "comma": "a,b",
    "percent": "a%2Cb",
    "spaces": " a ",
    "nul": "\x00",
}


@pytest.mark.parametrize("subject", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_claims_stay_within_their_field(gateway: Gateway, subject: str) -> None:
    token = bearer(sub=subject, client_id=subject, scope=f"orders:read {subject}")
    answer = gateway.ask(forward_auth(the_gate(), signer=SIGNER), "GET", "/orders/7", token)
    assert answer.status == 200
    for name in ("Subject", "Client-Id", "Scopes"):
        value = answer.header(f"X-Auth-{name}")
        assert value is not None
        assert all("\x20" <= char <= "\x7e" and char != "," for char in value)
        assert value == value.strip()


def test_two_subjects_never_look_alike(gateway: Gateway) -> None:
    auth = forward_auth(the_gate())
    shown = {gateway.ask(auth, "GET", "/orders/7", bearer(sub=sub)).header("X-Auth-Subject") for sub in HOSTILE.values()}
    assert len(shown) == len(HOSTILE)


def test_value_too_long_for_a_field_is_left_out(gateway: Gateway) -> None:
    answer = gateway.ask(forward_auth(the_gate(), signer=SIGNER), "GET", "/orders/7", bearer(sub="x" * 3000, client_id="c"))
    assert answer.status == 200
    assert answer.header("X-Auth-Subject") is None
    assert answer.header("X-Auth-Identity")


@pytest.mark.parametrize("extension", [True, False])
def test_websocket_handshake_is_answered_where_the_server_can(extension: bool) -> None:
    extensions: dict[str, Any] = {"websocket.http.response": {}} if extension else {}
    auth = forward_auth(the_gate(), signer=SIGNER)
    more: dict[str, Any] = {"type": "websocket", "scheme": "ws", "extensions": extensions}
    told = ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/orders/7")
    granted = ask_asgi(auth.asgi, "GET", "/caddy", *told, bearer(), **more)
    assert granted.status == (200 if extension else 403)
    refused = ask_asgi(auth.asgi, "GET", "/caddy", *told, **more)
    assert refused.status == (401 if extension else 403)


def test_called_it_is_wsgi_or_asgi() -> None:
    auth = forward_auth(the_gate())
    assert ask_wsgi(auth, "GET", "/envoy/healthz").status == 200
    assert ask_asgi(auth, "GET", "/envoy/healthz").status == 200
    assert ask_asgi(lambda scope, receive, send: auth(scope)(receive, send), "GET", "/envoy/healthz").status == 200


def test_lifespan_is_followed_and_flushes_the_listeners() -> None:
    import asyncio

    class Listener:
        flushed = 0

        def __call__(self, event: object) -> None: ...

        def flush(self) -> None:
            self.flushed += 1

    listener = Listener()
    incoming = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": next(incoming)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(forward_auth(Gate([], [listener])).asgi({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert listener.flushed == 1


def test_head_question_has_no_body_and_the_length_of_one() -> None:
    auth = forward_auth(the_gate())
    for answer in (ask_wsgi(auth.wsgi, "HEAD", "/envoy/orders/7"), ask_asgi(auth.asgi, "HEAD", "/envoy/orders/7")):
        assert (answer.status, answer.body) == (401, b"")
    head = ask_wsgi(auth.wsgi, "GET", "/nginx", ("X-Original-Method", "HEAD"), ("X-Original-URI", "/orders/7"))
    assert (head.body, head.header("Content-Length")) == (b"", "0")


def test_identity_is_believed_by_the_service_for_this_request_alone(gateway: Gateway) -> None:
    answer = gateway.ask(forward_auth(the_gate(), signer=SIGNER), "GET", "/orders/7?x=1", bearer())
    identity = answer.header("X-Auth-Identity")
    assert identity is not None
    service = Gate([GatewayIdentity(SECRET, clock=CLOCK)])
    who: list[Any] = []
    script = Script(before=lambda: who.append(_principal()))
    for app, side in ((interservice.wsgi.Middleware(wsgi_side.wsgi_app(script), service), wsgi_side),
                      (interservice.asgi.Middleware(asgi_side.asgi_app(script), service), asgi_side)):  # fmt: skip
        asked = [
            side.ask(app, method, target, {"X-Auth-Identity": identity}).status
            for method, target in [("GET", "/orders/7?x=1"), ("HEAD", "/orders/7?x=1"), ("POST", "/orders/7?x=1"),
                                   ("GET", "/orders/8?x=1"), ("GET", "/orders/7?x=2"), ("GET", "/orders/7")]
        ]  # fmt: skip
        assert asked == [200, 200, 401, 401, 401, 401]
    assert who == ["svc-a"] * 4


def _principal() -> Any:
    exchange = current()
    assert exchange is not None
    assert exchange.principal is not None
    return exchange.principal.subject


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: forward_auth(None),  # type: ignore[arg-type]
        lambda: forward_auth(Gate([]), signer=b"x" * 32),  # type: ignore[arg-type]
        lambda: forward_auth(Gate([]), trusted="127.0.0.1"),
        lambda: forward_auth(Gate([]), trusted=["nonsense"]),
        lambda: forward_auth(Gate([]), base="auth"),
        lambda: forward_auth(Gate([]), base="/"),
    ],
    ids=["gate", "signer", "bare trusted", "trusted", "base", "base slash"],
)
def test_nonsense_is_refused_when_it_is_made(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"forward_auth\."):
        wrong()
