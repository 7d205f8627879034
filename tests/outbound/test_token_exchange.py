"""TokenExchange: each caller's token exchanged once, kept while both last, and never mixed up with another's."""

from __future__ import annotations

import contextvars
import copy
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import requests

from interservice.errors import ConfigurationError
from interservice.exchange import Exchange, enter
from interservice.http import Request
from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, serve
from interservice.issuer.keys import generate
from interservice.outbound import TokenExchange, TokenUnavailable
from interservice.testing import FakeClock, FaultServer, Issuer, Reply
from interservice.tokens.principal import principal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RING = KeyRing([generate("ES256")])
KEY = generate("EdDSA")


class NoHeaders:
    def get(self, name: str) -> None:
        return None

    def all(self, name: str) -> list[str]:
        return []

    def items(self) -> list[tuple[str, str]]:
        return []


def on_behalf(token: str | None, expires_in: float, run: Callable[[], Any], clock: FakeClock) -> Any:
    """Run something within a request that came with this verified token."""
    exchange = Exchange(Request("GET", "/", NoHeaders()), 0.0)
    exchange.token = token
    if token is not None:
        exchange.principal = principal_of({"iss": "https://auth.test", "sub": "user", "exp": clock.time() + expires_in})

    def inside() -> Any:
        enter(exchange)
        return run()

    return contextvars.Context().run(inside)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(clock: FakeClock) -> Iterator[Server[AuthorizationServer]]:
    clients = [
        Client(client_id="shop", secret="x", scopes=["read", "write"], audiences=["orders"], lifetime=1000),
        Client(
            client_id="orders", secret="hunter2", jwks={"keys": [KEY.jwk]}, scopes=["read"], audiences=["billing"],
            exchanges=True, lifetime=600,
        ),
    ]  # fmt: skip
    with serve(clients=clients, keys=KeyRing(RING.current), clock=clock, out=io.StringIO()) as server:
        yield server


def subject_token(server: Server[AuthorizationServer]) -> str:
    answer = requests.post(f"{server.url}/token", {"grant_type": "client_credentials"}, auth=("shop", "x"), timeout=10)
    token: str = answer.json()["access_token"]
    return token


def exchanging(server: Any, clock: FakeClock, **options: Any) -> TokenExchange:
    return TokenExchange(**({"client_id": "orders", "client_secret": "hunter2", "issuer": server.url, "clock": clock} | options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"auth_method": "client_secret_post"},
        {"client_secret": None, "private_key": KEY.pem()},
        {"scope": "read", "audience": "billing", "requested_token_type": "access_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:jwt"},
    ],
    ids=range(5),
)
def test_a_real_server_gives_a_token_that_speaks_for_the_caller(server: Any, clock: FakeClock, options: dict[str, Any]) -> None:
    exchange = exchanging(server, clock, **options)

    token = on_behalf(subject_token(server), 1000, lambda: exchange.token(10), clock)

    claims = server.app.active(token)
    assert claims is not None
    assert (claims["sub"], claims["aud"], claims["client_id"], claims["scope"]) == ("shop", "billing", "orders", "read")
    assert claims["act"] == {"sub": "orders"}


def test_without_a_verified_token_there_is_nothing_to_exchange(server: Any, clock: FakeClock) -> None:
    exchange = exchanging(server, clock)
    for ask in (lambda: exchange.token(10), lambda: on_behalf(None, 1, lambda: exchange.token(10), clock)):
        with pytest.raises(TokenUnavailable, match="not made within a request that came with a verified token") as caught:
            ask()
        assert isinstance(caught.value, requests.ConnectionError)
    assert exchange.refused("x") is False
    assert exchange._sources == {}


def answers(clock: FakeClock, **members: Any) -> Reply:
    import json

    return Reply(body=json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 600, **members}).encode())


def test_each_caller_has_a_token_of_its_own_and_is_asked_for_once(clock: FakeClock) -> None:
    with FaultServer([answers(clock, access_token="for-a"), answers(clock, access_token="for-b")]) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)
        got = [on_behalf(who, 1000, lambda: exchange.token(10), clock) for who in ("a", "b", "a", "b")]
        forms = [dict(parse_qsl(request.body.decode())) for request in server.requests]

    assert got == ["for-a", "for-b", "for-a", "for-b"]
    assert [form["subject_token"] for form in forms] == ["a", "b"]
    assert {form["grant_type"] for form in forms} == {"urn:ietf:params:oauth:grant-type:token-exchange"}
    assert {form["subject_token_type"] for form in forms} == {"urn:ietf:params:oauth:token-type:access_token"}


def test_the_callers_seen_last_are_kept(clock: FakeClock) -> None:
    with FaultServer(then=answers(clock)) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url, max_subjects=2)
        for who in ("a", "b", "a", "c", "a", "b"):
            on_behalf(who, 1000, lambda: exchange.token(10), clock)
        asked = [dict(parse_qsl(request.body.decode()))["subject_token"] for request in server.requests]

    assert asked == ["a", "b", "c", "b"]


def test_a_token_does_not_outlive_the_callers_and_is_not_renewed_for_nothing(clock: FakeClock) -> None:
    with FaultServer(then=answers(clock)) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)

        def ask(left: float) -> Any:
            return on_behalf("a", left, lambda: exchange.token(10), clock)

        assert ask(100) == "t"
        clock.advance(99.5)
        assert ask(0.5) == "t"
        assert len(server.requests) == 1
        clock.advance(0.5)
        with pytest.raises(TokenUnavailable, match="the token to be exchanged has expired"):
            ask(0)
        assert len(server.requests) == 1


def test_a_token_that_ends_before_the_callers_is_renewed(clock: FakeClock) -> None:
    with FaultServer([answers(clock), answers(clock, access_token="u")]) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)
        assert on_behalf("a", 5000, lambda: exchange.token(10), clock) == "t"
        clock.advance(595)
        assert on_behalf("a", 4405, lambda: exchange.token(10), clock) == "u"


def test_fifty_threads_of_one_caller_make_one_request(clock: FakeClock) -> None:
    start = threading.Barrier(50)
    with FaultServer(then=answers(clock)) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)

        def call() -> Any:
            start.wait()
            return exchange.token(10)

        with ThreadPoolExecutor(50) as pool:
            done = [pool.submit(on_behalf, "a", 1000, call, clock) for _ in range(50)]
            tokens = {future.result() for future in done}
        assert tokens == {"t"}
        assert len(server.requests) == 1


def test_a_refused_token_is_exchanged_anew_for_its_caller_alone(clock: FakeClock) -> None:
    replies = [answers(clock), answers(clock, access_token="other"), answers(clock, access_token="new")]
    with FaultServer(replies) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)
        for who in ("a", "b"):
            on_behalf(who, 1000, lambda: exchange.token(10), clock)
        assert on_behalf("a", 1000, lambda: exchange.refused("t"), clock) is False  # younger than ten seconds
        clock.advance(10)
        assert on_behalf("a", 990, lambda: exchange.refused("t"), clock) is True
        assert on_behalf("a", 990, lambda: exchange.token(10), clock) == "new"
        assert on_behalf("b", 990, lambda: exchange.token(10), clock) == "other"


def test_a_refusal_is_told_and_remembered_for_this_caller(clock: FakeClock) -> None:
    refusal = Reply(status=400, body=b'{"error": "invalid_target"}')
    with FaultServer([refusal, answers(clock)]) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)
        for _ in range(2):
            with pytest.raises(TokenUnavailable, match="a caller of 'orders'") as caught:
                on_behalf("a", 1000, lambda: exchange.token(10), clock)
            assert caught.value.oauth_error == "invalid_target"
        assert on_behalf("b", 1000, lambda: exchange.token(10), clock) == "t"
        assert len(server.requests) == 2


def test_the_token_of_no_bearer_is_refused(clock: FakeClock) -> None:
    with FaultServer(then=answers(clock, token_type="N_A")) as server:
        exchange = exchanging(server, clock, issuer=None, token_url=server.url)
        with pytest.raises(TokenUnavailable, match="no bearer token"):
            on_behalf("a", 1000, lambda: exchange.token(10), clock)


def test_the_endpoint_is_discovered_once_for_all_callers(clock: FakeClock) -> None:
    issuer = Issuer(keys=RING.current)
    with issuer.serve():
        exchange = exchanging(issuer, clock)
        for who in ("a", "b"):
            with pytest.raises(TokenUnavailable):  # this issuer knows client credentials alone
                on_behalf(who, 1000, lambda: exchange.token(10), clock)
        assert issuer.hits("/.well-known/oauth-authorization-server") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client_secret": None}, "TokenExchange needs exactly one of"),
        ({"token_url": "http://auth.example/"}, r"TokenExchange\.token_url must be https"),
        ({"requested_token_type": ""}, r"TokenExchange\.requested_token_type"),
        ({"max_subjects": 0}, r"TokenExchange\.max_subjects must be at least 1"),
        ({"extra": {"subject_token": "hunter2"}}, r"TokenExchange\.extra"),
        ({"extra": {"actor_token": "hunter2"}}, r"TokenExchange\.extra"),
    ],
    ids=range(6),
)
def test_nonsense_is_refused_without_showing_a_secret(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        TokenExchange(**({"client_id": "a", "client_secret": "hunter2", "token_url": "https://auth.example/"} | options))
    assert "hunter2" not in str(caught.value)


def test_nothing_secret_is_shown_and_copies_start_anew(server: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    exchange, subject = exchanging(server, clock), subject_token(server)
    token = on_behalf(subject, 1000, lambda: exchange.token(10), clock)
    for secret in ("hunter2", subject, token):
        assert secret not in repr(exchange)
        assert secret not in caplog.text
    assert copy.copy(exchange)._sources == {}
    assert copy.copy(exchange).issuer == exchange.issuer
    assert exchange.permits("https://x/")
    assert not exchange.permits("http://x.test/")
