"""Tokens: sent where they belong, replaced once, and never shown to anybody else."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests

from interservice.events import TokenFetched, TokenReplayed
from interservice.faultserver import FaultServer, Reply
from interservice.hosts import is_private
from interservice.issuer import Client, serve
from interservice.outbound import ClientCredentials, NoEndpoint, ServiceAdapter, ServiceSession, TokenUnavailable, mount
from interservice.testing import FakeClock, Recorder


class Tokens:
    """Credentials with a list of tokens; plain http to this machine alone."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.timeouts: list[float] = []

    def token(self, timeout: float) -> str:
        self.timeouts.append(timeout)
        if not self.tokens:
            raise TokenUnavailable("the issuer is down")
        return self.tokens[0]

    def refused(self, token: str) -> bool:
        if self.tokens[:1] == [token]:
            self.tokens.pop(0)
        return bool(self.tokens)

    def permits(self, url: str) -> bool:
        return is_private(url, allow_http=False)


def billing(server: FaultServer, *tokens: str, **options: Any) -> ServiceSession:
    return ServiceSession({"billing": ServiceAdapter("billing", endpoints=[server.url], auth=Tokens(*tokens), **options)})


def test_a_token_goes_along_and_the_request_is_not_changed() -> None:
    with FaultServer() as server, billing(server, "one") as session:
        response = session.get("http://billing/")
        assert server.requests[0].headers["authorization"] == "Bearer one"
        assert "Authorization" not in response.request.headers


def test_a_refused_token_is_replaced_once_whatever_the_method() -> None:
    with FaultServer([Reply(status=401)]) as server, billing(server, "one", "two", retry=None) as session:
        response = session.post("http://billing/", data=b"body")
        assert response.ok
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]
        assert [request.body for request in server.requests] == [b"body", b"body"]
        assert [attempt.status for attempt in vars(response)["attempts"]] == [401, 200]


def test_a_second_401_is_the_answer() -> None:
    with FaultServer(then=Reply(status=401)) as server, billing(server, "one", "two", "three") as session:
        assert session.get("http://billing/").status_code == 401
        assert len(server.requests) == 2


def test_a_half_sent_generator_is_not_sent_again_with_another_token() -> None:
    with FaultServer([Reply(status=401)]) as server, billing(server, "one", "two") as session:
        assert session.post("http://billing/", data=(part for part in [b"a"])).status_code == 401
        assert len(server.requests) == 1


def test_the_callers_own_authorization_wins() -> None:
    with FaultServer([Reply(status=401)]) as server, billing(server, "one", "two") as session:
        assert session.get("http://billing/", headers={"Authorization": "Basic abc"}).status_code == 401
        assert [request.headers["authorization"] for request in server.requests] == ["Basic abc"]


def test_without_a_token_nothing_is_sent() -> None:
    with FaultServer() as server, billing(server) as session:
        with pytest.raises(TokenUnavailable) as caught:
            session.get("http://billing/")
        assert isinstance(caught.value, requests.ConnectionError)
        assert caught.value.request is not None
        assert server.connections == 0


def test_the_token_may_take_what_the_call_has_left() -> None:
    tokens = Tokens("one")
    with FaultServer() as server:
        adapter = ServiceAdapter("billing", endpoints=[server.url], auth=tokens)
        with ServiceSession({"billing": adapter}) as session:
            session.get("http://billing/")
    assert 0.0 < tokens.timeouts[0] <= 10.0


def test_a_token_is_not_sent_in_the_clear() -> None:
    adapter = ServiceAdapter("billing", endpoints=["http://192.0.2.1:80"], auth=Tokens("one"))
    with ServiceSession({"billing": adapter}) as session, pytest.raises(TokenUnavailable, match="in the clear"):
        session.get("http://billing/")


def test_a_token_goes_to_no_host_that_the_adapter_was_not_mounted_for() -> None:
    with FaultServer() as server:
        session = requests.Session()
        session.mount("http://", ServiceAdapter("billing", auth=Tokens("one")))
        with pytest.raises(NoEndpoint, match="mount"):
            session.get(server.url)
        assert server.connections == 0


def test_mount_says_which_host_a_token_is_for() -> None:
    with FaultServer() as server, FaultServer() as other:
        session = requests.Session()
        adapter = ServiceAdapter("billing", auth=Tokens("one"))
        mount(session, server.url, adapter)
        session.mount("http://", adapter)
        assert session.get(server.url).ok
        with pytest.raises(NoEndpoint):
            session.get(other.url)
        assert server.requests[0].headers["authorization"] == "Bearer one"
        assert other.connections == 0


def test_a_redirect_to_another_host_takes_no_token_along() -> None:
    with FaultServer() as other, FaultServer([Reply(status=302, headers={"Location": other.url})]) as server:
        session = requests.Session()
        mount(session, server.url, ServiceAdapter("billing", auth=Tokens("one")))
        assert session.get(server.url).ok
        assert "authorization" not in other.requests[0].headers


def test_listeners_hear_that_a_call_was_made_again_with_another_token() -> None:
    recorder = Recorder()
    with FaultServer([Reply(status=401)]) as server, billing(server, "one", "two", listeners=[recorder]) as session:
        assert session.get("http://billing/").ok
    assert recorder.of(TokenReplayed) == [TokenReplayed("billing")]


def test_listeners_hear_of_tokens_that_are_fetched_early_late_and_in_vain() -> None:
    recorder, clock = Recorder(), FakeClock()
    orders = Client(client_id="orders", secret="right", lifetime=100.0)
    with serve(clients=[orders], out=io.StringIO()) as server:
        url = f"{server.url}/token"
        proof: dict[str, Any] = {"token_url": url, "client_id": "orders", "listeners": [recorder], "clock": clock}
        good = ClientCredentials(client_secret="right", **proof)
        good.token(5.0)
        clock.advance(80.0)
        good.token(5.0)
        recorder.wait_for(TokenFetched, 2, timeout=10.0)
        with pytest.raises(TokenUnavailable):
            ClientCredentials(client_secret="wrong", **proof).token(5.0)
    told = [(event.client, event.outcome, event.early, event.error) for event in recorder.of(TokenFetched)]
    assert told == [("orders", "ok", False, None), ("orders", "ok", True, None), ("orders", "fail", False, "invalid_client")]
