"""Forked children, as servers that load the application before they fork make them: what they inherit they leave alone."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interservice.faultserver import FaultServer, Received, Reply
from interservice.outbound import Bulkhead, ServiceAdapter, ServiceSession

from .matrix.world import certificate, server_tls

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls") / "server.pem", "billing")


def in_a_child(work: Callable[[], bool]) -> int:
    """Run `work` in a forked child and wait for it: 0 where it said yes."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextlib.contextmanager
def calling(server: FaultServer, authority: Path, **options: Any) -> Iterator[tuple[ServiceAdapter, ServiceSession]]:
    adapter = ServiceAdapter("billing", endpoints=[server.url], **options)
    with ServiceSession({"billing": adapter}) as session:
        session.verify = str(authority)
        yield adapter, session


def test_a_childs_end_leaves_the_parents_tls_connection_as_it_was(authority: Path) -> None:
    with FaultServer(tls=server_tls(authority)) as server, calling(server, authority) as (adapter, session):
        session.get("https://billing/parent")

        def work() -> bool:
            answered = all(session.get("https://billing/child").ok for _ in range(3))
            adapter.close()
            session.close()
            gc.collect()
            return answered

        assert in_a_child(work) == 0
        session.get("https://billing/parent")
        assert [request.connection for request in server.requests] == [1, 2, 2, 2, 1]


def test_a_child_forked_inside_a_stream_does_not_end_it(authority: Path) -> None:
    long = Reply(body=b"x" * 300_000)
    with FaultServer([long], tls=server_tls(authority)) as server, calling(server, authority) as (adapter, session):
        response = session.get("https://billing/", stream=True)
        chunks = response.iter_content(1000)
        first = next(chunks)

        def work() -> bool:
            answered: bool = session.get("https://billing/child").ok
            return answered and adapter.snapshot()["in_flight"] == 0

        assert in_a_child(work) == 0
        assert len(first) + sum(map(len, chunks)) == 300_000
        assert adapter.snapshot()["in_flight"] == 0


def test_a_child_forked_while_threads_are_calling_has_free_places_and_closed_circuits(authority: Path) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def hold(_request: Received) -> Reply:
        arrived.set()
        go_on.wait(20.0)
        return Reply()

    with (
        FaultServer([hold], tls=server_tls(authority)) as server,
        calling(server, authority, bulkhead=Bulkhead(max_concurrent=1)) as (adapter, session),
    ):
        thread = threading.Thread(target=session.get, args=("https://billing/held",))
        thread.start()
        assert arrived.wait(20.0)
        adapter.circuit(server.url).force_open()
        try:
            assert in_a_child(lambda: session.get("https://billing/child").ok) == 0
        finally:
            go_on.set()
            thread.join(20.0)
        assert adapter.snapshot()["in_flight"] == 0


def test_grandchildren_are_no_different(authority: Path) -> None:
    with FaultServer(tls=server_tls(authority)) as server, calling(server, authority) as (_adapter, session):
        session.get("https://billing/")
        assert (
            in_a_child(lambda: session.get("https://billing/").ok and in_a_child(lambda: session.get("https://billing/").ok) == 0)
            == 0
        )
        assert [request.connection for request in server.requests] == [1, 2, 3]


def test_a_child_looks_names_up_although_the_parent_was_doing_so(monkeypatch: pytest.MonkeyPatch, authority: Path) -> None:
    with FaultServer() as server:
        adapter = ServiceAdapter()
        with ServiceSession({"localhost": adapter}) as session:
            resolver = adapter._dialling().resolver
            assert resolver is not None
            with resolver._lock:
                assert in_a_child(lambda: session.get(f"http://localhost:{server.port}/").ok) == 0
