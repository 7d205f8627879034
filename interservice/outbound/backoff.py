"""How long to pause between tries. The formulas only: nothing here sleeps, and randomness is handed in.

Sources: Brooker, "Exponential Backoff And Jitter" (AWS, 2015) for full, equal and decorrelated jitter; Finagle's Backoff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from interservice import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

Jitter: TypeAlias = Literal["full", "equal", "decorrelated", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Pauses that grow from `base` to `cap` seconds, spread at random so that clients do not return together.

    Args:
        base: Seconds before the first retry, before jitter. 0 is no pause at all.
        cap: Seconds that no pause exceeds.
        jitter: "full" is U(0, t); "equal" is t/2 + U(0, t/2); "decorrelated" is U(base, 3 * the last pause); "none" is t.
        factor: By how much t grows from one retry to the next; "decorrelated" has its own growth.

    Raises:
        ConfigurationError: a number is out of range, or the jitter is unknown.
    """

    base: float = 0.05
    cap: float = 2.0
    jitter: Jitter = "full"
    factor: float = 2.0

    def __post_init__(self) -> None:
        options.number("Backoff.base", self.base, at_least=0)
        options.number("Backoff.cap", self.cap, at_least=0)
        options.check(self.cap >= self.base, "Backoff.cap", f"at least base ({self.base})", self.cap)
        options.one_of("Backoff.jitter", self.jitter, ("full", "equal", "decorrelated", "none"))
        options.number("Backoff.factor", self.factor, at_least=1)

    def delays(self, random: Random) -> Iterator[float]:
        """The pauses of one call, in seconds: the first before the first retry, without end."""
        if self.jitter == "decorrelated":
            return self._decorrelated(random)
        return self._exponential(random)

    def _exponential(self, random: Random) -> Iterator[float]:
        limit = self.base
        while True:
            if self.jitter == "full":
                yield random.uniform(0.0, limit)
            elif self.jitter == "equal":
                yield limit / 2 + random.uniform(0.0, limit / 2)
            else:
                yield limit
            limit = min(self.cap, limit * self.factor)

    def _decorrelated(self, random: Random) -> Iterator[float]:
        pause = self.base
        while True:
            pause = min(self.cap, random.uniform(self.base, pause * 3))
            yield pause
