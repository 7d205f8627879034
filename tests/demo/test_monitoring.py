"""What the demo asks of HAProxy and Prometheus, and what it makes of the answers."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from interservice.cli.demo.servers.balancer import look
from interservice.cli.demo.servers.monitoring import Figure, agree, statsd
from interservice.testing import FakeClock, FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = """\
# pxname,svname,status,wretr,wredis,
balancer,FRONTEND,OPEN,,,
orders,orders-a,UP 1/2,4,0,
orders,orders-b,DOWN 1/2,3,1,
orders,BACKEND,UP,7,2,
metrics,FRONTEND,OPEN,,,

"""


@contextmanager
def answering(text: str) -> Iterator[int]:
    """A status port that answers any question with a text."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            assert self.request.recv(100) == b"show stat\n"
            self.request.sendall(text.encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_states_and_retries_are_read_from_haproxys_table() -> None:
    with answering(TABLE) as port:
        status = look(port, "orders")
    assert status.states == {"orders-a": "UP", "orders-b": "DOWN"}
    assert status.retries == 9


def test_haproxy_that_is_not_there_is_an_error_of_the_system() -> None:
    with answering(TABLE) as port:
        pass
    with pytest.raises(OSError, match="refused"):
        look(port, "orders")


def found(value: str) -> Reply:
    return Reply(body=json.dumps({"data": {"result": [{"value": [0, value]}]}}).encode())


def test_monitoring_is_waited_for_until_it_agrees() -> None:
    with FaultServer([Reply(status=503), found("3"), found("12")]) as server:
        lines, wrong = agree(server.url, [Figure("requests", statsd("a[.]b"), 12, "the client")], FakeClock())
    assert lines == ["Prometheus: 12 requests (the client: 12)"]
    assert wrong == []


def test_monitoring_that_goes_on_to_disagree_is_told() -> None:
    with FaultServer(then=found("11")) as server:
        _, wrong = agree(server.url, [Figure("requests", statsd("a[.]b"), 12, "the client")], FakeClock())
    assert wrong == ["Prometheus has 11 requests, not 12"]
