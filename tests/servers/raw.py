"""A service of raw bytes: it keeps every request as it came, and answers with what a test says, byte for byte."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

#: The answer to a request: pieces that are sent one by one; the connection is closed after the last.
Answer = Callable[["Asked"], "Iterator[bytes] | list[bytes]"]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    line: str
    fields: list[tuple[str, str]]
    body: bytes

    @property
    def target(self) -> str:
        """Path and query."""
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        """The values of a field, its name in lower case."""
        return [value for key, value in self.fields if key.lower() == name]

    def one(self, name: str) -> str | None:
        """The one value of a field, or None."""
        values = self.all(name)
        assert len(values) < 2, (name, values)
        return values[0] if values else None


class RawService:
    """Listens on loopback until the `with` block ends; `answer` may be replaced between requests."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or (lambda _asked: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
        #: Every request that came whole.
        self.asked: queue.Queue[Asked] = queue.Queue()
        #: Set when the other side has closed a connection before the answer, or the request, was at its end.
        self.left = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)

    def next(self) -> Asked:
        """The oldest request that nobody has looked at."""
        return self.asked.get(timeout=10.0)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            connection.settimeout(20.0)
            try:
                asked = _read(reader)
                if asked is None:
                    self.left.set()
                    return
                self.asked.put(asked)
                for piece in self.answer(asked):
                    connection.sendall(piece)
            except OSError:
                self.left.set()


def _read(reader: object) -> Asked | None:
    """One request; None when it did not come to its end."""
    line: bytes = reader.readline()  # type: ignore[attr-defined]
    fields: list[tuple[str, str]] = []
    while (field := reader.readline().rstrip(b"\r\n")) != b"":  # type: ignore[attr-defined]
        name, _, value = field.decode("latin-1").partition(":")
        fields.append((name, value.strip()))
    asked = Asked(line.decode("latin-1").rstrip(), fields, b"")
    body = _body(reader, asked)
    return None if body is None or not line else Asked(asked.line, fields, body)


def _body(reader: object, asked: Asked) -> bytes | None:
    read: Callable[[int], bytes] = reader.read  # type: ignore[attr-defined]
    length = asked.one("content-length")
    if length is not None:
        body = read(int(length))
        return body if len(body) == int(length) else None
    if asked.one("transfer-encoding") is None:
        return b""
    parts = []
    while True:
        size = reader.readline()  # type: ignore[attr-defined]
        if not size.strip():
            return None
        parts.append(read(int(size, 16)))
        read(2)
        if not parts[-1]:
            return b"".join(parts)


def speak(port: int, request: bytes, timeout: float = 20.0) -> bytes:
    """All that a server on loopback answers to raw bytes, until it closes or resets the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout) as client:
        client.sendall(request)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := client.recv(65536):
                parts.append(part)
    return b"".join(parts)


def taken_apart(answer: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, header fields and raw body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (field.partition(":") for field in fields)]
    return int(line.split(" ")[1]), pairs, body
