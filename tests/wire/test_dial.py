"""Dialling: every address of a name shares one timeout."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from urllib3.exceptions import LocationParseError

from interservice.clock import SYSTEM
from interservice.outbound.dial import dial, interleaved
from interservice.outbound.wire import Wire
from interservice.testing import FakeClock


def wire(connect: float | None = 5.0, deadline: float = math.inf) -> Wire:
    return Wire(FakeClock(), deadline, connect, None)


def addresses(*ports: int) -> Any:
    return lambda *_args: [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]


@contextlib.contextmanager
def tarpit(listener: socket.socket) -> Iterator[None]:
    """Fill the queue of a listener, so that it takes no further connection and refuses none."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield


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


def test_an_address_that_does_not_answer_holds_up_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with tarpit(deaf):
            port = server.getsockname()[1]
            monkeypatch.setattr(socket, "getaddrinfo", addresses(deaf.getsockname()[1], port))
            began = SYSTEM.monotonic()
            with dial("name", 80, wire(connect=30.0)) as sock:
                assert sock.getpeername()[1] == port
            assert SYSTEM.monotonic() - began < 15.0  # each would have half of 30 s


def test_every_address_gets_its_turn_within_a_short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with tarpit(deaf):
            ports = [deaf.getsockname()[1]] * 3
            monkeypatch.setattr(socket, "getaddrinfo", addresses(*ports, server.getsockname()[1]))
            dial("name", 80, wire(connect=0.4)).close()


def test_when_no_address_answers_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        with tarpit(deaf):
            port = deaf.getsockname()[1]
            monkeypatch.setattr(socket, "getaddrinfo", addresses(port, closed_port(), port))
            began = SYSTEM.monotonic()
            with pytest.raises(TimeoutError):
                dial("name", 80, wire(connect=0.3))
            assert 0.3 <= SYSTEM.monotonic() - began < 10 * 0.3


def test_a_family_that_this_machine_does_not_have_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        unknown = (socket.AddressFamily.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("0", 1))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: [unknown, *addresses(port)()])
        with dial("name", 80, wire()) as sock:
            assert sock.getpeername()[1] == port


def test_a_name_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", addresses())
    with pytest.raises(OSError, match="no address"):
        dial("name", 80, wire())


def test_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    entries = [(six, 1), (six, 2), (six, 3), (four, 4)]
    assert interleaved(entries) == [(six, 1), (four, 4), (six, 2), (six, 3)]
    assert interleaved(entries[::-1]) == [(four, 4), (six, 3), (six, 2), (six, 1)]
    assert interleaved([]) == []


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
