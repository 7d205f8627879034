"""Discovery: what is made of what was found, and the watch that has it looked up."""

from __future__ import annotations

import gc
import os
import socket
import threading
import weakref
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.faultserver import FaultServer
from interservice.outbound import DNS, SRV, DeadlineExceeded, NoEndpoint, Polled, Retry, ServiceAdapter, ServiceSession, Timeouts
from interservice.outbound.discovery import Found, found, shares
from interservice.outbound.watch import BACKGROUND, Watch
from interservice.testing import FakeClock


def test_each_endpoint_is_found_once_at_its_best_priority() -> None:
    answer: list[str | Found] = [Found("http://a:80", 20), Found("http://A", 10, 5), "http://b:1"]
    assert found(Polled(lambda: answer)) == [Found("http://a", 10, 5), Found("http://b:1")]


def test_nothing_is_no_answer() -> None:
    with pytest.raises(LookupError):
        found(Polled(list))


def test_what_is_no_endpoint_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        found(Polled(lambda: ["ftp://a"]))


@pytest.mark.parametrize(("weights", "entries"), [
    ([1, 1, 1], [1, 1, 1]), ([0, 0], [1, 1]), ([60, 40], [3, 2]), ([10, 0], [1, 1]), ([65535, 1], [256, 1]), ([7], [1]),
])  # fmt: skip
def test_weights_become_entries(weights: list[int], entries: list[int]) -> None:
    assert shares(weights) == entries


def test_a_name_of_this_machine_is_found() -> None:
    assert DNS("127.0.0.1", port=8000).find() == [Found("http://127.0.0.1:8000")]
    assert DNS("::1", scheme="https").find() == [Found("https://[::1]")]
    assert DNS("localhost", family="ipv4").find() == [Found("http://127.0.0.1")]


def test_a_name_that_is_none_raises() -> None:
    with pytest.raises(socket.gaierror):
        DNS("no-such-name.invalid").find()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: DNS(""), "DNS.host must be a non-empty string, not ''"),
    (lambda: DNS("a", port=0), "DNS.port must be at least 1, not 0"),
    (lambda: DNS("a", family="ipv5"),  # type: ignore[arg-type]
     "DNS.family must be one of 'any', 'ipv4', 'ipv6', not 'ipv5'"),
    (lambda: DNS("a", nameservers=["ns.example"]), "DNS.nameservers must be addresses like '127.0.0.1:8600', not 'ns.example'"),
    (lambda: SRV("_a._tcp.b", scheme="ftp"),  # type: ignore[arg-type]
     "SRV.scheme must be one of 'http', 'https', not 'ftp'"),
    (lambda: SRV("_a._tcp.b", refresh=0), "SRV.refresh must be more than 0, not 0"),
    (lambda: Polled(list, refresh=-1), "Polled.refresh must be more than 0, not -1"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == message


class Registry:
    """Gives what it has, or raises it; says when it was asked."""

    def __init__(self, *urls: str) -> None:
        self.answer: Sequence[str] | Exception = urls
        self.asked = 0
        self.called = threading.Event()

    def __call__(self) -> Sequence[str]:
        self.asked += 1
        self.called.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Watched:
    """A watch on a fake clock, looked after by the test."""

    def __init__(self) -> None:
        self.clock = FakeClock(monotonic=0.0)
        self.registry = Registry("http://a")
        self.seen: list[list[str]] = []
        self.watch = Watch(Polled(self.registry), self._changed, clock=self.clock, random=Random(1))

    def _changed(self, answer: Sequence[Found]) -> None:
        self.seen.append([entry.url for entry in answer])


def test_it_is_looked_up_at_first_and_then_about_every_refresh() -> None:
    world = Watched()
    assert world.watch.left() == 0.0
    dues = []
    for _ in range(50):
        world.watch.look()
        dues.append(world.watch.left())
    assert 27.0 <= min(dues) < 28.5
    assert 31.5 < max(dues) <= 33.0


def test_what_was_found_stays_when_it_cannot_be_found_again(caplog: pytest.LogCaptureFixture) -> None:
    world = Watched()
    world.watch.look()
    world.registry.answer = OSError("no route")
    for _ in range(3):
        world.watch.look()
    assert world.seen == [["http://a"]]
    assert world.watch.trouble == "OSError: no route"
    assert world.watch.left() <= 5.5, "and is looked for again soon"
    assert len(caplog.records) == 1, "said once"
    world.registry.answer = ["http://b"]
    world.watch.look()
    assert world.seen == [["http://a"], ["http://b"]]
    assert world.watch.trouble is None


def test_a_failed_connection_has_it_looked_up_but_not_all_the_time() -> None:
    world = Watched()
    world.watch.look()
    world.clock.advance(2.0)
    world.watch.hasten()
    assert world.watch.left() == 3.0
    world.clock.advance(10.0)
    world.watch.look()
    world.clock.advance(6.0)
    world.registry.called.clear()
    world.watch.hasten()
    assert world.registry.called.wait(10.0)


def test_calls_go_where_a_callable_says_and_follow_it() -> None:
    with FaultServer() as first, FaultServer() as second:
        registry = Registry(first.url)
        adapter = ServiceAdapter("billing", endpoints=registry, retry=Retry())
        with ServiceSession({"billing": adapter}) as session:
            assert registry.asked == 0, "nothing is asked before the first call"
            session.get("http://billing/1")
            assert list(adapter.snapshot()["endpoints"]) == [first.url]
            registry.answer = [second.url]
            watch = adapter._destinations._fixed.watch  # type: ignore[union-attr]
            assert watch is not None
            watch.look()
            session.get("http://billing/2")
    assert [request.target for request in first.requests] == ["/1"]
    assert [request.target for request in second.requests] == ["/2"]
    assert second.requests[0].headers["host"] == "billing"


def test_what_cannot_be_found_is_said_with_the_reason() -> None:
    registry = Registry()
    registry.answer = OSError("the registry is down")
    with (
        ServiceSession({"billing": ServiceAdapter("billing", endpoints=registry)}) as session,
        pytest.raises(NoEndpoint, match="could not be found: OSError: the registry is down"),
    ):
        session.get("http://billing/")


def test_the_first_call_waits_no_longer_than_it_has() -> None:
    over = threading.Event()

    def hang() -> Sequence[str]:
        over.wait(30.0)
        return []

    try:
        adapter = ServiceAdapter("billing", endpoints=hang, timeouts=Timeouts(connect=0.05, read=0.05, total=0.05))
        with ServiceSession({"billing": adapter}) as session, pytest.raises(DeadlineExceeded) as caught:
            session.get("http://billing/")
        assert caught.value.phase == "dns"
    finally:
        over.set()


def test_one_thread_looks_after_all_and_keeps_none_alive() -> None:
    with FaultServer() as server:
        adapters = [ServiceAdapter("billing", endpoints=Registry(server.url)) for _ in range(5)]
        for adapter in adapters:
            with ServiceSession({"billing": adapter}) as session:
                session.get("http://billing/")
        assert len([thread for thread in threading.enumerate() if thread.name == "interservice-discovery"]) == 1
        gone = weakref.ref(adapters[0])
        del adapter, adapters, session
        gc.collect()
        assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_looks_up_with_a_thread_of_its_own() -> None:
    with (
        FaultServer() as server,
        ServiceSession({"billing": ServiceAdapter("billing", endpoints=lambda: [server.url])}) as session,
    ):
        session.get("http://billing/parent")
        held = BACKGROUND._rounds[os.getpid()]._wake
        held.acquire()  # as the thread might, when the process forks
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if session.get("http://billing/child").ok else 2
            finally:
                os._exit(code)
        held.release()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        session.get("http://billing/parent")
    assert [request.target for request in server.requests] == ["/parent", "/child", "/parent"]


def test_endpoints_that_came_and_went_are_forgotten() -> None:
    registry = Registry()
    with FaultServer() as server:
        adapter = ServiceAdapter("billing", endpoints=registry, breaker=None)
        registry.answer = [server.url]
        with ServiceSession({"billing": adapter}) as session:
            session.get("http://billing/")
            destination = adapter._destinations._fixed
            assert destination is not None
            assert destination.watch is not None
            for port in range(1, 50):
                registry.answer = [f"http://127.0.0.1:{port}"]
                destination.watch.look()
            assert len(destination.endpoints) == 1
            assert len(adapter.snapshot()["endpoints"]) == 1
