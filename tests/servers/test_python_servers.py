"""The gate under the servers that people run: what the client gets, and one log line for each request, whatever its end."""

from __future__ import annotations

import socket
import struct
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.servers.running import COMMANDS, Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


@pytest.fixture
def request_id() -> str:
    return uuid.uuid4().hex


def test_response_is_the_applications_and_logged_once(server: Running, request_id: str) -> None:
    status, headers, body = server.ask("/hello", headers={"X-Request-ID": request_id})
    assert (status, body) == (200, b"hello")
    assert headers["x-request-id"] == request_id
    (line,) = server.lines(request_id)
    assert line["http.response.status_code"] == 200
    assert line["http.response.body.size"] == 5
    assert line["outcome"] == "ok"
    assert line["url.path"] == "/hello"


def test_stream_is_whole_and_counted(server: Running, request_id: str) -> None:
    status, _, body = server.ask("/stream", headers={"X-Request-ID": request_id})
    assert (status, body) == (200, b"part" * 3)
    (line,) = server.lines(request_id)
    assert line["http.response.body.size"] == 12
    assert line["outcome"] == "ok"


def test_head_has_no_body_and_is_logged_once(server: Running, request_id: str) -> None:
    status, _, body = server.ask("/hello", "HEAD", {"X-Request-ID": request_id})
    assert (status, body) == (200, b"")
    (line,) = server.lines(request_id)
    assert line["outcome"] == "ok"


def test_exception_of_the_application_is_a_500_logged_once(server: Running, request_id: str) -> None:
    status, headers, _ = server.ask("/boom", headers={"X-Request-ID": request_id})
    assert status == 500
    assert headers["x-request-id"] == request_id
    (line,) = server.lines(request_id)
    assert line["http.response.status_code"] == 500
    assert line["outcome"] in {"server_error", "exception"}


def test_unknown_path_is_a_404_logged_once(server: Running, request_id: str) -> None:
    status, headers, _ = server.ask("/nowhere", headers={"X-Request-ID": request_id})
    assert status == 404
    assert headers["x-request-id"] == request_id
    (line,) = server.lines(request_id)
    assert line["outcome"] == "client_error"


def test_client_that_goes_away_is_seen(server: Running, request_id: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10.0) as client:
        client.sendall(f"GET /endless HTTP/1.1\r\nHost: peer\r\nX-Request-ID: {request_id}\r\n\r\n".encode())
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        # Closing with a reset, as a client that was killed does.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (line,) = server.lines(request_id)
    assert line["outcome"] == "client_disconnect"
    assert line["http.response.status_code"] == 200
