"""A small bounded memory of pure results, keyed by what clients send.

It is emptied when full, so hostile input costs what no memory would cost, and no more; callers keep no long keys. Safe between
threads without a lock: at worst a result is worked out twice.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

#: Longer texts from clients are worked out each time.
MAX_KEY_CHARACTERS = 256


class Memo(dict[K, V], Generic[K, V]):
    """A dictionary that forgets everything when `limit` is reached; read it with `.get`, write it with `.keep`."""

    __slots__ = ("limit",)

    def __init__(self, limit: int = 512) -> None:
        super().__init__()
        self.limit = limit

    def keep(self, key: K, value: V) -> V:
        """Remember `value`, and give it back."""
        if len(self) >= self.limit:
            self.clear()
        self[key] = value
        return value
