"""The embedded gateway on real servers, between raw bytes on both sides; and what NGINX's proxy_pass makes of the same bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.peer import TOOLS, Peer, accepts, eventually, free_port, program
from tests.servers.raw import Asked, RawService, speak, taken_apart
from tests.servers.running import running

SERVERS = ("gunicorn-gthread", "gunicorn-sync", "granian-wsgi", "waitress")
#: Those that tell how the path was written, and take chunked bodies as a stream.
GUNICORN = ("gunicorn-gthread", "gunicorn-sync")
#: Those that close the connection when the body raises. Granian sends the last chunk, as if the answer were whole.
BREAKING = ("gunicorn-gthread", "gunicorn-sync", "waitress")


@pytest.fixture(scope="module")
def service() -> Iterator[RawService]:
    with RawService() as service:
        yield service


@pytest.fixture(autouse=True)
def _as_ever(service: RawService) -> None:
    service.answer = lambda _asked: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"]
    service.left.clear()
    while not service.asked.empty():
        service.asked.get()


@pytest.fixture(scope="module")
def ports(service: RawService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Each server's port, started when first asked for."""
    started: dict[str, int] = _Started(service, tmp_path_factory)
    try:
        yield started
    finally:
        started.stop()  # type: ignore[attr-defined]


class _Started(dict[str, int]):
    def __init__(self, service: RawService, folders: pytest.TempPathFactory) -> None:
        self._service, self._folders = service, folders
        self._open: list[object] = []

    def __missing__(self, name: str) -> int:
        folder = self._folders.mktemp(name)
        if name == "nginx":
            peer, port = _nginx(folder, self._service.port)
            peer.__enter__()
            self._open.append(peer)
        else:
            server = running(name, folder, "tests.servers.gateway_app", TEST_UPSTREAM=self._service.url)
            port = server.__enter__().port
            self._open.append(server)
        while not self._service.asked.empty():
            self._service.asked.get()
        self[name] = port
        return port

    def stop(self) -> None:
        for server in self._open:
            server.__exit__(None, None, None)  # type: ignore[attr-defined]


def _nginx(folder: Path, upstream: int) -> tuple[Peer, int]:
    nginx = program("nginx", Path("/usr/sbin/nginx"), TOOLS / "nginx/usr/sbin/nginx", how="apt-get install nginx-light")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    port = free_port()
    temporary = " ".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"pid nginx.pid; error_log stderr; worker_processes 1; daemon off; events {{ worker_connections 64; }}"
        f"http {{ {temporary} access_log off; server {{ listen 127.0.0.1:{port}; proxy_http_version 1.1;"
        f' proxy_set_header Connection ""; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }} }}'
    )
    return Peer([nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"], lambda: accepts(port), cwd=folder), port


def request(line: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: api.example", "Connection: close", *fields, "", ""]).encode("latin-1") + body


def answering(*pieces: bytes) -> object:
    return lambda _asked: list(pieces)


# The request


@pytest.mark.parametrize("name", [*GUNICORN, "waitress"])
@pytest.mark.parametrize(
    "target", ["/orders/a%2fb", "/orders/a%20b;v=1/%C3%A9?x=1&y=%20&&z", "/orders/%7Ea?q=a+b", "/orders/a,b:c@d"]
)
def test_target_goes_on_byte_for_byte(ports: dict[str, int], service: RawService, name: str, target: str) -> None:
    assert taken_apart(speak(ports[name], request(f"GET {target}")))[0] == 200
    assert service.next().target == target


@pytest.mark.parametrize("name", SERVERS)
def test_request_says_what_its_sender_said_and_nothing_else(ports: dict[str, int], service: RawService, name: str) -> None:
    speak(ports[name], request("DELETE /orders/7", "X-Own: 1", "Cookie: a=1; b=2"))
    asked = service.next()
    own = {key.lower(): value for key, value in asked.fields}
    assert asked.line == "DELETE /orders/7 HTTP/1.1"
    assert own.pop("traceparent").startswith("00-")
    assert len(own.pop("x-request-id")) == 32
    assert 0 < int(own.pop("x-request-timeout-ms")) <= 20_000
    assert own.pop("x-forwarded-for", "127.0.0.1") == "127.0.0.1"
    assert own.pop("content-length", "0") == "0"
    assert own == {
        "host": "orders", "x-own": "1", "cookie": "a=1; b=2", "x-forwarded-proto": "http", "x-forwarded-host": "api.example",
        "via": "1.1 interservice",
    }  # fmt: skip


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("size", [0, 5, 65_536, 300_000])
def test_body_of_known_length_keeps_it(ports: dict[str, int], service: RawService, name: str, size: int) -> None:
    speak(ports[name], request("POST /orders", f"Content-Length: {size}", body=b"x" * size))
    asked = service.next()
    assert (asked.one("content-length"), asked.one("transfer-encoding"), len(asked.body)) == (str(size), None, size)


@pytest.mark.parametrize("name", GUNICORN)
def test_chunked_body_is_kept_where_short_and_streamed_where_long(ports: dict[str, int], service: RawService, name: str) -> None:
    for size, framing in ((5, ("5", None)), (200_000, (None, "chunked"))):
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
        speak(ports[name], request("POST /orders", "Transfer-Encoding: chunked", body=body))
        asked = service.next()
        assert (asked.one("content-length"), asked.one("transfer-encoding")) == framing
        assert asked.body == b"x" * size


@pytest.mark.parametrize("name", SERVERS)
def test_body_that_is_too_long_is_413_and_the_service_sees_nothing(ports: dict[str, int], service: RawService, name: str) -> None:
    answer = speak(ports[name], request("POST /orders", "Content-Length: 1000001", body=b"x" * 1_000_001))
    assert taken_apart(answer)[0] == 413
    assert service.asked.empty()


@pytest.mark.parametrize("name", GUNICORN)
def test_chunked_body_that_grows_too_long_is_413_and_never_whole_to_the_service(
    ports: dict[str, int], service: RawService, name: str
) -> None:
    body = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    answer = speak(ports[name], request("POST /orders", "Transfer-Encoding: chunked", body=body * 16 + b"0\r\n\r\n"))
    assert taken_apart(answer)[0] == 413
    assert service.left.wait(10.0)
    assert service.asked.empty()


@pytest.mark.parametrize("name", GUNICORN)
@pytest.mark.parametrize("sent", [10, 100_000])
def test_body_that_its_client_leaves_unfinished_never_looks_whole(
    ports: dict[str, int], service: RawService, name: str, sent: int
) -> None:
    with socket.create_connection(("127.0.0.1", ports[name]), 10.0) as client:
        client.sendall(request("POST /orders", f"Content-Length: {sent * 2}", body=b"x" * sent))
    if sent > 65_536:
        assert service.left.wait(10.0)
    speak(ports[name], request("GET /after"))
    assert service.next().target == "/after"


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("spelling", ["X-Auth-Subject", "X_Auth_Subject", "x-auth-identity", "x-Auth_Scopes"])
def test_identity_that_a_client_claims_never_passes(ports: dict[str, int], service: RawService, name: str, spelling: str) -> None:
    speak(ports[name], request("GET /orders", f"{spelling}: evil"))
    assert [field for field in service.next().fields if "evil" in field] == []


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (("TRACE /orders",), 405),
        (("GET /orders", "Upgrade: websocket", "Sec-WebSocket-Version: 13"), 501),
        (("GET /orders/%2e%2e/admin",), 404),
        (("GET /orders/..%2Fadmin",), 404),
    ],
    ids=["trace", "websocket", "dots", "encoded-slash-and-dots"],
)
def test_what_cannot_be_passed_on_is_refused(
    ports: dict[str, int], service: RawService, name: str, sent: tuple[str, ...], status: int
) -> None:
    assert taken_apart(speak(ports[name], request(*sent)))[0] == status
    assert service.asked.empty()


# The answer


@pytest.mark.parametrize("name", SERVERS)
def test_fields_of_the_answer_keep_their_case_and_number(ports: dict[str, int], service: RawService, name: str) -> None:
    service.answer = answering(  # type: ignore[assignment]
        b"HTTP/1.1 203 As I Said\r\nSet-Cookie: a=1\r\nX-oDD: 1\r\nSet-Cookie: b=2\r\n"
        b"Connection: close, x-private\r\nX-Private: 1\r\n"
        b"Keep-Alive: timeout=5\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nok"
    )
    status, fields, body = taken_apart(speak(ports[name], request("GET /orders")))
    assert (status, body) == (203, b"ok")
    lower = [(key.lower(), value) for key, value in fields]
    assert [value for key, value in lower if key == "set-cookie"] == ["a=1", "b=2"]
    assert {"x-private", "keep-alive"}.isdisjoint(key for key, _ in lower)
    assert ("content-encoding", "gzip") in lower
    assert ("content-length", "2") in lower
    if name != "granian-wsgi":  # writes every name in lower case
        assert ("X-oDD", "1") in fields or ("X-Odd", "1") in fields


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("HEAD /orders", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        ("GET /orders", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET /orders", b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 7\r\n\r\n'),
        ("GET /orders", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
    ],
    ids=["head", "204", "304", "early-hints"],
)
def test_answer_without_a_body_ends_with_its_head(
    ports: dict[str, int], service: RawService, name: str, line: str, answer: bytes
) -> None:
    service.answer = answering(answer)  # type: ignore[assignment]
    seen, fields, body = taken_apart(speak(ports[name], request(line)))
    assert f" {seen} ".encode() in answer
    assert body == b""
    if line.startswith("HEAD"):
        assert "7" in [value for key, value in fields if key.lower() == "content-length"]


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-Bad: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"garbage\r\n\r\n",
    ],
    ids=["101", "unknown-coding", "two-lengths", "bare-cr", "cut-head", "garbage"],
)
def test_answer_that_is_none_is_502(ports: dict[str, int], service: RawService, name: str, answer: bytes) -> None:
    service.answer = answering(answer)  # type: ignore[assignment]
    status, fields, _ = taken_apart(speak(ports[name], request("POST /orders", "Content-Length: 0")))
    assert status == 502
    assert "application/problem+json" in [value for key, value in fields if key.lower() == "content-type"]


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    ],
    ids=["length", "chunks", "in-a-chunk"],
)
def test_answer_that_breaks_off_breaks_off_for_the_client(
    ports: dict[str, int], service: RawService, name: str, answer: bytes
) -> None:
    service.answer = answering(answer)  # type: ignore[assignment]
    status, fields, body = taken_apart(speak(ports[name], request("GET /orders")))
    assert status == 200
    length = {key.lower(): value for key, value in fields}.get("content-length")
    whole = len(body) == int(length) if length is not None else body.endswith(b"0\r\n\r\n")
    assert not whole


#: Head, first and second piece of a body, by how its end is told.
_PIECES = {
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"7\r\nfirst\n\n\r\n", b"8\r\nsecond\n\n\r\n0\r\n\r\n"),
    "length": (b"Content-Length: 15\r\n", b"first\n\n", b"second\n\n"),
    "until-close": (b"", b"first\n\n", b"second\n\n"),
}


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("told", _PIECES)
def test_each_piece_of_the_answer_goes_on_at_once(ports: dict[str, int], service: RawService, name: str, told: str) -> None:
    seen = threading.Event()
    field, first, second = _PIECES[told]

    def slowly(_asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + field + b"\r\n" + first
        seen.wait(10.0)
        yield second

    service.answer = slowly
    with socket.create_connection(("127.0.0.1", ports[name]), 10.0) as client:
        client.sendall(request("GET /events"))
        received = b""
        while b"first" not in received:
            part = client.recv(65536)
            assert part, received
            received += part
        assert b"second" not in received
        seen.set()
        while part := client.recv(65536):
            received += part
    assert b"second" in received


@pytest.mark.parametrize("name", SERVERS)
def test_client_that_leaves_ends_the_call_to_the_service(ports: dict[str, int], service: RawService, name: str) -> None:
    def endless(_asked: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for _ in range(2_000):
            yield b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    service.answer = endless
    with socket.create_connection(("127.0.0.1", ports[name]), 10.0) as client:
        client.sendall(request("GET /orders"))
        client.recv(1024)
    assert service.left.wait(20.0)


# As NGINX does it

#: What differs on purpose, besides what each adds of its own.
_OWN = {
    "server", "date", "connection", "via", "host", "x-request-id", "traceparent", "x-request-timeout-ms", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto", "transfer-encoding",
}  # fmt: skip
_REQUESTS = {
    "plain": request("GET /orders/7?x=1"),
    "encoded": request("GET /orders/a%2fb/%C3%A9?q=%2f"),
    "headers": request("GET /orders", "X-One: 1", "Accept: a/b", "Authorization: Bearer t", "Cookie: a=1"),
    "hop-by-hop": request("GET /orders", "Keep-Alive: 5"),
    "body": request("PUT /orders", "Content-Type: text/plain", "Content-Length: 4", body=b"body"),
    "chunks": request("POST /orders", "Transfer-Encoding: chunked", body=b"4\r\nbody\r\n0\r\n\r\n"),
    "head": request("HEAD /orders"),
    "options": request("OPTIONS /orders", "Origin: https://a.example"),
}
_ANSWERS = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
    "cookies": b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    "error": b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\nX-Own: 1\r\n\r\nno",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "until-close": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nok",
    "no-content": b'HTTP/1.1 204 No Content\r\nETag: "a"\r\n\r\n',
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
}


def _told(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((key.lower(), value) for key, value in fields if key.lower() not in _OWN)


@pytest.mark.parametrize("sent", _REQUESTS)
def test_service_is_asked_the_same_as_by_nginx(ports: dict[str, int], service: RawService, sent: str) -> None:
    asked = {}
    for name in ("nginx", "gunicorn-gthread"):
        speak(ports[name], _REQUESTS[sent])
        asked[name] = service.next()
    ours, theirs = asked["gunicorn-gthread"], asked["nginx"]
    assert ours.line == theirs.line
    assert ours.body == theirs.body
    assert _told(ours.fields) == _told(theirs.fields)


@pytest.mark.parametrize("given", _ANSWERS)
def test_client_is_answered_the_same_as_by_nginx(ports: dict[str, int], service: RawService, given: str) -> None:
    service.answer = answering(_ANSWERS[given])  # type: ignore[assignment]
    seen = {name: taken_apart(speak(ports[name], request("GET /orders"))) for name in ("nginx", "gunicorn-gthread")}
    ours, theirs = seen["gunicorn-gthread"], seen["nginx"]
    assert ours[0] == theirs[0]
    assert ours[2] == theirs[2]
    assert _told(ours[1]) == _told(theirs[1])


def test_each_request_is_logged_once_with_its_end(service: RawService, tmp_path: Path) -> None:
    with running("gunicorn-gthread", tmp_path, "tests.servers.gateway_app", TEST_UPSTREAM=service.url) as gateway:
        assert gateway.ask("/orders", headers={"X-Request-ID": "whole"})[0] == 200
        service.answer = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")  # type: ignore[assignment]
        speak(gateway.port, request("GET /orders", "X-Request-ID: half"))
        assert [line["outcome"] for line in gateway.lines("whole")] == ["ok"]
        assert [line["outcome"] for line in gateway.lines("half")] == ["exception"]
    assert eventually(lambda: not service.left.is_set())
