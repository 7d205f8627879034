"""What an application does, said once and played by every framework: the scenarios run the same script over each binding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from interservice.exchange import Exchange, current


@dataclass
class Script:
    """A handler's behaviour.

    Attributes:
        status: The status it answers with.
        headers: The headers it sets.
        parts: The body. One part is sent in one piece; several are streamed.
        before: Called in the handler before it answers; may raise. Its result, if bytes, becomes the body.
        between: Called before each streamed part is made; may raise.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=lambda: [b"hello"])
    stream: bool = False
    before: Callable[[], bytes | None] = lambda: None
    between: Callable[[int], None] = lambda _: None
    calls: int = 0
    #: What the framework says of the path: mount point and path below it.
    seen: list[tuple[str, str]] = field(default_factory=list)
    #: What the framework says of Accept.
    accept: str | None = None

    def begin(self, mount: str, path: str, accept: str | None = None) -> list[bytes]:
        self.calls += 1
        self.accept = accept
        self.seen.append((mount, path))
        body = self.before()
        return self.parts if body is None else [body]

    def streamed(self) -> Any:
        for position, part in enumerate(self.parts):
            self.between(position)
            yield part


def here() -> Exchange:
    """The exchange under way, which there must be."""
    exchange = current()
    assert exchange is not None
    return exchange


@dataclass
class Answer:
    """What came out at the server's end."""

    status: int | None
    headers: list[tuple[str, str]]
    body: bytes
    error: BaseException | None = None

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None
