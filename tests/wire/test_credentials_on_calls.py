"""ClientCredentials behind a ServiceAdapter: a real issuer, a real service that verifies, and what happens when it says 401."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice.issuer import AuthorizationServer, Client, KeyRing, Server, serve
from interservice.issuer.keys import generate
from interservice.outbound import ClientCredentials, ServiceAdapter, TokenUnavailable, mount
from interservice.testing import FakeClock, FaultServer, Issuer, Reply
from interservice.tokens import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="billing", error="invalid_token"'}
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
    client = Client(client_id="orders", secret="hunter2", scopes=["billing:read"], audiences=["billing"])
    with serve(clients=[client], keys=RING, out=io.StringIO()) as server:
        yield server


def calling(service: FaultServer, credentials: ClientCredentials) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    mount(session, service.url, ServiceAdapter(auth=credentials))
    return session


def of(issuer: Issuer, clock: FakeClock, **options: Any) -> ClientCredentials:
    return ClientCredentials(client_id="orders", client_secret="x", token_url=f"{issuer.url}/token", clock=clock, **options)


def test_a_service_believes_the_token_that_a_call_brings(server: Server[AuthorizationServer]) -> None:
    credentials = ClientCredentials(client_id="orders", client_secret="hunter2", issuer=server.url, scope="billing:read")
    with FaultServer() as service, calling(service, credentials) as session:
        assert session.get(service.url, timeout=10).ok
        sent = service.requests[0].headers["authorization"]

    principal = Verifier(issuer=server.url, audience="billing", profile="rfc9068").verify(sent.removeprefix("Bearer "))

    assert (principal.subject, principal.client_id, principal.scopes) == ("orders", "orders", frozenset({"billing:read"}))


def test_a_refused_token_is_replaced_and_the_call_made_once_more(issuer: Issuer, clock: FakeClock) -> None:
    credentials = of(issuer, clock)
    with (
        FaultServer([Reply(), Reply(status=401, headers=CHALLENGE), Reply()]) as service,
        calling(service, credentials) as session,
    ):
        session.get(service.url, timeout=10)
        clock.advance(10)
        answer = session.get(service.url, timeout=10)
        tokens = [request.headers["authorization"] for request in service.requests]

    assert answer.status_code == 200
    assert tokens[0] == tokens[1] != tokens[2]
    assert issuer.hits("/token") == 2


def test_a_service_that_refuses_everything_gets_one_request_for_each_call(issuer: Issuer, clock: FakeClock) -> None:
    start = threading.Barrier(50)
    with FaultServer(then=Reply(status=401, headers=CHALLENGE)) as service, calling(service, of(issuer, clock)) as session:

        def call() -> int:
            start.wait()
            return session.get(service.url, timeout=30).status_code

        with ThreadPoolExecutor(50) as pool:
            statuses = [future.result() for future in [pool.submit(call) for _ in range(50)]]

        assert statuses == [401] * 50
        assert len(service.requests) == 50
    assert issuer.hits("/token") == 1


def test_no_token_no_call(issuer: Issuer, clock: FakeClock) -> None:
    issuer.fail("refused")
    with FaultServer() as service, calling(service, of(issuer, clock)) as session:
        with pytest.raises(TokenUnavailable) as caught:
            session.get(service.url, timeout=10)

        assert caught.value.oauth_error == "invalid_client"
        assert service.requests == []


def test_a_token_does_not_follow_a_redirect_to_another_origin(issuer: Issuer, clock: FakeClock) -> None:
    with FaultServer() as elsewhere, FaultServer() as service:
        service.expect(Reply(status=302, headers={"Location": f"{elsewhere.url}/stolen"}))
        with calling(service, of(issuer, clock)) as session:
            session.get(service.url, timeout=10)

        assert "authorization" in service.requests[0].headers
        assert "authorization" not in elsewhere.requests[0].headers
