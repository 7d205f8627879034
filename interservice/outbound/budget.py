"""A budget for retries: what may be sent again is a share of what is sent at all, so that retries cannot multiply an outage.

The token bucket is Finagle's RetryBudget: calls deposit, retries (and hedges) withdraw, and both expire after `window` seconds,
so that a quiet hour saves nothing up for a storm. The minimum stands in for deposits where these are less, as in Envoy's retry
budgets, and is not added to them as in Finagle's: so the ratio is what an outage is multiplied by, at any rate worth the name.
Amounts are whole numbers, scaled, so that nothing drifts.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice import options
from interservice.clock import SYSTEM

if TYPE_CHECKING:
    from interservice.clock import Clock

_SLICES = 10
#: What one deposit is worth.
_DEPOSIT = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryBudget:
    """How many retries a destination may be sent.

    Args:
        ratio: Retries for each call: 0.2 is one for every five calls. 0 leaves the minimum alone.
        min_per_second: Retries a second that are allowed where the ratio gives less, for clients that send little.
        window: Seconds for which a deposit or a withdrawal counts.

    Raises:
        ConfigurationError: a number is out of range.
    """

    ratio: float = 0.2
    min_per_second: float = 1.0
    window: float = 10.0

    def __post_init__(self) -> None:
        options.number("RetryBudget.ratio", self.ratio, at_least=0, at_most=_DEPOSIT)
        options.number("RetryBudget.min_per_second", self.min_per_second, at_least=0)
        options.number("RetryBudget.window", self.window, above=0)


class Budget:
    """One live budget, shared by every call to a destination. Safe to use from many threads.

    Args:
        options: The ratio, the minimum and the window.
        clock: What `window` is measured on.
    """

    def __init__(self, options: RetryBudget, *, clock: Clock = SYSTEM) -> None:
        self.options = options
        self._monotonic = clock.monotonic
        self._deposit = _DEPOSIT if options.ratio else 0
        self._cost = max(1, round(_DEPOSIT / options.ratio)) if options.ratio else 1
        self._reserve = round(options.min_per_second * options.window * self._cost)
        self._width = options.window / _SLICES
        self._earned_slices = [0] * _SLICES
        self._spent_slices = [0] * _SLICES
        self._head = 0
        self._earned = 0
        self._spent = 0
        self._turns_at = self._monotonic() + self._width
        self._lock = threading.Lock()

    def deposit(self, now: float | None = None) -> None:
        """Count a call that was made; once for each call, not for each try. `now`: the clock's time, where it was just read."""
        if now is None:
            now = self._monotonic()
        with self._lock:
            if now >= self._turns_at:
                self._advance(now)
            self._earned_slices[self._head] += self._deposit
            self._earned += self._deposit

    def try_withdraw(self) -> bool:
        """Take what one retry costs; False, and nothing is taken, when the budget does not have it."""
        now = self._monotonic()
        with self._lock:
            if now >= self._turns_at:
                self._advance(now)
            if max(self._earned, self._reserve) - self._spent < self._cost:
                return False
            self._spent_slices[self._head] += self._cost
            self._spent += self._cost
            return True

    @property
    def balance(self) -> int:
        """How many retries the budget would pay for now."""
        now = self._monotonic()
        with self._lock:
            if now >= self._turns_at:
                self._advance(now)
            return max(0, max(self._earned, self._reserve) - self._spent) // self._cost

    def _advance(self, now: float) -> None:
        """Let slices expire, the oldest first. Withdrawals expire as deposits do."""
        passed = int((now - self._turns_at) / self._width) + 1
        for _ in range(min(passed, _SLICES)):
            self._head = (self._head + 1) % _SLICES
            self._earned -= self._earned_slices[self._head]
            self._spent -= self._spent_slices[self._head]
            self._earned_slices[self._head] = self._spent_slices[self._head] = 0
        self._turns_at += passed * self._width
        if self._turns_at <= now:  # rounding left it behind by less than a slice
            self._turns_at = now + self._width
