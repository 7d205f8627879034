"""What urllib3 writes for a request, without a socket."""

from __future__ import annotations

from typing import Any

import urllib3.connection


class Written:
    """What urllib3 takes for a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data

    def settimeout(self, seconds: float | None) -> None:
        pass


def theirs(method: str, target: str, fields: dict[Any, Any], body: Any = None, **where: Any) -> bytes:
    """The bytes that urllib3 writes for a request to `billing`."""
    connection = urllib3.connection.HTTPConnection("billing", **where)
    connection.sock = written = Written()
    connection.request(method, target, body=body, headers=fields)
    return written.data
