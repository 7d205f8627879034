"""The life of a fetched key set, as a pure state machine: it is told the time and what happened, and says what may be done.

EMPTY   nothing yet: whoever needs a key waits for the fetch under way
FRESH   younger than `soft`: served; an unknown key id may start a fetch
AGING   older than `soft`: served, and a refresh is due
STALE   older than its lifetime, because refreshing fails: served still, for `max_stale` seconds
DEAD    older than that: not served

Refreshes wait ever longer after each failure. Looking for an unknown key id does not wait for that, or tokens of a key that was
made before an outage would be refused for a minute after it. Such attempts, and the first of all, are paid for from a bucket (two
at once, one more each 30 s), whether they succeed or fail. Nothing here blocks, locks, draws time or randomness by itself. The
caller serialises calls that change it.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from .source import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from .keyset import KeySet

_LEAST_TTL, _MOST_TTL = 60.0, 3600.0
_BURST, _REFILL = 2.0, 30.0
_MOST_BACKOFF = 60.0
_UNKNOWN_FOR, _MOST_UNKNOWN = 30.0, 1000
#: While a refresh is under way or failing, how often the served set is looked at again.
_RECHECK = 1.0


class State(StrEnum):
    """How old the keys are."""

    EMPTY = "empty"
    FRESH = "fresh"
    AGING = "aging"
    STALE = "stale"
    DEAD = "dead"


class KeyMachine:
    """What is known of one key set. Times are seconds on one monotonic clock.

    Args:
        ttl: How long keys are fresh when the response does not say.
        max_stale: How long after that they are served while refreshing fails; 0 for not at all.
        random: Draws from [0, 1), so that a fleet does not refresh in step.
    """

    __slots__ = (
        "_failures", "_fetched", "_max_stale", "_not_before", "_random", "_soft", "_tokens", "_tokens_at", "_ttl",
        "_ttl_default", "_unknown", "generation", "keyset",
    )  # fmt: skip

    def __init__(self, ttl: float, max_stale: float, random: Callable[[], float]) -> None:
        self.keyset: KeySet | None = None
        #: Counts the good fetches.
        self.generation = 0
        self._ttl_default = self._ttl = ttl
        self._max_stale = max_stale
        self._random = random
        self._fetched = self._soft = -math.inf
        self._failures = 0
        self._not_before = -math.inf
        self._tokens = _BURST
        self._tokens_at = -math.inf
        self._unknown: dict[str, float] = {}

    def state(self, now: float) -> State:
        """How old the keys are at `now`."""
        if self.keyset is None:
            return State.EMPTY
        if now < self._soft:
            return State.FRESH
        age = now - self._fetched
        if age < self._ttl:
            return State.AGING
        return State.STALE if age < self._ttl + self._max_stale else State.DEAD

    def lease(self, now: float) -> Lease | None:
        """The keys that may be used at `now`, and until when; None when EMPTY or DEAD."""
        state = self.state(now)
        if self.keyset is None or state is State.DEAD:
            return None
        if state is State.FRESH:
            return Lease(self.keyset, self._soft)
        dead = self._fetched + self._ttl + self._max_stale
        return Lease(self.keyset, min(dead, max(self._not_before, now + _RECHECK)))

    def refresh_due(self, now: float) -> bool:
        """Whether the keys are missing or ageing and a fetch may start now; a failing source is asked ever more rarely."""
        return now >= self._not_before and self.state(now) is not State.FRESH

    def may_look_for(self, kid: str, now: float) -> bool:
        """Whether a fetch may start for a key id that the set does not hold: rarely, since anybody can make ids up."""
        return not self.known_missing(kid, now) and self._balance(now) >= 1.0

    def known_missing(self, kid: str, now: float) -> bool:
        """Whether a fetch a moment ago did not bring this key id, so that nobody need wait for it."""
        until = self._unknown.get(kid)
        return until is not None and now < until

    def started(self, now: float) -> None:
        """A fetch starts: unless it refreshes what is there it is paid for, however it ends."""
        if self.keyset is not None and self.refresh_due(now):
            return
        self._tokens = max(0.0, self._balance(now) - 1.0)
        self._tokens_at = now

    def succeeded(self, now: float, keyset: KeySet, max_age: float | None) -> None:
        """A fetch brought usable keys; `max_age` is what the response says of their lifetime, less its age in caches."""
        self._ttl = self._ttl_default if max_age is None else min(_MOST_TTL, max(_LEAST_TTL, max_age))
        self._fetched = now
        self._failures = 0
        self._not_before = -math.inf
        self.keyset = keyset
        self.generation += 1
        self.spread()

    def failed(self, now: float) -> None:
        """A fetch brought nothing usable; what was there stays."""
        self._not_before = now + min(_MOST_BACKOFF, 2.0**self._failures) * (0.5 + 0.5 * self._random())
        self._failures = min(self._failures + 1, 16)

    def missed(self, kid: str, now: float) -> None:
        """The set, just fetched, does not hold `kid`: it is not asked for again for a while."""
        while len(self._unknown) >= _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown.pop(kid, None)
        self._unknown[kid] = now + _UNKNOWN_FOR

    def spread(self) -> None:
        """Draw anew when the refresh is due; for processes forked from one that had the keys."""
        self._soft = self._fetched + self._ttl * (0.75 + 0.1 * self._random())

    def retry_after(self, now: float) -> float:
        """Seconds until the next fetch may start, at least one."""
        return max(1.0, self._not_before - now)

    def age(self, now: float) -> float | None:
        """Seconds since the last good fetch, or None."""
        return None if self.keyset is None else now - self._fetched

    def _balance(self, now: float) -> float:
        if self._tokens_at == -math.inf:
            return self._tokens
        return min(_BURST, self._tokens + (now - self._tokens_at) / _REFILL)
