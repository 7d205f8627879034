"""Heads of responses: read as `http.client` reads them, and refused where they are cut."""

from __future__ import annotations

import http.client
import io
from typing import Any

import pytest

from interservice.outbound.head import Head


class Bytes:
    """What `http.client` takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.data))


def read(data: bytes, method: str = "GET") -> Head:
    head = Head(Bytes(data), method=method)
    head.begin()
    return head


def stdlib(data: bytes, method: str = "GET") -> Any:
    response = http.client.HTTPResponse(Bytes(data), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


HEADS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nok",
    b"HTTP/1.1 200\r\nX: \r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\nall",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nServer: caf\xe9\r\nContent-Length: 0\r\n\r\n",
]


@pytest.mark.parametrize("data", HEADS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_reads_as_http_client_does(data: bytes, method: str) -> None:
    ours, theirs = read(data, method), stdlib(data, method)
    for name in ("status", "code", "reason", "version", "chunked", "length", "will_close"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.msg.items() == theirs.msg.items()
    assert ours.read() == theirs.read()


def test_folded_lines_are_one_value() -> None:
    head = read(b"HTTP/1.1 200 OK\r\nX-A: one\r\n  two\r\nContent-Length: 0\r\n\r\n")
    assert head.fields == [("X-A", "one two"), ("Content-Length", "0")]
    assert head.msg["x-a"] == "one two"


@pytest.mark.parametrize("data", [data for data in HEADS[:9] if b"\r\n\r\n" in data])
def test_a_head_cut_anywhere_is_refused(data: bytes) -> None:
    end = data.index(b"\r\n\r\n") + 3
    for cut in range(1, end):
        with pytest.raises(http.client.HTTPException):
            read(data[:cut])


def test_nothing_at_all_is_a_disconnection() -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        read(b"")


@pytest.mark.parametrize("status", [b"102", b"103", b"199"])
def test_interim_responses_are_skipped(status: bytes) -> None:
    head = read(b"HTTP/1.1 " + status + b" X\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert head.status == 200
    assert head.fields == [("Content-Length", "0")]


@pytest.mark.parametrize(
    "line", [b"HTTP/2 200 OK", b"ICY 200 OK", b"HTTP/1.1 abc", b"HTTP/1.1 099 X", b"HTTP/1.1", b"garbage", b"HTTP/1.1 1000 X"]
)
def test_a_status_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        read(line + b"\r\n\r\n")


def test_lines_and_heads_without_end_are_refused() -> None:
    with pytest.raises(http.client.LineTooLong):
        read(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n")
    with pytest.raises(http.client.HTTPException, match="more than"):
        read(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 101 + b"\r\n")
