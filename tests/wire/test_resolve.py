"""Names are looked up in bounded time, and a resolver that hangs costs one thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from interservice.faultserver import FaultServer
from interservice.outbound import Backoff, DeadlineExceeded, Retry, ServiceAdapter, Timeouts
from interservice.outbound.resolve import Resolver

ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]


class Hanging:
    """A resolver of the system that says nothing until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = threading.Event()

    def __call__(self, *_args: Any) -> Any:
        self.calls += 1
        self.let_go.wait(30.0)
        return ANSWER


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.let_go.set()
    for thread in threading.enumerate():
        if thread.name.startswith("resolver-"):
            thread.join(10.0)


def test_a_lookup_takes_no_longer_than_it_may(hanging: Hanging) -> None:
    with pytest.raises(TimeoutError, match="looking up 'billing'"):
        Resolver().addresses("billing", 80, 0, 0.05)


def test_a_resolver_that_hangs_costs_one_thread_for_each_name(hanging: Hanging) -> None:
    resolver = Resolver()
    for _ in range(5):
        for name in ("billing", "orders"):
            with pytest.raises(TimeoutError):
                resolver.addresses(name, 80, 0, 0.01)
    assert hanging.calls == 2
    assert sum(thread.name.startswith("resolver-") for thread in threading.enumerate()) == 2


def test_who_asks_meanwhile_shares_the_answer(hanging: Hanging) -> None:
    resolver = Resolver()
    with pytest.raises(TimeoutError):
        resolver.addresses("billing", 80, 0, 0.01)
    hanging.let_go.set()
    assert resolver.addresses("billing", 80, 0, 10.0) == ANSWER


def test_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([ANSWER, ANSWER * 2])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: next(answers))
    resolver = Resolver()
    assert [len(resolver.addresses("billing", 80, 0, 10.0)) for _ in range(2)] == [1, 2]


def test_a_name_that_does_not_exist_is_told_to_each_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    resolver = Resolver()
    raised: list[BaseException] = []
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="not known") as caught:
            resolver.addresses("billing", 80, 0, 10.0)
        raised.append(caught.value)
    assert raised[0] is not raised[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%lo"])
def test_addresses_are_not_looked_up_by_a_thread(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: asked.append(threading.current_thread().name))
    Resolver().addresses(host, 80, 0, 10.0)
    assert asked == [threading.current_thread().name]


def test_when_no_thread_can_be_had_the_caller_looks_up_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: ANSWER)
    assert Resolver().addresses("billing", 80, 0, 10.0) == ANSWER


def test_a_hanging_resolver_is_a_connect_timeout_with_nothing_sent(hanging: Hanging) -> None:
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter(retry=Retry(backoff=Backoff(base=0.0)), timeouts=Timeouts(connect=0.05)))
        with pytest.raises(requests.ConnectTimeout) as caught:
            session.post("http://billing/", data=b"x")
    assert [str(attempt.outcome) for attempt in vars(caught.value)["attempts"]] == ["never_sent"] * 3


def test_a_hanging_resolver_does_not_outlast_the_deadline(hanging: Hanging) -> None:
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter(timeouts=Timeouts(connect=30.0, total=0.1)))
        with pytest.raises(DeadlineExceeded) as caught:
            session.get("http://billing/")
    assert caught.value.phase == "dns"
    assert caught.value.elapsed < 10 * caught.value.budget


def test_names_are_looked_up_for_real() -> None:
    with FaultServer() as server, requests.Session() as session:
        session.mount("http://", ServiceAdapter())
        assert session.get(f"http://localhost:{server.port}/").ok
