"""SIGTERM drains first: in this process, with a handler of ours in the server's place."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interservice import ConfigurationError, Health, drain_on_sigterm
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator


class Waiting(FakeClock):
    """A clock whose `sleep` lasts until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.begun.set()
        self.let_go.wait(20)


class Server:
    """What a server does about SIGTERM."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.told: list[bool] = []
        self.stops = threading.Event()

    def __call__(self, number: int, frame: Any) -> None:
        self.told.append(self.health.draining)
        self.stops.set()

    def is_told(self) -> bool:
        """Whether it is told in time. Servers wait in turns as this does: Python looks for signals before it waits, not while."""
        return any(self.stops.wait(0.01) for _ in range(2000))


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """Puts back what SIGTERM does to the process of the tests."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def served(health: Health) -> Server:
    server = Server(health)
    signal.signal(signal.SIGTERM, server)
    return server


def test_server_is_told_after_the_instance_has_drained() -> None:
    health, clock = Health(), Waiting()
    server = served(health)
    drain_on_sigterm(health, seconds=7.0, clock=clock)
    signal.raise_signal(signal.SIGTERM)
    assert health.draining
    assert clock.begun.wait(20)
    assert server.told == []
    clock.let_go.set()
    assert server.is_told()
    assert server.told == [True]


def test_second_signal_goes_straight_through() -> None:
    health, clock = Health(), Waiting()
    server = served(health)
    drain_on_sigterm(health, clock=clock)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert server.told == [True]
    server.stops.clear()
    clock.let_go.set()
    assert server.is_told()


def test_instance_that_drains_already_waits_no_more() -> None:
    health = Health()
    server = served(health)
    drain_on_sigterm(health, clock=Waiting())
    health.drain()
    signal.raise_signal(signal.SIGTERM)
    assert server.told == [True]


def test_called_again_it_does_nothing() -> None:
    health = Health()
    server = served(health)
    drain_on_sigterm(health, seconds=0)
    drain_on_sigterm(health, seconds=0)
    signal.raise_signal(signal.SIGTERM)
    assert server.told == [True]


def test_two_healths_drain_one_after_the_other() -> None:
    one, other = Health(), Health()
    server = served(one)
    drain_on_sigterm(one, seconds=0)
    drain_on_sigterm(other, seconds=0)
    signal.raise_signal(signal.SIGTERM)
    assert server.told == [True]
    assert other.draining


def test_process_that_nobody_would_end_leaves_in_order() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    drain_on_sigterm(Health(), seconds=0)
    with pytest.raises(SystemExit) as left:
        signal.raise_signal(signal.SIGTERM)
    assert left.value.code == 143


def test_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    health = Health()
    drain_on_sigterm(health, seconds=0)
    signal.raise_signal(signal.SIGTERM)
    assert health.draining


def test_event_loop_that_reads_signals_cannot_be_held_back() -> None:
    async def serve() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
        drain_on_sigterm(Health())

    with pytest.raises(ConfigurationError, match=r"use Health\.drain_file"):
        asyncio.run(serve())


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"drain_on_sigterm\(seconds\) must be at least 0"):
        drain_on_sigterm(Health(), seconds=-1)
    with pytest.raises(ConfigurationError, match=r"drain_on_sigterm\(health\) must be a Health"):
        drain_on_sigterm("health")  # type: ignore[arg-type]


def test_other_threads_cannot_take_signals() -> None:
    caught: list[BaseException] = []

    def install() -> None:
        try:
            drain_on_sigterm(Health())
        except ConfigurationError as error:
            caught.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join(20)
    assert "main thread" in str(caught[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX alone")
def test_forked_process_drains_by_itself() -> None:
    health = Health()
    server = served(health)
    drain_on_sigterm(health, seconds=1.0, clock=FakeClock())
    child = os.fork()
    if child == 0:
        signal.raise_signal(signal.SIGTERM)
        os._exit(0 if server.is_told() and server.told == [True] else 1)
    _, code = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(code) == 0
    assert not health.draining
    assert server.told == []
