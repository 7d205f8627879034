"""A service behind a gateway, over every binding: what it believes of who asks, and for which request."""

from __future__ import annotations

import json
import secrets
from typing import Any

from interservice import Gate, GatewayIdentity, Rule, Tracing
from interservice.gateway import Signer
from interservice.http import Request
from interservice.testing import FakeClock
from interservice.tokens import Principal
from tests.inbound.requests import Fields

from .script import Script, here

CLOCK = FakeClock()
SECRET = secrets.token_bytes(32)
SIGNER = Signer(secret=SECRET, clock=CLOCK)
ANNA = Principal("anna", "https://auth.test", "shop", frozenset({"orders:read"}), frozenset(), {}, CLOCK.time() + 60, None)
POLICY = GatewayIdentity(
    SECRET, rules=[Rule("*", "/hello", scopes=["orders:read"]), Rule("*", "/open/**", public=True)], clock=CLOCK
)


def signed(path: str = "/hello", query: str = "", who: Principal | None = ANNA, method: str = "GET") -> dict[str, str]:
    exchange = Gate([]).open(Request(method, path, Fields(), query=query))
    exchange.principal = who
    return {"X-Auth-Identity": SIGNER.sign(exchange)}


def guarded(serve: Any) -> Any:
    seen: list[Any] = []
    serving = serve(Script(before=lambda: seen.append(here().principal)), Tracing(), POLICY)
    serving.seen = seen
    return serving


def test_handler_knows_who_asks(serve: Any) -> None:
    serving = guarded(serve)
    assert serving.ask("GET", "/hello", signed()).status == 200
    (principal,) = serving.seen
    assert (principal.subject, principal.issuer, principal.scopes) == ("anna", "https://auth.test", {"orders:read"})


def test_mount_point_and_query_are_of_the_request(serve: Any) -> None:
    assert guarded(serve).ask("GET", "/hello?x=%20", signed("/shop/hello", "x=%20"), mount="/shop").status == 200
    assert guarded(serve).ask("GET", "/hello?x=%20", signed("/hello", "x=%20"), mount="/shop").status == 401
    assert guarded(serve).ask("GET", "/hello?x=%20", signed("/hello")).status == 401


def test_request_past_the_gateway_never_reaches_the_handler(serve: Any) -> None:
    for fields, code in (
        ({}, "no_gateway_identity"),
        ({"X-Auth-Subject": "anna"}, "no_gateway_identity"),
        (signed("/other"), "invalid_gateway_identity"),
        (signed(method="POST"), "invalid_gateway_identity"),
        ({"X-Auth-Identity": signed()["X-Auth-Identity"] + ",x"}, "invalid_gateway_identity"),
    ):
        serving = guarded(serve)
        answer = serving.ask("GET", "/hello", fields)
        assert answer.status == 401
        assert json.loads(answer.body)["code"] == code
        assert answer.header("WWW-Authenticate") == 'Gateway realm="orders"'
        assert serving.script.calls == 0
        assert serving.served.exchange.refusal.code == code


def test_nobody_gets_what_is_public_and_no_more(serve: Any) -> None:
    assert guarded(serve).ask("GET", "/open/x", signed("/open/x", who=None)).status == 200
    answer = guarded(serve).ask("GET", "/hello", signed(who=None))
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "unauthenticated")
