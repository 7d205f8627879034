"""Requests built by hand, and what the policy makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from interservice.errors import Rejection
from interservice.exchange import Exchange
from interservice.http import Head, Request, problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.clock import Clock
    from interservice.inbound.versions import Versions, VersionSets


class Headers:
    """Request headers as the bindings offer them: names in lower case, repeated fields kept apart."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = [(name.lower(), value) for name, value in pairs]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ",".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def items(self) -> list[tuple[str, str]]:
        return self.pairs


class Answer(NamedTuple):
    """What came of a request: the version or the refusal, and the response's head."""

    exchange: Exchange
    rejection: Rejection | None
    head: Head

    @property
    def version(self) -> str | None:
        return None if self.exchange.version is None else str(self.exchange.version)

    @property
    def verdict(self) -> tuple[int, str | None]:
        """The status and what it is about: the version's text, or the last word of the code."""
        if self.rejection is None:
            return 200, self.version
        return self.rejection.status, self.rejection.code.removeprefix("api-version-")


def ask(
    policy: Versions | VersionSets,
    path: str = "/",
    *,
    method: str = "GET",
    query: str = "",
    kind: str = "http",
    mount: str = "",
    headers: Iterable[tuple[str, str]] = (),
    response: Iterable[tuple[str, str]] = (),
    status: int = 200,
    clock: Clock | None = None,
) -> Answer:
    """Take a request through the policy as the gate does."""
    request = Request(method, path, Headers(headers), mount=mount, query=query, kind=kind)
    exchange = Exchange(request, 0.0) if clock is None else Exchange(request, 0.0, None, clock)
    try:
        policy.admit(exchange)
    except Rejection as rejection:
        reply = problem(rejection, "id")
        head = Head(reply.status, reply.headers)
        policy.respond(exchange, head)
        return Answer(exchange, rejection, head)
    head = Head(status, list(response))
    policy.respond(exchange, head)
    return Answer(exchange, None, head)
