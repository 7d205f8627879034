"""The server that fails on purpose does so as its script says."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from interservice.errors import ConfigurationError
from interservice.faultserver import FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator


def ask(server: FaultServer, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
    """Everything that comes back until the connection ends; an RST ends it with b"RST"."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as sock:
        received = b""
        try:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                received += data
        except OSError:  # the reset may come as early as the request is written
            return received + b"RST"
        return received


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (
            Reply(status=503, headers={"Retry-After": "1"}, body=b""),
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
        ),
        (Reply(chunked=True), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        (Reply(status=204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (Reply.drop(), b""),
        (Reply.reset(), b"RST"),
        (Reply.cut_head(), b"HTTP/1.1 200 OK\r\nContent-Le"),
        (Reply.truncated(b"abc"), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"),
        (Reply.truncated(b"abc", chunked=True), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        (Reply.trickle(0.001, b"abc"), b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    ],
)
def test_a_reply_is_what_it_says(reply: Reply, expected: bytes) -> None:
    with FaultServer([reply]) as server:
        assert ask(server) == expected


def test_the_script_comes_first_and_then_the_rest() -> None:
    with FaultServer(
        [Reply(body=b"1"), lambda request: Reply(body=request.target.encode())], then=Reply(status=404, body=b"")
    ) as server:
        answers = ask(server, b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\nHEAD /d HTTP/1.1\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert b"\r\n\r\n/b" in answers
    assert answers.count(b"HTTP/1.1 404 Not Found") == 2


def test_what_came_is_recorded() -> None:
    chunked = b"POST /a?b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with FaultServer() as server:
        ask(server, chunked)
        ask(server, b"PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
        assert server.wait_for(2)
        first, second = server.requests
        assert (first.method, first.target, first.body, first.headers["host"], first.connection) == (
            "POST",
            "/a?b",
            b"abc",
            "x",
            1,
        )
        assert (second.body, second.connection) == (b"hi", 2)
        assert server.connections == 2
        assert server.bytes_received > 50


def test_expect_continue_is_answered() -> None:
    with FaultServer() as server:
        answer = ask(server, b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize(("fate", "expected"), [("close", {b"", b"RST"}), ("reset", {b"RST"})])
def test_connections_can_end_before_their_first_request(fate: str, expected: set[bytes]) -> None:
    with FaultServer(accept=[fate]) as server:
        try:
            answer = ask(server)
        except (BrokenPipeError, ConnectionResetError, OSError):
            answer = b"RST"
        assert answer in expected
        assert ask(server).endswith(b"ok")


def test_it_refuses_and_listens_again_on_the_same_port() -> None:
    with FaultServer() as server:
        url = server.url
        server.refuse()
        with pytest.raises(ConnectionRefusedError):
            ask(server)
        server.start()
        assert server.url == url
        assert ask(server).endswith(b"ok")


def test_open_connections_can_be_hung_up_on() -> None:
    with FaultServer() as server, socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert server.wait_for(1)
        assert sock.recv(100)
        server.hang_up()
        assert sock.recv(100) == b""


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Threads that wake wait for their turn, as on a busy machine."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    yield
    os.sched_setaffinity(0, mine)


@pytest.mark.parametrize("reset", [False, True])
def test_what_comes_after_the_hanging_up_is_never_answered(reset: bool, one_processor: None) -> None:
    with FaultServer() as server, ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10.0)) for _ in range(50)]
        for sock in socks:
            sock.sendall(b"GET /before HTTP/1.1\r\n\r\n")
            assert sock.recv(100)
        server.hang_up(reset=reset)
        for sock in socks:
            with suppress(OSError):
                sock.sendall(b"GET /after HTTP/1.1\r\n\r\n")
        for sock in socks:
            with suppress(ConnectionResetError):
                assert sock.recv(100) == b""
        assert {request.target for request in server.requests} == {"/before"}


def test_a_stalled_answer_ends_with_the_server() -> None:
    with (
        FaultServer([Reply.stall(after=10)]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 2"
        server.close()
        assert sock.recv(100) == b""


@pytest.mark.parametrize(
    "options", [{"status": 99}, {"delay": -1}, {"cut": -1}, {"end": "explode"}, {"length": -1}, {"pace": -0.1}]
)
def test_nonsense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Reply"):
        Reply(**options)
    with pytest.raises(ConfigurationError, match=r"FaultServer\.accept"):
        FaultServer(accept=["refuse"])


def test_an_early_answer_leaves_the_body_unread_and_is_not_lost() -> None:
    with FaultServer([Reply(status=413, body=b"", unread=True)]) as server:
        body = b"x" * (1 << 20)
        answer = ask(server, b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert answer == b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n"
        assert [request.body for request in server.requests] == [b""]


def test_a_connection_that_stalls_is_kept_and_never_read() -> None:
    with FaultServer(accept=["stall"]) as server, socket.create_connection(("127.0.0.1", server.port), timeout=0.2) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert server.requests == []
        assert ask(server).endswith(b"ok")
