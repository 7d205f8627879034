"""Requests without a server, for policies on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.http import Request

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fields:
    """Header fields, each kept apart."""

    def __init__(self, *fields: tuple[str, str]) -> None:
        self._fields = [(name.lower(), value) for name, value in fields]

    def get(self, name: str) -> str | None:
        return ",".join(self.all(name)) if self.all(name) else None

    def all(self, name: str) -> list[str]:
        return [value for field, value in self._fields if field == name]

    def items(self) -> Iterable[tuple[str, str]]:
        return list(self._fields)


def request(method: str = "GET", path: str = "/", *fields: tuple[str, str], **options: Any) -> Request:
    return Request(method, path, Fields(*fields), **options)
