"""Dialling: every address of a name shares one timeout."""

from __future__ import annotations

import math
import socket
from typing import Any

import pytest
from urllib3.exceptions import LocationParseError

from interservice.outbound.dial import dial
from interservice.outbound.wire import Wire
from interservice.testing import FakeClock


def wire(connect: float | None = 5.0, deadline: float = math.inf) -> Wire:
    return Wire(FakeClock(), deadline, connect, None)


def addresses(*ports: int) -> Any:
    return lambda *_args: [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_next_address_is_tried_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(socket, "getaddrinfo", addresses(closed_port(), port))
        with dial("name", 80, wire(), options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]) as sock:
            assert sock.getpeername()[1] == port
            assert sock.gettimeout() == pytest.approx(5.0)


def test_the_last_error_is_raised_when_every_address_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", addresses(closed_port(), closed_port()))
    with pytest.raises(ConnectionRefusedError):
        dial("name", 80, wire())


def test_addresses_share_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float | None] = []

    class Deaf(socket.socket):
        def connect(self, address: Any) -> None:
            timeouts.append(self.gettimeout())
            raise TimeoutError

    monkeypatch.setattr(socket, "socket", Deaf)
    monkeypatch.setattr(socket, "getaddrinfo", addresses(1, 2, 3, 4))
    with pytest.raises(TimeoutError):
        dial("name", 80, wire(connect=4.0))
    assert timeouts[0] == pytest.approx(1.0)
    assert all(timeout is not None and timeout <= 4.0 for timeout in timeouts)


def test_without_a_timeout_the_socket_blocks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, dial("127.0.0.1", server.getsockname()[1], wire(connect=None)) as sock:
        assert sock.gettimeout() is None


def test_nothing_is_dialled_after_the_deadline() -> None:
    late = Wire(FakeClock(monotonic=10.0), 9.0, 5.0, None)
    with pytest.raises(TimeoutError):
        dial("127.0.0.1", 1, late)
    assert late.clamped


def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(LocationParseError):
        dial("a" * 70 + ".example", 80, wire())
