"""Events and sinks that the tests of telemetry are made of: real exchanges, no doubles of the package's own classes."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interservice.events import Called, Served
from interservice.exchange import Exchange
from interservice.http import Request
from interservice.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", 2)


class Headers:
    """Headers of a request, as a binding would give them."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ",".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def items(self) -> Iterable[tuple[str, str]]:
        return list(self._pairs)


@dataclass(frozen=True)
class Version:
    """A negotiated version."""

    text: str = "1"
    source: str = "path"
    raw: str | None = "1"
    deprecated: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Principal:
    """Who asks."""

    subject: str | None = "ada"
    issuer: str = "https://auth.example"
    client_id: str | None = "shop"
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    expires_at: float = 0.0
    token_id: str | None = None


def exchange(request: Request | None = None, **values: Any) -> Exchange:
    """An exchange of service orders; any attribute may be given."""
    if request is None:
        headers = Headers([("User-Agent", "python-requests/2.34"), ("Content-Length", "12")])
        request = Request("GET", "/orders/7", headers, query="page=2", peer="10.0.0.9", server=("orders", 8000))
    made = Exchange(request, 0.0, "orders")
    made.route, made.trace, made.request_id = "/orders/{id}", TRACE, "r-1"
    for name, value in values.items():
        setattr(made, name, value)
    return made


def served(made: Exchange | None = None, status: int | None = 200, seconds: float = 0.0125, **values: Any) -> Served:
    """The end of an exchange; the outcome follows the status unless given."""
    outcome = "ok" if status is None or status < 400 else "client_error" if status < 500 else "server_error"
    rest: dict[str, Any] = {"bytes_sent": 512, "first_byte": 0.01, "outcome": outcome, "error": None} | values
    return Served(made or exchange(), status, rest["bytes_sent"], seconds, rest["first_byte"], rest["outcome"], rest["error"])


def called(
    status: int | None = 200, outcome: str = "ok", attempts: int = 1, error: BaseException | None = None, **values: Any
) -> Called:
    """The end of a call to billing."""
    return Called("billing", "GET", "http://billing/invoices", attempts, 0.25, outcome, status, error, **values)


def raised(error: BaseException) -> BaseException:
    """The exception, with a traceback."""

    def fail() -> None:
        raise error

    try:
        fail()
    except type(error) as caught:
        return caught
    return error


class Sink(io.StringIO):
    """A stream whose lines can be read back, each of them parsed strictly."""

    def records(self) -> list[dict[str, Any]]:
        return [strict(line) for line in self.getvalue().splitlines()]

    def one(self) -> dict[str, Any]:
        (record,) = self.records()
        return record


def strict(line: str) -> dict[str, Any]:
    """One JSON object by the letter of RFC 8259: no NaN, no key twice, no lone surrogate."""

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), keys
        return dict(pairs)

    record = json.loads(line, parse_constant=refuse, object_pairs_hook=once)
    assert isinstance(record, dict)
    json.dumps(record, ensure_ascii=False).encode("utf-8")
    return record
