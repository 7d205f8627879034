"""What HAProxy says of the orders instances, on its status port: one question for each connection, a CSV table as the answer."""

from __future__ import annotations

import csv
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT = 2.0
_CHUNK = 65_536
#: The rows of a proxy as a whole.
_TOTALS = frozenset({"FRONTEND", "BACKEND"})


class Status(NamedTuple):
    """One look at a backend.

    Attributes:
        states: By server: UP, DOWN, ...
        retries: Second and third tries so far, on the same server or on another one.
    """

    states: Mapping[str, str]
    retries: int


def look(port: int, backend: str) -> Status:
    """How a backend's servers do now.

    Raises:
        OSError: HAProxy does not answer.
    """
    rows = [row for row in _table(port) if row["pxname"] == backend]
    # "UP 1/2" is on its way down and gets requests all the same; "DOWN 1/2" gets none yet.
    states = {row["svname"]: row["status"].partition(" ")[0] for row in rows if row["svname"] not in _TOTALS}
    whole = next((row for row in rows if row["svname"] == "BACKEND"), None)
    return Status(states, 0 if whole is None else int(whole["wretr"]) + int(whole["wredis"]))


def _table(port: int) -> Iterator[Mapping[str, str]]:
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.sendall(b"show stat\n")
        parts = list(iter(lambda: connection.recv(_CHUNK), b""))
    text = b"".join(parts).decode("utf-8", "replace")
    return csv.DictReader(text.removeprefix("# ").splitlines())
