"""The gate under the servers that people run: what the client gets, and one log line for each request, whatever its end."""

from __future__ import annotations

import http.client
import socket
import struct
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.servers.running import APPS, COMMANDS, Running, running
from tests.servers.shapes import FILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

_DJANGO = "tests.servers.django_apps"
#: Server, and the module with the application: our middleware around one, and inside Django.
SERVERS = {
    **{name: (name, APPS) for name in sorted(COMMANDS)},
    "django-gthread": ("gunicorn-gthread", _DJANGO),
    "django-uwsgi": ("uwsgi", _DJANGO),
    "django-uvicorn": ("uvicorn", _DJANGO),
    "django-daphne": ("daphne", _DJANGO),
}
_ASGI = {"uvicorn", "hypercorn", "granian-asgi", "daphne"}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    name, module = SERVERS[request.param]
    with running(name, tmp_path_factory.mktemp(request.param), module) as started:
        yield started


@pytest.fixture(scope="module", params=sorted(_ASGI))
def asgi_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
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
    with server.asking("/endless", request_id) as client:
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        # Closing with a reset, as a client that was killed does.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (line,) = server.lines(request_id)
    assert line["outcome"] == "client_disconnect"
    assert line["http.response.status_code"] == 200


@pytest.mark.parametrize(
    ("method", "shape", "expected"),
    [
        ("GET", "whole", (200, 12)),
        ("GET", "generator", (200, 12)),
        ("GET", "late-start", (200, 12)),
        ("GET", "object", (200, 12)),
        ("GET", "write", (200, 12)),
        ("GET", "file", (200, FILE_SIZE)),
        ("GET", "trailers", (200, 12)),
        ("GET", "nothing", (204, 0)),
        ("GET", "same", (304, 0)),
        ("HEAD", "whole", (200, 0)),
        ("HEAD", "generator", (200, 0)),
        ("HEAD", "file", (200, 0)),
        ("HEAD", "nothing", (204, 0)),
    ],
)
def test_each_shape_has_one_line_with_its_status_and_bytes(
    server: Running, request_id: str, method: str, shape: str, expected: tuple[int, int]
) -> None:
    answered, _, body = server.ask(f"/shapes/{shape}", method, {"X-Request-ID": request_id})
    assert (answered, len(body)) == expected
    (line,) = server.lines(request_id)
    assert (line["http.response.status_code"], line["http.response.body.size"]) == expected
    assert line["outcome"] == "ok"
    assert 0 <= line["ttfb_ms"] <= line["duration_ms"]


def test_exception_before_the_start_has_one_line(server: Running, request_id: str) -> None:
    with suppress(http.client.RemoteDisconnected):  # uWSGI says nothing at all
        assert server.ask("/shapes/early", headers={"X-Request-ID": request_id})[0] == 500
    (line,) = server.lines(request_id)
    assert line["outcome"] == "exception"
    assert line.get("http.response.status_code") in (None, 500)
    assert line["error.type"] == "RuntimeError"


def test_exception_after_the_start_has_one_line_with_the_status_that_was_sent(server: Running, request_id: str) -> None:
    with server.asking("/shapes/late", request_id):  # how, and whether, a server ends a broken body is its own affair
        (line,) = server.lines(request_id)
    assert (line["http.response.status_code"], line["http.response.body.size"], line["outcome"]) == (200, 4, "exception")
    assert line["exception.message"] == "after the start"


def test_the_line_is_written_at_the_last_byte_and_not_after_the_background_task(asgi_server: Running, request_id: str) -> None:
    status, _, body = asgi_server.ask("/shapes/background", headers={"X-Request-ID": request_id})
    assert (status, len(body)) == (200, 12)
    (line,) = asgi_server.lines(request_id)  # while the task still waits
    assert line["outcome"] == "ok"
    asgi_server.ask("/shapes/release")
    after = uuid.uuid4().hex
    asgi_server.ask("/shapes/whole", headers={"X-Request-ID": after})
    assert len(asgi_server.lines(after)) == 1
    assert len(asgi_server.lines(request_id)) == 1
