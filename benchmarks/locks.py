"""How long locks are held: a lock that watches itself, in the place of those that the package makes meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    #: Nanoseconds that each holding took, by who made the lock.
    Held = defaultdict[str, list[int]]

_now = time.perf_counter_ns


class WatchedLock:
    """A `threading.Lock` that notes how long each `with` held it.

    Args:
        held: Where it notes.
    """

    __slots__ = ("_held", "_lock", "_since", "acquire", "locked", "release")

    def __init__(self, lock: Any, held: list[int]) -> None:
        self._lock = lock
        self._held = held
        self._since = 0
        self.acquire, self.release, self.locked = lock.acquire, lock.release, lock.locked

    def __enter__(self) -> None:
        self._lock.acquire()
        self._since = _now()

    def __exit__(self, *error: object) -> None:
        took = _now() - self._since
        self._lock.release()
        self._held.append(took)


@contextmanager
def watched() -> Iterator[Held]:
    """Have the package's locks that are made in this block watch themselves, for as long as they live."""
    held: Held = defaultdict(list)
    make = threading.Lock

    def lock() -> Any:
        caller = sys._getframe(1)  # noqa: SLF001 - who makes it
        module: str = caller.f_globals.get("__name__", "")
        if not module.startswith("interservice."):
            return make()
        return WatchedLock(make(), held[f"{module.removeprefix('interservice.')}.{caller.f_code.co_qualname.partition('.')[0]}"])

    threading.Lock = lock  # type: ignore[assignment]
    try:
        yield held
    finally:
        threading.Lock = make
