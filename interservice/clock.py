"""Time, as something that is handed in: nothing else in the package reads a clock or sleeps."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What policies, gates and adapters ask for time. Seconds everywhere, as floats."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back: for durations and deadlines."""

    def time(self) -> float:
        """Seconds since the epoch, UTC: for timestamps and token lifetimes."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""


class SystemClock:
    """The machine's clock. Looks `time` up at each call, so that gevent's patching takes effect whenever it happens."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Seconds of `time.monotonic()`."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds of `time.time()`."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """`time.sleep()`, where nothing to wait is no call."""
        if seconds > 0:
            time.sleep(seconds)

    def __repr__(self) -> str:
        return "SYSTEM"


#: The clock everything uses unless another one is given.
SYSTEM: Clock = SystemClock()
