"""What `requests` sends in several calls is one call to its caller: redirects and challenges share a deadline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth

from interservice.events import Called
from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import DeadlineExceeded, ServiceAdapter, Timeouts
from interservice.testing import FakeClock


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


class Slow:
    """A server whose every answer takes a while of the client's clock."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds

    def __call__(self, request: Received) -> Reply:
        self.clock.advance(self.seconds)
        number = int(request.target.rpartition("/")[2] or 0)
        return Reply(status=302, headers={"Location": f"/{number + 1}"}) if number < 20 else Reply()


def slow(server: FaultServer, *, seconds: float = 3.0, **how: Any) -> tuple[requests.Session, FakeClock]:
    clock = FakeClock()
    server._then = Slow(clock, seconds)
    session = requests.Session()
    session.mount("http://", ServiceAdapter("billing", timeouts=Timeouts(total=10.0), clock=clock, **how))
    return session, clock


def test_hops_of_a_redirect_share_the_total(server: FaultServer) -> None:
    session, clock = slow(server)
    began = clock.monotonic()
    with session, pytest.raises(DeadlineExceeded) as caught:
        session.get(f"{server.url}/0")
    assert len(server.requests) == 4  # at 0, 3, 6 and 9 s
    assert clock.monotonic() - began == 12.0
    assert caught.value.budget == 10.0
    assert caught.value.elapsed == 12.0


def test_redirects_within_the_total_are_followed(server: FaultServer) -> None:
    session, _ = slow(server, seconds=0.4)
    with session:
        assert session.get(f"{server.url}/0").status_code == 200
    assert len(server.requests) == 21


def test_the_next_call_has_all_of_its_time(server: FaultServer) -> None:
    session, clock = slow(server, seconds=0.0)
    with session:
        kept = session.get(f"{server.url}/0", allow_redirects=False)
        clock.advance(60.0)
        assert session.get(f"{server.url}/19").status_code == 200
        prepared = session.prepare_request(requests.Request("GET", f"{server.url}/18"))
        for _ in range(2):
            assert session.send(prepared).status_code == 200
            clock.advance(60.0)
    assert kept.status_code == 302


def test_a_redirect_followed_by_hand_is_a_hop_too(server: FaultServer) -> None:
    session, clock = slow(server, seconds=0.0)
    with session:
        response = session.get(f"{server.url}/0", allow_redirects=False)
        clock.advance(60.0)
        assert response.next is not None
        with pytest.raises(DeadlineExceeded):
            session.send(response.next, allow_redirects=False)


def test_a_digest_challenge_shares_the_total(server: FaultServer) -> None:
    clock = FakeClock()

    def challenge(_request: Received) -> Reply:
        clock.advance(12.0)
        return Reply(status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    server.expect(challenge)
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter("billing", timeouts=Timeouts(total=10.0), clock=clock))
        with pytest.raises(DeadlineExceeded):
            session.get(server.url, auth=HTTPDigestAuth("u", "p"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_a_generator_is_not_sent_on_empty(server: FaultServer, status: int) -> None:
    server.expect(Reply(status=status, headers={"Location": "/there"}))
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter())
        with pytest.raises(requests.exceptions.UnrewindableBodyError):
            session.post(server.url, data=iter([b"a", b"b"]))
    assert [request.body for request in server.requests] == [b"ab"]


def test_events_time_each_hop_by_itself(server: FaultServer) -> None:
    events: list[Any] = []
    session, _ = slow(server, seconds=2.0, listeners=[events.append])
    with session:
        session.get(f"{server.url}/18")
    assert [event.seconds for event in events if isinstance(event, Called)] == [2.0, 2.0, 2.0]


def test_a_response_has_its_problem(server: FaultServer) -> None:
    problem = Reply(status=403, headers={"Content-Type": "application/problem+json"}, body=b'{"title": "No", "code": "x"}')
    server.expect(problem, problem, Reply(status=404))
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter())
        first = vars(session.get(server.url))["problem"]
        streamed = session.get(server.url, stream=True)
        assert streamed.json()["title"] == "No"
        assert vars(session.get(server.url))["problem"] is None
    assert (first.title, first.status, first.extensions) == ("No", 403, {"code": "x"})
    assert vars(streamed)["problem"] is None


def test_a_pool_that_blocks_does_so_no_longer_than_the_deadline(server: FaultServer) -> None:
    adapter = ServiceAdapter(pool_block=True, pool_maxsize=1, retry=None, timeouts=Timeouts(total=0.2))
    with requests.Session() as session:
        session.mount("http://", adapter)
        server.expect(Reply(body=b"x" * 100))
        held = session.get(server.url, stream=True)
        with pytest.raises(DeadlineExceeded) as caught:
            session.get(server.url)
        held.close()
    assert caught.value.phase == "pool"
