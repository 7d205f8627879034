"""The moment as text, cheaply: the second's part is made once a second."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interservice.clock import Clock


class Stamp:
    """Gives the time of `clock` as RFC 3339 in UTC with milliseconds: 2026-11-24T23:40:27.125Z. Safe between threads."""

    __slots__ = ("_clock", "_second")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second: tuple[int, str] = (-1, "")

    def __call__(self, now: float | None = None) -> str:
        """The moment `now`, in seconds since the epoch; without it, the clock's."""
        if now is None:
            now = self._clock.time()
        second = int(now)
        known, text = self._second  # one read: another thread may replace the pair
        if known != second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
            self._second = (second, text)
        return f"{text}{int((now - second) * 1000):03d}Z"
