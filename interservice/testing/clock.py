"""A clock that stands still until a test moves it. Nothing here waits, and any thread may move it."""

from __future__ import annotations

import threading

from interservice import options


class FakeClock:
    """A `Clock` for tests: time passes by `advance()` and by `sleep()`, and never otherwise.

    Args:
        monotonic: What `monotonic()` starts at, in seconds.
        time: What `time()` starts at, in seconds since the epoch.

    Attributes:
        slept: The seconds of every `sleep()`, in order.
    """

    __slots__ = ("_lock", "_monotonic", "_time", "slept")

    def __init__(self, *, monotonic: float = 1000.0, time: float = 1_800_000_000.0) -> None:
        options.number("FakeClock.monotonic", monotonic)
        options.number("FakeClock.time", time)
        self._lock = threading.Lock()
        self._monotonic = float(monotonic)
        self._time = float(time)
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return self._monotonic

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._time

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass at once and note them in `slept`; zero or less lets nothing pass."""
        with self._lock:
            self.slept.append(seconds)
            self._forward(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both scales; refuses to go back with `ConfigurationError`."""
        options.number("FakeClock.advance", seconds, at_least=0)
        with self._lock:
            self._forward(seconds)

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, forward or back, as a correction of the machine's time does."""
        options.number("FakeClock.jump", seconds)
        with self._lock:
            self._time += seconds

    def _forward(self, seconds: float) -> None:
        self._monotonic += seconds
        self._time += seconds

    def __repr__(self) -> str:
        return f"FakeClock(monotonic={self._monotonic!r}, time={self._time!r})"
