"""Metrics out of real workers, forked, threaded and green: every request is counted once, by the flush or at the end."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from tests.servers.peer import eventually
from tests.servers.running import COMMANDS, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ASKED = 6


class Receiver:
    """A UDP socket that adds counters up."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.address = f"127.0.0.1:{sock.getsockname()[1]}"
        self._text = ""

    def hellos(self) -> int:
        """How many requests for /hello it was told of so far."""
        try:
            while True:
                self._text += self._socket.recv(65536).decode() + "\n"
        except BlockingIOError:
            pass
        return sum(map(int, re.findall(r"^request_total\.GET\.\w+\.200:(\d+)\|c$", self._text, re.MULTILINE)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield Receiver(sock)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_requests_are_counted_while_the_server_runs(name: str, receiver: Receiver, tmp_path: Path) -> None:
    with running(name, tmp_path, TEST_STATSD=receiver.address, TEST_FLUSH_EVERY="0.05") as server:
        for _ in range(_ASKED):
            assert server.ask("/hello")[0] == 200
        assert eventually(lambda: receiver.hellos() >= _ASKED)
        assert receiver.hellos() == _ASKED


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"waitress"}))  # which ends in order by SIGINT alone
def test_what_was_not_flushed_is_sent_when_the_server_ends_in_order(name: str, receiver: Receiver, tmp_path: Path) -> None:
    with running(name, tmp_path, TEST_STATSD=receiver.address, TEST_FLUSH_EVERY="600") as server:
        for _ in range(_ASKED):
            assert server.ask("/hello")[0] == 200
        assert receiver.hellos() == 0
        # A request ends after its client has the answer; and uWSGI's workers run no exit hooks while they are busy.
        assert eventually(lambda: server.log.read_text("utf-8").count(" /hello 200") >= _ASKED)
        assert name != "uwsgi" or eventually(server.idle)
    assert eventually(lambda: receiver.hellos() >= _ASKED)
    assert receiver.hellos() == _ASKED
