"""A bounded map that keeps what is used: two generations of plain dicts, and no lock.

An entry that is found in the old generation moves to the young one; when the young one is full it becomes the old one, and
what was not used meanwhile is forgotten. Each step is one atomic operation on a dict, so that threads may race: the worst
outcome is one entry forgotten early.
"""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")


class RecentlyUsed(Generic[Value]):
    """At most `size` values, the recently used ones; `size` 0 keeps nothing."""

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = (size + 1) // 2
        self._young: dict[bytes, Value] = {}
        self._old: dict[bytes, Value] = {}

    def find(self, key: bytes) -> Value | None:
        """The value kept under `key`, which counts as used; or None."""
        value = self._young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.keep(key, value)
        return value

    def keep(self, key: bytes, value: Value) -> None:
        """Keep `value`, forgetting what was not used for longest where room is short."""
        if not self._half:
            return
        young = self._young
        young[key] = value
        if len(young) >= self._half:
            self._young, self._old = {}, young

    def drop(self, key: bytes) -> None:
        """Forget `key`."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
