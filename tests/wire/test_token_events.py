"""What operators are told of authentication: keys fetched, kept, missed and looked for in vain, and how each request ended."""

from __future__ import annotations

import re
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interservice import Gate, JWTAuth, Rule, StatsD
from interservice.errors import ConfigurationError, InvalidToken
from interservice.events import Introspected, KeysFetched, KeysNoticed, RevocationsChanged, TokenRefused, TokenVerified
from interservice.testing import FakeClock, Issuer, Recorder
from interservice.tokens import JWKS, Discovery, Verifier
from tests.inbound.requests import request

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIENCE = "orders"


def settle() -> None:
    """Wait for fetches in the background to end."""
    for thread in threading.enumerate():
        if thread.name == "interservice-keys":
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def issuer(clock: FakeClock) -> Iterator[Issuer]:
    made = Issuer(algorithms=["EdDSA"], clock=clock, expires_in=1e6)
    with made.serve():
        yield made
    settle()


def what(recorder: Recorder) -> list[str]:
    return [event.what for event in recorder.of(KeysNoticed)]


def test_each_fetch_is_an_event(issuer: Issuer, clock: FakeClock) -> None:
    recorder = Recorder()
    keys = JWKS(f"{issuer.url}/jwks", clock=clock, listeners=[recorder])
    issuer.fail("html", path="/jwks")
    assert not keys.warm()
    issuer.heal()
    clock.advance(60.0)
    assert keys.warm()
    failed, good = recorder.wait_for(KeysFetched, 2)
    assert (failed.url, good.url) == (keys.url, keys.url)
    assert failed.error is not None
    assert "no strict JSON object" in failed.error
    assert good.error is None
    assert good.seconds > 0


def test_unknown_key_is_an_event_and_so_is_not_looking_for_it(issuer: Issuer, clock: FakeClock) -> None:
    recorder = Recorder()
    verifier = Verifier(issuer.issuer, AUDIENCE, keys=JWKS(f"{issuer.url}/jwks", clock=clock, listeners=[recorder]), clock=clock)
    verifier.verify(issuer.mint(aud=AUDIENCE))
    assert what(recorder) == []
    for _ in range(2):
        with pytest.raises(InvalidToken):
            verifier.verify(issuer.mint(aud=AUDIENCE, headers={"kid": "unknown"}))
    assert what(recorder) == ["unknown_kid", "unknown_kid", "refetch_suppressed"]


def test_stale_keys_are_told_of_while_they_are_used(issuer: Issuer, clock: FakeClock) -> None:
    recorder = Recorder()
    verifier = Verifier(issuer.issuer, AUDIENCE, keys=JWKS(f"{issuer.url}/jwks", clock=clock, listeners=[recorder]), clock=clock)
    token = issuer.mint(aud=AUDIENCE)
    verifier.verify(token)
    issuer.fail("unavailable", path="/jwks")
    clock.advance(400.0)
    for _ in range(50):
        verifier.verify(token)
    assert what(recorder) == ["stale_served"]
    settle()
    clock.advance(400.0)
    verifier.verify(token)
    assert what(recorder) == ["stale_served"] * 2


def test_listeners_of_a_verifier_hear_of_the_keys_it_discovers(issuer: Issuer, clock: FakeClock) -> None:
    recorder = Recorder()
    verifier = Verifier(issuer.issuer, AUDIENCE, clock=clock, listeners=[recorder])
    assert verifier.warm()
    assert [event.error for event in recorder.wait_for(KeysFetched)] == [None]
    with pytest.raises(ConfigurationError, match=r"Verifier\.listeners"):
        Verifier(issuer.issuer, AUDIENCE, keys=Discovery(issuer.issuer), listeners=[recorder])
    with pytest.raises(ConfigurationError, match=r"JWKS\.listeners"):
        JWKS(f"{issuer.url}/jwks", listeners=[7])  # type: ignore[list-item]


def test_listener_that_fails_ends_no_fetch(issuer: Issuer, clock: FakeClock) -> None:
    def failing(_: object) -> None:
        raise RuntimeError("listener")

    assert JWKS(f"{issuer.url}/jwks", clock=clock, listeners=[failing]).warm()


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def test_every_end_of_authentication_is_counted(issuer: Issuer, clock: FakeClock, receiver: socket.socket) -> None:
    metrics, recorder = StatsD(f"127.0.0.1:{receiver.getsockname()[1]}", flush_every=60.0), Recorder()
    verifier = Verifier(issuer.issuer, AUDIENCE, keys=JWKS(f"{issuer.url}/jwks", clock=clock), clock=clock)
    rules = [Rule("GET", "/orders", scopes=["a"]), Rule("GET", "/healthz", public=True)]
    gate = Gate([JWTAuth(verifier, rules=rules)], [metrics, recorder], service="orders", clock=clock)

    def ask(*fields: tuple[str, str], path: str = "/orders") -> None:
        exchange = gate.open(request("GET", path, *fields))
        while (work := gate.prepare(exchange)) is not None:
            work()
        reply = gate.admit(exchange)
        exchange.status = 200 if reply is None else reply.status
        gate.finish(exchange)

    def bearer(**claims: Any) -> tuple[str, str]:
        return "Authorization", f"Bearer {issuer.mint(**{'aud': AUDIENCE, 'scope': 'a', **claims})}"

    good = bearer()
    issuer.fail("unavailable", path="/jwks")
    ask(good)
    issuer.heal()
    clock.advance(60.0)
    for fields in ((good,), (good,), (), (("Authorization", "Bearer a b"),), (bearer(scope="b"),), (bearer(aud="x"),)):
        ask(*fields)
    ask(path="/healthz")
    for event in (KeysFetched("u", 0.1, None), KeysFetched("u", 0.1, "x"), KeysNoticed("u", "stale_served")):
        metrics(event)
    metrics(Introspected("i", "active", 0.25))
    metrics(RevocationsChanged(available=False, error="ConnectionError"))
    metrics.flush(10.0)
    metrics.close()
    text = receiver.recv(65536).decode()
    assert {line for line in text.splitlines() if re.match(r"(auth|jwks|introspect|revocations)\.[a-z_.]+:[0-9]+\|c", line)} == {
        "auth.ok:2|c",
        "auth.missing:1|c",
        "auth.malformed:1|c",
        "auth.forbidden:1|c",
        "auth.unavailable:1|c",
        "auth.invalid.audience:1|c",
        "jwks.fetch.ok:1|c",
        "jwks.fetch.fail:1|c",
        "jwks.stale_served:1|c",
        "introspect.active:1|c",
        "revocations.unavailable:1|c",
    }
    assert "introspect:250.000|ms" in text
    assert "auth.verify:" in text
    assert len(recorder.of(TokenVerified)) == 2
    assert [event.reason for event in recorder.of(TokenRefused)] == ["audience"]
