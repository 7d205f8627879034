"""ClientCredentials against real token endpoints on loopback: the embedded issuer, and one that fails on purpose."""

from __future__ import annotations

import io
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, serve
from interservice.issuer.keys import generate
from interservice.outbound.credentials import ClientCredentials
from interservice.outbound.errors import TokenUnavailable
from interservice.testing import FakeClock, FaultServer, Issuer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = generate("EdDSA")
RING = KeyRing([generate("ES256")])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer(keys=RING.current)
    with issuer.serve():
        yield issuer


@pytest.fixture(scope="module")
def server() -> Iterator[Server[AuthorizationServer]]:
    client = Client(
        client_id="orders", secret="a+b %:ü", jwks={"keys": [KEY.jwk]}, scopes=["read", "write"], audiences=["billing"]
    )
    with serve(clients=[client], keys=RING, out=io.StringIO()) as server:
        yield server


def made(issuer: Issuer, /, **options: Any) -> ClientCredentials:
    defaults = {"client_id": "orders", "client_secret": "hunter2", "token_url": f"{issuer.url}/token"}
    return ClientCredentials(**(defaults | options))


@pytest.mark.parametrize(
    "options",
    [
        {"client_secret": "a+b %:ü"},
        {"client_secret": "a+b %:ü", "auth_method": "client_secret_post"},
        {"private_key": KEY.pem()},
        {"private_key": KEY.pem(), "scope": "read", "audience": "billing"},
    ],
)
def test_every_method_gets_a_token_from_a_strict_server(server: Server[AuthorizationServer], options: dict[str, Any]) -> None:
    credentials = ClientCredentials(client_id="orders", issuer=server.url, **options)

    claims = server.app.active(credentials.token(10))

    assert claims is not None
    assert (claims["sub"], claims["aud"]) == ("orders", "billing")


def test_a_token_url_needs_no_discovery(issuer: Issuer) -> None:
    assert made(issuer).token(10)

    assert issuer.requests == [("POST", "/token")]


def test_an_issuer_is_discovered_once(issuer: Issuer, clock: FakeClock) -> None:
    credentials = made(issuer, token_url=None, issuer=issuer.url, clock=clock)
    first = credentials.token(10)
    clock.advance(10)
    credentials.refused(first)

    assert credentials.token(10) != first
    assert issuer.requests == [("GET", "/.well-known/oauth-authorization-server"), ("POST", "/token"), ("POST", "/token")]


def test_openid_discovery_is_the_second_choice() -> None:
    def make(url: str) -> Any:
        inner = Issuer(url, keys=RING.current)

        def app(environ: Any, start_response: Any) -> Any:
            if environ["PATH_INFO"].endswith("oauth-authorization-server"):
                start_response("404 Not Found", [])
                return []
            return inner.wsgi(environ, start_response)

        return app

    with Server(make) as server:
        assert ClientCredentials(client_id="x", client_secret="y", issuer=server.url).token(10)


def test_metadata_of_another_issuer_is_refused() -> None:
    with (
        Issuer("https://other.example", keys=RING.current).serve() as url,
        pytest.raises(TokenUnavailable, match="another issuer's"),
    ):
        ClientCredentials(client_id="x", client_secret="y", issuer=url).token(10)


def test_metadata_that_sends_secrets_over_plain_http_is_refused() -> None:
    with FaultServer() as server:
        server.expect(
            Reply(body=b'{"issuer": "%s", "token_endpoint": "http://evil.example/token"}' % server.url.rstrip("/").encode())
        )
        credentials = ClientCredentials(client_id="x", client_secret="y", issuer=server.url.rstrip("/"))

        with pytest.raises(TokenUnavailable, match="no token endpoint that a secret may be sent to"):
            credentials.token(10)

        assert len(server.requests) == 1


def test_fifty_threads_make_one_request(issuer: Issuer) -> None:
    credentials = made(issuer)
    start = threading.Barrier(50)

    def call() -> str:
        start.wait()
        return credentials.token(10)

    with ThreadPoolExecutor(50) as pool:
        tokens = {future.result() for future in [pool.submit(call) for _ in range(50)]}

    assert len(tokens) == 1
    assert issuer.hits("/token") == 1


def test_fifty_refusals_make_one_request(issuer: Issuer, clock: FakeClock) -> None:
    credentials = made(issuer, clock=clock)
    old = credentials.token(10)
    clock.advance(10)
    start = threading.Barrier(50)

    def replay() -> str:
        start.wait()
        assert credentials.refused(old)
        return credentials.token(10)

    with ThreadPoolExecutor(50) as pool:
        tokens = {future.result() for future in [pool.submit(replay) for _ in range(50)]}

    assert len(tokens) == 1
    assert old not in tokens
    assert issuer.hits("/token") == 2


def test_a_refusal_is_told_with_its_error_and_not_asked_again(server: Server[AuthorizationServer]) -> None:
    credentials = ClientCredentials(client_id="orders", client_secret="hunter2", issuer=server.url)

    for _ in range(3):
        with pytest.raises(TokenUnavailable) as caught:
            credentials.token(10)
        assert isinstance(caught.value, requests.ConnectionError)
        assert caught.value.oauth_error == "invalid_client"
        assert caught.value.retry_after == pytest.approx(60, abs=5)
        assert "hunter2" not in str(caught.value)


def test_a_scope_that_is_silently_dropped_is_an_error() -> None:
    answer = Reply(body=b'{"access_token": "t", "token_type": "Bearer", "scope": "read"}')
    with FaultServer([answer]) as server, pytest.raises(TokenUnavailable, match="less than the scope") as caught:
        ClientCredentials(client_id="x", client_secret="y", token_url=server.url, scope="read write").token(10)

    assert caught.value.oauth_error == "invalid_scope"


def test_a_passing_fault_is_tried_again_with_a_new_assertion(clock: FakeClock) -> None:
    good = Reply(body=b'{"access_token": "t", "token_type": "Bearer"}')
    with FaultServer([Reply.reset(), Reply(status=502), good]) as server:
        credentials = ClientCredentials(
            client_id="x", private_key=KEY.pem(), token_url=server.url, issuer="https://auth.example", clock=clock
        )
        assert credentials.token(10) == "t"
        bodies = [request.body for request in server.requests]

    assert len(set(bodies)) == 3
    assert len(clock.slept) == 2
    assert all(0.05 <= pause <= 0.2 for pause in clock.slept)


def test_three_tries_are_all(clock: FakeClock) -> None:
    with FaultServer(then=Reply(status=500)) as server:
        credentials = ClientCredentials(client_id="x", client_secret="y", token_url=server.url, clock=clock)
        with pytest.raises(TokenUnavailable, match="answered 500") as caught:
            credentials.token(10)
        assert len(server.requests) == 3
        assert caught.value.retry_after == 5

        with pytest.raises(TokenUnavailable):
            credentials.token(10)
        assert len(server.requests) == 3


def test_retry_after_is_obeyed(clock: FakeClock) -> None:
    with FaultServer([Reply(status=503, headers={"Retry-After": "7"})], then=Reply(status=500)) as server:
        credentials = ClientCredentials(client_id="x", client_secret="y", token_url=server.url, clock=clock)
        for waited, left in ((0, 7), (6, 1)):
            clock.advance(waited)
            with pytest.raises(TokenUnavailable) as caught:
                credentials.token(10)
            assert caught.value.retry_after == left
        assert len(server.requests) == 1


def test_redirects_are_not_followed(issuer: Issuer) -> None:
    issuer.fail("redirect")

    with pytest.raises(TokenUnavailable, match="answered 302"):
        made(issuer).token(10)

    assert issuer.requests == [("POST", "/token")]


@pytest.mark.parametrize(("fault", "message"), [("html", "other than a JSON object"), ("huge", "too large")])
def test_answers_of_nonsense_are_refused(issuer: Issuer, fault: str, message: str) -> None:
    issuer.fail(fault)

    with pytest.raises(TokenUnavailable, match=message):
        made(issuer).token(10)


def test_a_server_that_is_down_is_unavailable(clock: FakeClock) -> None:
    issuer = Issuer(keys=RING.current)
    with issuer.serve():
        credentials = made(issuer, clock=clock)

    with pytest.raises(TokenUnavailable, match="ConnectionError on the way"):
        credentials.token(10)
    with issuer.serve():
        clock.advance(5)
        assert credentials.token(10)


def test_the_calls_time_bounds_the_wait(issuer: Issuer) -> None:
    issuer.fail("slow", seconds=60)
    credentials = made(issuer)

    with pytest.raises(TokenUnavailable, match="in time"):
        credentials.token(0.05)

    issuer.heal()
    assert credentials.token(10)
    assert issuer.hits("/token") == 1


def test_a_session_of_the_users_is_used_without_its_own_credentials(issuer: Issuer) -> None:
    with requests.Session() as session:
        session.auth = ("somebody", "else")
        credentials = made(issuer, session=session)

        assert credentials.token(10)

    with FaultServer(then=Reply(status=400)) as server, requests.Session() as session:
        session.auth = ("somebody", "else")
        with pytest.raises(TokenUnavailable):
            ClientCredentials(client_id="x", client_secret="y", token_url=server.url, session=session).token(10)
        (request,) = server.requests
    assert request.headers["authorization"] == "Basic eDp5"


def test_a_forked_child_fetches_for_itself(issuer: Issuer) -> None:
    credentials = made(issuer)
    token = credentials.token(10)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, a fork beside threads warns: the very case here
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, credentials.token(10).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        other = pipe.read()
    os.waitpid(child, 0)

    assert other
    assert other != token
    assert issuer.hits("/token") == 2


def test_nothing_secret_is_logged(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)

    token = made(issuer).token(10)
    issuer.fail("error")
    with pytest.raises(TokenUnavailable):
        made(issuer).token(10)

    assert "hunter2" not in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("answer", "message", "requests_made"),
    [
        (Reply(body=b"[]"), "no JSON object", 1),
        (Reply(body=b"\xff"), "no JSON object", 1),
        (Reply(status=404), "has no metadata", 2),
        (Reply(status=403), "metadata answered 403", 1),
        (Reply(status=503, headers={"Retry-After": "9"}), "metadata answered 503", 1),
        (Reply(status=500), "metadata answered 500", 3),
        (Reply.reset(), "on the way to the authorization server", 3),
    ],
)
def test_discovery_that_fails_sends_no_secret(answer: Reply, message: str, requests_made: int, clock: FakeClock) -> None:
    with FaultServer(then=answer) as server:
        credentials = ClientCredentials(client_id="x", client_secret="y", issuer=server.url, clock=clock)
        with pytest.raises(TokenUnavailable, match=message):
            credentials.token(10)

        assert len(server.requests) == requests_made
        assert {request.method for request in server.requests} == {"GET"}
        assert not any("authorization" in request.headers for request in server.requests)
