"""On behalf of the caller, end to end: a gate verifies, the handler calls on, and the next gate believes the exchanged token."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice import Gate, JWTAuth, Tracing, current
from interservice.issuer import Client, KeyRing, Server, serve
from interservice.issuer.keys import generate
from interservice.outbound import ServiceAdapter, TokenExchange, TokenUnavailable, mount
from interservice.tokens import Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Iterator


def billing(environ: Any, start_response: Any) -> Any:
    principal = environ["interservice.exchange"].principal
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{principal.subject} through {principal.claims['act']['sub']}".encode()]


@pytest.fixture
def scene() -> Iterator[tuple[str, str, requests.Session]]:
    clients = [
        Client(client_id="shop", secret="x", scopes=["read"], audiences=["orders"]),
        Client(client_id="store", secret="x", scopes=["read"], audiences=["orders"]),
        Client(client_id="orders", secret="x", scopes=["read"], audiences=["billing"], exchanges=True),
    ]
    with (
        serve(clients=clients, keys=KeyRing([generate("ES256")]), out=io.StringIO()) as issuer,
        requests.Session() as session,
    ):
        session.trust_env = False

        def behind(app: Any, audience: str) -> Any:
            return lambda _url: Middleware(app, Gate([Tracing(), JWTAuth(Verifier(issuer.url, audience))]))

        with Server(behind(billing, "billing")) as next_one:
            exchange = TokenExchange(issuer=issuer.url, client_id="orders", client_secret="x", audience="billing")
            mount(session, next_one.url, ServiceAdapter("billing", auth=exchange))

            def orders(environ: Any, start_response: Any) -> Any:
                answer = session.get(f"{next_one.url}/invoices", timeout=10)
                start_response(f"{answer.status_code} OK", [("Content-Type", "text/plain")])
                return [answer.content]

            with Server(behind(orders, "orders")) as first:
                yield issuer.url, first.url, session


def test_the_next_service_knows_who_asked_and_through_whom(scene: tuple[str, str, requests.Session]) -> None:
    issuer, orders, _ = scene
    for _ in range(2):
        for client in ("shop", "store"):
            answer = requests.post(f"{issuer}/token", {"grant_type": "client_credentials"}, auth=(client, "x"), timeout=10)
            bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            assert requests.get(orders, headers=bearer, timeout=10).text == f"{client} through orders"


def test_a_call_of_nobodys_is_not_made(scene: tuple[str, str, requests.Session]) -> None:
    _, _, session = scene
    assert current() is None
    (prefix,) = [prefix for prefix, adapter in session.adapters.items() if isinstance(adapter, ServiceAdapter)]
    with pytest.raises(TokenUnavailable, match="not made within a request"):
        session.get(f"{prefix}invoices", timeout=10)
