"""The moment as text and the process that writes, cheaply: the second's part is made, and the process asked for, once a second.

A fork that Python knows of is noticed at once; one behind its back (uWSGI's) with the next second.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from interservice.forks import forget_after_fork

_MILLISECONDS = tuple(f"{number:03d}Z" for number in range(1000))
#: Before the first second.
_NEVER = (float("inf"), "", 0)


class Stamp:
    """Writes moments as RFC 3339 in UTC with milliseconds (2026-11-24T23:40:27.125Z), beside the id of the process.

    Safe between threads.
    """

    __slots__ = ("__weakref__", "_second")

    def __init__(self) -> None:
        self._second = _NEVER
        forget_after_fork(self)

    def at(self, now: float) -> tuple[str, int]:
        """The moment `now`, in seconds since the epoch, and who writes."""
        second, text, pid = self._second  # one read: another thread may replace them
        if not 0.0 <= now - second < 1.0:
            second = int(now)
            text, pid = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S."), os.getpid()
            self._second = (second, text, pid)
        return text + _MILLISECONDS[int((now - second) * 1000.0)], pid

    def forget(self) -> None:
        """Ask anew: this is another process."""
        self._second = _NEVER
