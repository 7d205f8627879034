"""Places for what may be under way at once, on either side: a server's admission and an outbound bulkhead.

Waiters are served in the order they came, or the newest first once the queue stands (adaptive LIFO: Maurer, "Fail at Scale",
2015): who waited longest is then the likeliest to have been given up on by its own caller. A place is handed over under the
lock, from who ends to who waits, so that one who gave up can neither take it along nor make it disappear. The limit may change,
and may be below what is under way: then none is given until enough are released.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import TYPE_CHECKING

from . import options
from .clock import SYSTEM

if TYPE_CHECKING:
    from .clock import Clock


class Slot:
    """A place for one request or call; to be released when it has ended, its body included."""

    __slots__ = ("_held", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._held = True

    def release(self) -> None:
        """Give the place to whoever waits longest; more than once does nothing."""
        if self._held:
            self._slots._release(self)  # noqa: SLF001 - one machine in two classes


class _Waiter:
    """One that waits: `gate` is locked until it is `granted` its place."""

    __slots__ = ("gate", "granted", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.gate = threading.Lock()
        self.gate.acquire()
        self.granted = False


class Slots:
    """Live places. Safe to use from many threads.

    Args:
        limit: How many places there are.
        clock: What waiting is measured on, for `snapshot` and `newest_first_after`; the waiting itself is the machine's.
        newest_first_after: Once the first in the queue has waited so many seconds, the last is served first; None: never.

    Raises:
        ConfigurationError: `limit` is no whole number of at least 1.
    """

    def __init__(self, limit: int, *, clock: Clock = SYSTEM, newest_first_after: float | None = None) -> None:
        options.number("Slots.limit", limit, at_least=1, integer=True)
        self._monotonic = clock.monotonic
        self._limit = limit
        self._in_flight = 0
        self._newest_first_after = newest_first_after
        self._waiters: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    @property
    def in_flight(self) -> int:
        """How many have a place."""
        return self._in_flight

    @property
    def queued(self) -> int:
        """How many wait for one."""
        return len(self._waiters)

    @property
    def limit(self) -> int:
        """How many places there are. May be set."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        options.number("Slots.limit", limit, at_least=1, integer=True)
        with self._lock:
            self._limit = limit
            self._hand_over()

    def snapshot(self) -> dict[str, float]:
        """Its plain data: in_flight, limit, queued, and for how many seconds the first in the queue has waited."""
        with self._lock:
            waited = max(0.0, self._monotonic() - self._waiters[0].since) if self._waiters else 0.0
            return {"in_flight": self._in_flight, "limit": self._limit, "queued": len(self._waiters), "waited": waited}

    def try_acquire(self) -> Slot | None:
        """A place, or None when there is none now."""
        with self._lock:
            if self._in_flight >= self._limit:
                return None
            self._in_flight += 1
        return Slot(self)

    def acquire(self, timeout: float) -> Slot | None:
        """A place, waiting up to `timeout` seconds behind those who wait already; None when it has not come by then."""
        slot = self.try_acquire()
        if slot is not None or timeout <= 0:
            return slot
        waiter = _Waiter(self._monotonic())
        try:
            with self._lock:
                self._waiters.append(waiter)
                self._hand_over()
            waiter.gate.acquire(timeout=-1 if timeout == math.inf else min(timeout, threading.TIMEOUT_MAX))
        except BaseException:
            self._give_up(waiter)
            raise
        with self._lock:
            if waiter.granted:
                return Slot(self)
            self._waiters.remove(waiter)
        return None

    def _give_up(self, waiter: _Waiter) -> None:
        """An interrupted waiter leaves the queue, or passes on the place it was just given."""
        with self._lock:
            if waiter.granted:
                self._in_flight -= 1
                self._hand_over()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)

    def _release(self, slot: Slot) -> None:
        with self._lock:
            if not slot._held:  # noqa: SLF001
                return
            slot._held = False  # noqa: SLF001
            self._in_flight -= 1
            if self._waiters:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give free places to those who wait. Runs under the lock."""
        while self._waiters and self._in_flight < self._limit:
            waiter = self._waiters.pop() if self._stands() else self._waiters.popleft()
            waiter.granted = True
            self._in_flight += 1
            waiter.gate.release()

    def _stands(self) -> bool:
        """Whether the queue no longer drains in time."""
        limit = self._newest_first_after
        return limit is not None and self._monotonic() - self._waiters[0].since > limit
