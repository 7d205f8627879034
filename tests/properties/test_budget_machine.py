"""The retry budget against a list of what was paid in and out and when."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interservice.outbound.budget import Budget, RetryBudget
from interservice.testing import FakeClock

SLICES = 10


class BudgetMachine(RuleBasedStateMachine):
    """Time moves by whole quarters of a slice of one second, so that the model's slices are exact."""

    @initialize(ratio=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0, 2.0]), minimum=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    def make(self, ratio: float, minimum: float) -> None:
        self.clock = FakeClock(monotonic=0.0)
        self.budget = Budget(RetryBudget(ratio=ratio, min_per_second=minimum, window=float(SLICES)), clock=self.clock)
        self.earns = 1000 if ratio else 0
        self.costs = round(1000 / ratio) if ratio else 1
        self.reserve = round(minimum * SLICES * self.costs)
        self.minimum, self.ratio = minimum, ratio
        self.entries: list[tuple[int, int]] = []
        self.deposits = self.withdrawals = 0

    def total(self) -> int:
        """What was earned, or the reserve if that is more, less what was spent, as far as these have not expired."""
        oldest = int(self.clock.monotonic()) - SLICES + 1
        amounts = [amount for at, amount in self.entries if at >= oldest]
        return max(self.reserve, sum(amount for amount in amounts if amount > 0)) + sum(min(0, amount) for amount in amounts)

    @rule(times=st.integers(1, 20))
    def deposit(self, times: int) -> None:
        for _ in range(times):
            self.budget.deposit()
        self.entries.append((int(self.clock.monotonic()), times * self.earns))
        self.deposits += times

    @rule()
    def withdraw(self) -> None:
        granted = self.budget.try_withdraw()
        assert granted is (self.total() >= self.costs)
        if granted:
            self.entries.append((int(self.clock.monotonic()), -self.costs))
            self.withdrawals += 1

    @rule(quarters=st.integers(1, 60))
    def wait(self, quarters: int) -> None:
        self.clock.advance(quarters / 4)

    @invariant()
    def the_balance_is_that_of_the_model(self) -> None:
        assert self.budget.balance == max(0, self.total()) // self.costs

    @invariant()
    def retries_never_exceed_the_ratio_and_the_minimum(self) -> None:
        windows = self.clock.monotonic() / SLICES + 1
        assert self.withdrawals <= self.deposits * self.ratio + 2 * windows * self.minimum * SLICES + 1e-6


TestBudgetMachine = BudgetMachine.TestCase
TestBudgetMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
