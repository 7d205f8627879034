"""One of three endpoints is dead, slow or failing: what callers see of it, and what it is sent. Counts, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interservice.faultserver import FaultServer, Reply
from interservice.outbound import Backoff, Ejection, Retry, ServiceAdapter, ServiceSession, Timeouts

CALLS = 1000
QUICK = Retry(backoff=Backoff(base=0.0, cap=0.0))
#: So long that nobody comes back during a test.
PATIENT = Ejection(eject_for=600.0, eject_at_most=600.0)


@pytest.fixture
def servers() -> Iterator[list[FaultServer]]:
    with FaultServer() as one, FaultServer() as two, FaultServer() as three:
        yield [one, two, three]


def successes(servers: list[FaultServer], method: str) -> int:
    """How many of many calls succeed."""
    adapter = ServiceAdapter(
        "billing",
        endpoints=[server.url for server in servers],
        timeouts=Timeouts(connect=1.0, read=0.2, total=5.0),
        retry=QUICK,
        ejection=PATIENT,
    )
    with ServiceSession({"billing": adapter}) as session:
        answers = [session.request(method, "http://billing/", data=b"x").status_code for _ in range(CALLS)]
    assert adapter.snapshot()["in_flight"] == 0
    return answers.count(200)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    "reply",
    [Reply.stall(), Reply.stall(after=10), Reply.reset(), Reply.drop(), Reply.truncated(), Reply(status=503)],
    ids=["slow", "slow-head", "reset", "drop", "truncated", "503"],
)
def test_one_of_three_that_fails_or_hangs(servers: list[FaultServer], reply: Reply, method: str) -> None:
    bad = servers[0]
    bad._then = reply
    assert successes(servers, method) >= CALLS * 0.999
    assert len(bad.requests) == 5, "five failures in a row, and it was left out"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_one_of_three_that_is_dead(servers: list[FaultServer], method: str) -> None:
    servers[0].refuse()
    assert successes(servers, method) >= CALLS * 0.999
    assert sum(len(server.requests) for server in servers) == CALLS, "and nothing was sent twice"


def test_a_dead_one_comes_back(servers: list[FaultServer]) -> None:
    dead = servers[0]
    dead.refuse()
    quick = Ejection(eject_for=0.001, eject_at_most=0.001)
    endpoints = [server.url for server in servers]
    adapter = ServiceAdapter("billing", endpoints=endpoints, retry=QUICK, ejection=quick, breaker=None)
    with ServiceSession({"billing": adapter}) as session:
        for _ in range(50):
            assert session.get("http://billing/").status_code == 200
        dead.start()
        for _ in range(100):
            assert session.get("http://billing/").status_code == 200
    assert len(dead.requests) > 10
