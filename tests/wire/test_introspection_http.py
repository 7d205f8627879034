"""Opaque tokens over real HTTP: questions counted, shared and remembered, and servers that misbehave."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from interservice import Gate, JWTAuth, Rule
from interservice.deadline import Deadline
from interservice.errors import ConfigurationError, IntrospectionUnavailable, InvalidToken
from interservice.events import Introspected
from interservice.exchange import Exchange, enter
from interservice.http import Request
from interservice.testing import FakeClock, FaultServer, Issuer, Recorder, Reply
from interservice.tokens import ByShape, Introspection, Issuers, Principal, Reason, StaticKeys, Verifier
from tests.inbound.requests import request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AUDIENCE = "orders"


def answer(**members: Any) -> Reply:
    document = {"active": True, "aud": AUDIENCE, "sub": "svc-a", "scope": "orders:read", **members}
    return Reply(headers={"Content-Type": "application/json"}, body=json.dumps(document).encode())


INACTIVE = Reply(headers={"Content-Type": "application/json"}, body=b'{"active":false}')


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(then=answer()) as made:
        yield made
    for thread in threading.enumerate():
        if thread.name == "interservice-introspection":
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def make(server: FaultServer, clock: FakeClock) -> Callable[..., Introspection]:
    def make(audience: str | None = AUDIENCE, **options: Any) -> Introspection:
        given = {"client_id": "orders", "client_secret": "s: %", "url": f"{server.url}/introspect", "clock": clock, **options}
        return Introspection(server.url, audience, **given)

    return make


def reason(introspection: Introspection, token: str = "t") -> Reason | str:
    with pytest.raises(InvalidToken) as caught:
        introspection.verify(token)
    return caught.value.reason


def test_active_token_is_asked_about_once_a_minute(
    server: FaultServer, make: Callable[..., Introspection], clock: FakeClock
) -> None:
    introspection = make()
    first = introspection.verify("t-1")
    assert (first.subject, set(first.scopes), first.issuer) == ("svc-a", {"orders:read"}, server.url)
    assert introspection.verify("t-1") is introspection.check("t-1") is first
    assert introspection.wants("t-1") is None
    assert len(server.requests) == 1
    clock.advance(61.0)
    introspection.verify("t-1")
    assert len(server.requests) == 2


def test_question_is_a_form_with_proof_of_who_asks(server: FaultServer, make: Callable[..., Introspection]) -> None:
    make().verify("t-1~.-_+/=")
    (asked,) = server.requests
    assert (asked.method, asked.target) == ("POST", "/introspect")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {"token": ["t-1~.-_+/="], "token_type_hint": ["access_token"]}
    assert b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode() == "orders:s%3A+%25"


def test_secret_may_go_in_the_form(server: FaultServer, make: Callable[..., Introspection]) -> None:
    make(auth_method="client_secret_post").verify("t")
    (asked,) = server.requests
    assert "authorization" not in asked.headers
    assert parse_qs(asked.body.decode())["client_secret"] == ["s: %"]


def test_token_is_never_believed_beyond_its_exp(
    server: FaultServer, make: Callable[..., Introspection], clock: FakeClock
) -> None:
    server.expect(answer(exp=clock.time() + 5), INACTIVE)
    introspection = make(leeway=0.0)
    introspection.verify("t")
    clock.advance(5.5)
    assert reason(introspection) is Reason.INACTIVE


def test_inactive_token_is_asked_about_again_after_ten_seconds(
    server: FaultServer, make: Callable[..., Introspection], clock: FakeClock
) -> None:
    server.expect(INACTIVE)
    introspection = make()
    assert reason(introspection) is reason(introspection) is Reason.INACTIVE
    assert len(server.requests) == 1
    clock.advance(10.5)
    introspection.verify("t")


def test_flood_of_made_up_tokens_pushes_no_good_one_out(server: FaultServer, make: Callable[..., Introspection]) -> None:
    introspection = make(cache_size=10)
    good = introspection.verify("good")
    server.expect(*[INACTIVE] * 50)
    for number in range(50):
        assert reason(introspection, f"bad-{number}") is Reason.INACTIVE
    assert introspection.check("good") is good


def test_same_token_is_asked_about_once_by_fifty_threads(server: FaultServer, make: Callable[..., Introspection]) -> None:
    asked, go = threading.Event(), threading.Event()

    def held(_: object) -> Reply:
        asked.set()
        go.wait(10)
        return answer()

    server.expect(held)
    introspection = make(timeout=10.0)
    with ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(introspection.verify, "t") for _ in range(50)]
        assert asked.wait(10)
        go.set()
        assert len({id(future.result()) for future in futures}) == 1
    assert len(server.requests) == 1


def test_question_outlives_the_request_that_asked_it(server: FaultServer, make: Callable[..., Introspection]) -> None:
    go = threading.Event()
    server.expect(lambda _: answer() if go.wait(10) else INACTIVE)
    introspection = make(timeout=10.0)
    exchange = Exchange(Request("GET", "/", headers={}), 0.0)  # type: ignore[arg-type]
    exchange.deadline = Deadline.after(0.01)
    before = enter(exchange)
    try:
        with pytest.raises(IntrospectionUnavailable):
            introspection.verify("t")
    finally:
        enter(before)
    go.set()
    assert introspection.verify("t").subject == "svc-a"
    assert len(server.requests) == 1


HOSTILE: dict[str, Reply] = {
    "html": Reply(body=b"<html>sign in</html>"),
    "html with 401": Reply(status=401, body=b"no"),
    "redirect": Reply(status=302, headers={"Location": "/other"}),
    "server error": Reply(status=500),
    "huge": Reply(body=b'{"active":true,"aud":"orders","x":"' + b"x" * 100_000 + b'"}'),
    "duplicate": Reply(body=b'{"active":false,"active":true,"aud":"orders"}'),
    "NaN": Reply(body=b'{"active":true,"aud":"orders","exp":NaN}'),
    "deep": Reply(body=b'{"active":true,"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "list": Reply(body=b"[true]"),
    "empty": Reply(),
    "cut": Reply.truncated(b'{"active":true,"aud":"orders"}'),
    "reset": Reply.reset(),
    "stall": Reply.stall(),
    "drip": Reply.trickle(0.05, b'{"active":true,"aud":"orders"}' + b" " * 1000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_answer_is_no_answer(server: FaultServer, make: Callable[..., Introspection], what: str) -> None:
    server.expect(HOSTILE[what])
    recorder = Recorder()
    introspection = make(timeout=0.3, listeners=[recorder])
    with pytest.raises(IntrospectionUnavailable) as caught:
        introspection.verify("t")
    assert (caught.value.status, caught.value.code) == (503, "introspection_unavailable")
    assert (caught.value.retry_after or 0) >= 1
    assert [event.outcome for event in recorder.wait_for(Introspected)] == ["failed"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("active", ['"true"', "1", "null", '"yes"'])
def test_nothing_but_true_is_active(server: FaultServer, make: Callable[..., Introspection], active: str) -> None:
    server.expect(Reply(body=f'{{"active":{active},"aud":"orders"}}'.encode()))
    assert reason(make()) is Reason.INACTIVE


def test_server_that_is_down_is_left_alone(server: FaultServer, make: Callable[..., Introspection]) -> None:
    server.expect(*[Reply(status=503)] * 100)
    introspection = make()
    for number in range(60):
        with pytest.raises(IntrospectionUnavailable):
            introspection.verify(f"t-{number}")
    assert len(server.requests) < 60
    with pytest.raises(IntrospectionUnavailable) as caught:
        introspection.verify("t")
    assert (caught.value.retry_after or 0) >= 1


def test_known_token_outlives_the_server(server: FaultServer, make: Callable[..., Introspection]) -> None:
    # Without a connection left open, on which an answer may still come.
    server.expect(replace(answer(), end="close"))
    introspection = make()
    known = introspection.verify("t")
    server.refuse()
    assert introspection.verify("t") is known
    with pytest.raises(IntrospectionUnavailable):
        introspection.verify("other")


def test_retry_after_of_the_server_is_passed_on(server: FaultServer, make: Callable[..., Introspection]) -> None:
    server.expect(Reply(status=503, headers={"Retry-After": "17"}))
    with pytest.raises(IntrospectionUnavailable) as caught:
        make().verify("t")
    assert caught.value.retry_after == 17


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "\u00e9", 'a"', "a=b", "x" * 4097, None], ids=ascii)
def test_what_is_no_token_is_never_sent(server: FaultServer, make: Callable[..., Introspection], token: Any) -> None:
    assert reason(make(), token) in {Reason.MALFORMED, Reason.TOO_LARGE}
    assert server.requests == []


def test_endpoint_is_found_in_the_metadata_of_the_issuer(server: FaultServer, make: Callable[..., Introspection]) -> None:
    metadata = {"issuer": server.url, "introspection_endpoint": f"{server.url}/inspect"}
    server.expect(Reply(body=json.dumps(metadata).encode()))
    introspection = make(url=None)
    introspection.verify("t-1")
    introspection.verify("t-2")
    assert [asked.target for asked in server.requests] == ["/.well-known/oauth-authorization-server", "/inspect", "/inspect"]


@pytest.mark.parametrize(
    "metadata",
    [{}, {"issuer": "https://evil.test"}, {"introspection_endpoint": 7}, {"introspection_endpoint": "http://evil.test/x"}],
    ids=str,
)
def test_metadata_that_is_no_good_is_not_followed(
    server: FaultServer, make: Callable[..., Introspection], metadata: dict[str, Any]
) -> None:
    reply = Reply(body=json.dumps({"issuer": server.url, **metadata}).encode())
    server.expect(reply, reply)
    with pytest.raises(IntrospectionUnavailable):
        make(url=None).verify("t")
    assert all(asked.method == "GET" for asked in server.requests)


def test_check_asks_nobody(server: FaultServer, make: Callable[..., Introspection]) -> None:
    introspection = make()
    assert introspection.wants("t") is not None
    with pytest.raises(IntrospectionUnavailable):
        introspection.check("t")
    assert server.requests == []


def test_each_process_has_sockets_and_locks_of_its_own(server: FaultServer, make: Callable[..., Introspection]) -> None:
    introspection = make()
    introspection.verify("t-1")
    child = os.fork()
    if child == 0:
        try:
            ok = introspection.verify("t-2").subject == "svc-a" and introspection.check("t-1").subject == "svc-a"
            os._exit(0 if ok else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    introspection.verify("t-3")
    assert len(server.requests) == 3


def test_both_kinds_of_tokens_pass_one_gate(server: FaultServer, make: Callable[..., Introspection], clock: FakeClock) -> None:
    issuer = Issuer("https://auth.test", clock=clock)
    jwt = Verifier("https://auth.test", AUDIENCE, keys=StaticKeys(issuer.jwks), clock=clock)
    both = ByShape(Issuers(jwt), make())
    assert both.verify(issuer.mint(aud=AUDIENCE)).issuer == "https://auth.test"
    assert server.requests == []
    assert both.verify("opaque").issuer == server.url
    assert both.warm()
    with pytest.raises(InvalidToken) as caught:
        both.verify(Issuer("https://evil.test", clock=clock).mint(aud=AUDIENCE))
    assert caught.value.reason is Reason.ISSUER
    assert len(server.requests) == 1


@pytest.mark.parametrize("token", ["a.b.c", "ya29.x.y", "eyJ", "e.y", "opaque"])
def test_dots_alone_make_no_jwt(server: FaultServer, make: Callable[..., Introspection], token: str) -> None:
    issuer = Issuer("https://auth.test")
    both = ByShape(Verifier("https://auth.test", AUDIENCE, keys=StaticKeys(issuer.jwks)), make())
    assert both.verify(token).subject == "svc-a"


def test_gate_answers_503_when_nobody_can_be_asked(server: FaultServer, make: Callable[..., Introspection]) -> None:
    server.expect(answer(), INACTIVE, Reply(status=500))
    gate = Gate([JWTAuth(make(), rules=[Rule("GET", "/orders", scopes=["orders:read"])])], service="orders")

    def status(token: str) -> int | None:
        exchange = gate.open(request("GET", "/orders", ("Authorization", f"Bearer {token}")))
        while (work := gate.prepare(exchange)) is not None:
            work()
        reply = gate.admit(exchange)
        if reply is not None and reply.status == 503:
            assert json.loads(reply.body)["code"] == "introspection_unavailable"
            assert "Retry-After" in dict(reply.headers)
        return None if reply is None else reply.status

    assert [status("a"), status("b"), status("c"), status("a"), status("b")] == [None, 401, 503, None, 401]
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"client_secret": None},
        {"client_secret": "x", "private_key": "x"},
        {"client_id": ""},
        {"url": "http://far.test/introspect"},
        {"audience": []},
        {"audience": [""]},
        {"leeway": 301},
        {"timeout": 0},
        {"active_ttl": -1},
        {"cache_size": True},
        {"require": "exp"},
        {"revocations": 7},
        {"issuer": "http://far.test"},
    ],
    ids=str,
)
def test_nonsense_is_refused_when_it_is_made(options: dict[str, Any]) -> None:
    good = {"issuer": "https://auth.test", "audience": AUDIENCE, "client_id": "orders", "client_secret": "hush"}
    with pytest.raises(ConfigurationError, match="Introspection") as caught:
        Introspection(**{**good, **options})
    assert "hush" not in str(caught.value)


def test_nothing_is_asked_when_it_is_made(server: FaultServer, make: Callable[..., Introspection]) -> None:
    introspection = make()
    assert introspection.warm()
    assert "s: %" not in repr(introspection)
    assert server.requests == []
    assert isinstance(introspection.verify("t"), Principal)
