"""Websockets through real ASGI servers: refused before they are accepted, one log line at their end, whoever ends them."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import jwt
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.servers.running import Running, running
from tests.servers.websocket_keys import ISSUER, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVERS = ("uvicorn", "hypercorn", "granian-asgi", "daphne")
APPS = "tests.servers.websocket_apps"
#: Give a lost connection the code 1005, which is also that of an orderly close without a code (RFC 6455 section 7.1.5).
TELL_NO_LOSS = frozenset({"uvicorn", "granian-asgi"})


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, APPS) as started:
        yield started


def token() -> str:
    return jwt.encode({"iss": ISSUER, "aud": "peer", "sub": "svc-a", "exp": 4102444800}, SECRET, "HS256")


class Client:
    """A websocket's client end, over a socket of its own."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10.0)
        self._connection = WSConnection(ConnectionType.CLIENT)
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.send(Request(host="peer", target="/chat", extra_headers=extra))
        self._events: Iterator[Event] = self._received()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, event: Event) -> None:
        self._socket.sendall(self._connection.send(event))

    def next(self) -> Event:
        return next(self._events)

    def reset(self) -> None:
        """Go away as a crash does, without a closing frame."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self._socket.close()

    def _received(self) -> Iterator[Event]:
        while data := self._socket.recv(65536):
            self._connection.receive_data(data)
            yield from self._connection.events()


@contextmanager
def connected(server: Running, request_id: str, **headers: str) -> Iterator[Client]:
    with Client(server.port, {"X-Request-ID": request_id, **headers}) as client:
        yield client


def line(server: Running, request_id: str) -> dict[str, Any]:
    lines = server.lines(request_id)
    assert len(lines) == 1
    return lines[0]


def test_websocket_with_a_token_is_accepted_and_logged_once_at_its_end(server: Running) -> None:
    with connected(server, "ws-good", Authorization=f"Bearer {token()}") as client:
        assert isinstance(client.next(), AcceptConnection)
        client.send(TextMessage("hello"))
        answer = client.next()
        assert isinstance(answer, TextMessage)
        assert answer.data == "svc-a: hello"
        client.send(TextMessage("bye"))
        assert isinstance(client.next(), CloseConnection)
    logged = line(server, "ws-good")
    assert logged["http.response.status_code"] == 101
    assert logged["outcome"] == "ok"


@pytest.mark.parametrize("authorization", [None, "Bearer junk"], ids=["none", "junk"])
def test_websocket_without_a_good_token_is_refused_before_it_is_accepted(server: Running, authorization: str | None) -> None:
    request_id = f"ws-bad-{authorization is None}"
    headers = {} if authorization is None else {"Authorization": authorization}
    with connected(server, request_id, **headers) as client:
        refused = client.next()
    assert isinstance(refused, RejectConnection)
    # 403 where the server has no way to say another status before it has accepted.
    assert refused.status_code in {401, 403}
    assert line(server, request_id)["http.response.status_code"] == 401


def test_client_that_vanishes_ends_the_exchange(server: Running, request: pytest.FixtureRequest) -> None:
    with connected(server, "ws-gone", Authorization=f"Bearer {token()}") as client:
        assert isinstance(client.next(), AcceptConnection)
        client.reset()
    told = line(server, "ws-gone")["outcome"]
    assert told == ("ok" if request.node.callspec.params["server"] in TELL_NO_LOSS else "client_disconnect")
