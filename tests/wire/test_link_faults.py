"""Calls over a network that loses packets, goes silent, and comes back: with the kernel's own TCP at both ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import requests

from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import Backoff, DeadlineExceeded, Retry, ServiceAdapter, ServiceSession, Timeouts

from .cable import SERVER, Cable

#: Nothing here may take longer than so many times the time it was given.
GENEROUS = 6.0


class FarServer(FaultServer):
    """A fault server on all addresses of the namespace that it is started in."""

    @property
    def url(self) -> str:
        return f"http://{SERVER}:{self.port}"

    def start(self) -> None:
        listener = socket.create_server(("0.0.0.0", 8000))
        self._port = 8000
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener,), name="fault-server", daemon=True).start()


@pytest.fixture
def cable() -> Iterator[Cable]:
    try:
        made = Cable()
    except OSError as error:
        pytest.skip(f"this machine makes no network namespaces and TUN devices: {error}")
    with made:
        yield made


@pytest.fixture
def server(cable: Cable) -> Iterator[FaultServer]:
    far = FarServer()
    cable.server.run(far.start)
    yield far
    far.close()


def adapter(server: FaultServer, **how: Any) -> ServiceAdapter:
    timeouts = Timeouts(connect=how.pop("connect", 5.0), read=how.pop("read", 5.0), total=how.pop("total", 20.0))
    return ServiceAdapter("far", endpoints=[server.url], timeouts=timeouts, **how)


def test_a_lossy_network_slows_calls_down_and_fails_none(cable: Cable, server: FaultServer) -> None:
    cable.loss = 0.05
    server._then = lambda request: Reply(body=request.body)

    def work() -> list[bool]:
        with ServiceSession({"far": adapter(server)}) as session:
            body = b"x" * 20_000
            return [session.put("http://far/", data=body).content == body for _ in range(20)]

    assert all(cable.client.run(work))
    assert len(server.requests) == 20


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_network_that_goes_silent_ends_at_the_deadline_and_nothing_is_sent_twice(
    cable: Cable, server: FaultServer, method: str
) -> None:
    """The request arrives, the answer does not: a half-open connection, of which no end is told."""

    def cut(_request: Received) -> Reply:
        cable.cut = "down"
        return Reply()

    far = adapter(server, total=0.6)

    def work() -> DeadlineExceeded:
        with ServiceSession({"far": far}) as session:
            session.get("http://far/first")
            server.expect(cut)
            with pytest.raises(DeadlineExceeded) as caught:
                session.request(method, "http://far/second", data=b"x")
            return caught.value

    late = cable.client.run(work)
    assert late.phase == "headers"
    assert late.budget <= late.elapsed < GENEROUS * late.budget
    assert [request.target for request in server.requests] == ["/first", "/second"]
    assert far.snapshot()["in_flight"] == 0


def test_a_used_connection_that_died_in_silence_costs_the_read_timeout_alone(cable: Cable, server: FaultServer) -> None:
    def work() -> tuple[Any, Any]:
        with ServiceSession({"far": adapter(server, read=0.3, retry=Retry(backoff=Backoff(base=0.0)))}) as session:
            session.get("http://far/first")
            cable.cut = "both"
            with pytest.raises(requests.ReadTimeout) as caught:
                session.get("http://far/second")
            cable.cut = ""
            return caught.value, session.get("http://far/third")

    error, response = cable.client.run(work)
    assert [str(attempt.outcome) for attempt in error.attempts] == ["read_timeout"]
    assert response.ok


def test_a_post_that_finds_no_network_is_sent_when_there_is_one_again(cable: Cable, server: FaultServer) -> None:
    class Mended(Backoff):
        def delays(self, random: Random) -> Iterator[float]:
            cable.cut = ""
            return super().delays(random)

    def work() -> requests.Response:
        cable.cut = "both"
        retry = Retry(backoff=Mended(base=0.0), unsent_budget=None)
        with ServiceSession({"far": adapter(server, connect=0.3, retry=retry)}) as session:
            return session.post("http://far/", data=b"once")

    response = cable.client.run(work)
    assert [str(attempt.outcome) for attempt in vars(response)["attempts"]] == ["never_sent", "ok"]
    assert [request.body for request in server.requests] == [b"once"]


def test_an_upload_into_silence_ends_at_the_deadline(cable: Cable, server: FaultServer) -> None:
    def body() -> Iterator[bytes]:
        yield b"x" * 1000
        cable.cut = "both"
        while True:
            yield b"x" * 65536

    def work() -> DeadlineExceeded:
        with ServiceSession({"far": adapter(server, total=0.8)}) as session:
            with pytest.raises(DeadlineExceeded) as caught:
                session.put("http://far/", data=body())
            return caught.value

    late = cable.client.run(work)
    assert late.phase == "send"
    assert late.budget <= late.elapsed < GENEROUS * late.budget
