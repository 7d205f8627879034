"""What sampling leaves out is still counted: per method, route and status, how many, how long together and at most.

Threads only append; one of them folds what came, without waiting for a lock, so that no request waits for another.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interservice.clock import Clock
    from interservice.events import Served

_FOLD_AT = 1024
_MAX_ROWS = 100
_OTHER = ("_other", "_other", None)

_Key = tuple[str, str | None, int | None]


class Summary:
    """Counts exchanges that were not logged.

    Args:
        every: Seconds from the first of them to the summary.
        clock: Whose monotonic time that is.
    """

    __slots__ = ("_clock", "_every", "_folding", "_pending", "_pid", "_rows", "_since")

    def __init__(self, every: float, clock: Clock) -> None:
        self._every = every
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        """Start empty: at first, and in a forked child, where the parent's counts and a lock it held are not ours."""
        self._pid = os.getpid()
        self._folding = threading.Lock()
        self._pending: deque[tuple[_Key, float]] = deque(maxlen=64 * _FOLD_AT)
        self._rows: dict[_Key, list[float]] = {}
        self._since: float | None = None

    def add(self, event: Served) -> None:
        """Count one exchange."""
        if self._pid != os.getpid():
            self._reset()
        self._pending.append(((event.exchange.request.method, event.exchange.route, event.status), event.seconds))
        if self._since is None:
            self._since = self._clock.monotonic()
        if len(self._pending) >= _FOLD_AT and self._folding.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._folding.release()

    def due(self) -> bool:
        """Whether it is time to write the summary."""
        return self._since is not None and self._pid == os.getpid() and self._clock.monotonic() - self._since >= self._every

    def take(self) -> tuple[list[dict[str, Any]], int]:
        """The rows since the last summary, the most frequent first, and how many exchanges they stand for."""
        if self._pid != os.getpid() or not self._folding.acquire(blocking=False):
            return [], 0
        try:
            self._since = None
            self._fold()
            rows, self._rows = self._rows, {}
        finally:
            self._folding.release()
        ordered = sorted(rows.items(), key=lambda item: -item[1][0])
        told = [
            {"method": method, "route": route, "status": status, "count": int(count), "total_ms": round(total * 1e3, 3),
             "max_ms": round(longest * 1e3, 3)}
            for (method, route, status), (count, total, longest) in ordered
        ]  # fmt: skip
        return told, sum(int(count) for count, _, _ in rows.values())

    def _fold(self) -> None:
        pending, rows = self._pending, self._rows
        for _ in range(len(pending)):
            key, seconds = pending.popleft()
            row = rows.get(key)
            if row is None:
                key = key if len(rows) < _MAX_ROWS else _OTHER
                row = rows.setdefault(key, [0, 0.0, 0.0])
            row[0] += 1
            row[1] += seconds
            row[2] = max(row[2], seconds)
