"""Windows over which calls are counted: the last N calls, or the last so many seconds. O(1) for each call, no lock of their own.

Totals are kept and what leaves the window is subtracted (resilience4j's fixed-size and partial aggregations). A time window is
ten buckets, each a tenth of it, so that a window of two seconds works as one of two minutes does. `record` gives a ticket by
which a call can later be marked as failed or slow without being counted twice.
"""

from __future__ import annotations

from typing import Protocol

_BUCKETS = 10
_FAILED = 1
_SLOW = 2


class Window(Protocol):
    """Totals of the calls in the window; `now` is seconds on a monotonic clock."""

    calls: int
    failures: int
    slow: int

    def record(self, now: float, failed: bool, slow: bool) -> int:  # noqa: FBT001 - two facts, on the hot path
        """Count one call, and give a ticket for `fail`."""

    def fail(self, ticket: int, now: float) -> None:
        """Mark a call counted earlier as failed; nothing when it has left the window. Once for each ticket."""

    def advance(self, now: float) -> None:
        """Let go of what is too old."""


class CountWindow:
    """The last `size` calls."""

    __slots__ = ("_ring", "_seen", "_size", "calls", "failures", "slow")

    def __init__(self, size: int) -> None:
        self._size = size
        self._ring = bytearray(size)
        self._seen = 0
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, now: float, failed: bool, slow: bool) -> int:  # noqa: FBT001, ARG002 - the protocol's
        """Count one call in place of the oldest, and give its ticket."""
        ticket = self._seen
        position = ticket % self._size
        if self.calls == self._size:
            gone = self._ring[position]
            self.failures -= gone & _FAILED
            self.slow -= gone >> 1
        else:
            self.calls += 1
        self._ring[position] = (_FAILED if failed else 0) | (_SLOW if slow else 0)
        self.failures += failed
        self.slow += slow
        self._seen = ticket + 1
        return ticket

    def fail(self, ticket: int, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Mark the call of `ticket` as failed, if it is still among the last."""
        position = ticket % self._size
        if ticket >= self._seen - self.calls and not self._ring[position] & _FAILED:
            self._ring[position] |= _FAILED
            self.failures += 1

    def advance(self, now: float) -> None:
        """Nothing: calls leave when others come."""


class TimeWindow:
    """The last `seconds`, to within a tenth: ten buckets, of which the youngest is being filled."""

    __slots__ = ("_bucket", "_buckets", "_number", "_turns_at", "_width", "calls", "failures", "slow")

    def __init__(self, seconds: float, now: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets = [[0, 0, 0] for _ in range(_BUCKETS)]
        #: How many buckets were begun before the one being filled.
        self._number = 0
        self._bucket = self._buckets[0]
        self._turns_at = now + self._width
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, now: float, failed: bool, slow: bool) -> int:  # noqa: FBT001 - two facts, on the hot path
        """Count one call in the youngest bucket, and give that bucket's number as the ticket."""
        if now >= self._turns_at:
            self.advance(now)
        bucket = self._bucket
        bucket[0] += 1
        self.calls += 1
        if failed:
            bucket[1] += 1
            self.failures += 1
        if slow:
            bucket[2] += 1
            self.slow += 1
        return self._number

    def fail(self, ticket: int, now: float) -> None:
        """Mark a call of the bucket `ticket` as failed, if that bucket is still in the window."""
        self.advance(now)
        if ticket > self._number - _BUCKETS:
            self._buckets[ticket % _BUCKETS][1] += 1
            self.failures += 1

    def advance(self, now: float) -> None:
        """Let go of the buckets that are too old; on reading too, so that a silent window empties."""
        if now < self._turns_at:
            return
        passed = int((now - self._turns_at) / self._width) + 1
        for step in range(1, min(passed, _BUCKETS) + 1):
            bucket = self._buckets[(self._number + step) % _BUCKETS]
            self.calls -= bucket[0]
            self.failures -= bucket[1]
            self.slow -= bucket[2]
            bucket[:] = (0, 0, 0)
        self._number += passed
        self._bucket = self._buckets[self._number % _BUCKETS]
        self._turns_at += passed * self._width
        if self._turns_at <= now:  # rounding left it behind by less than a bucket
            self._turns_at = now + self._width
