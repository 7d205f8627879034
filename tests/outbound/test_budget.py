"""The retry budget on a fake clock: what retries may cost, and when it expires."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.outbound.budget import Budget, RetryBudget
from interservice.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def drain(budget: Budget) -> int:
    """Take all there is, and say how much that was."""
    taken = 0
    while budget.try_withdraw():
        taken += 1
    return taken


def test_a_quiet_client_has_the_minimum(clock: FakeClock) -> None:
    assert drain(Budget(RetryBudget(min_per_second=1.0, window=10.0), clock=clock)) == 10


@pytest.mark.parametrize(
    ("ratio", "calls", "retries"), [(0.2, 10, 2), (0.2, 14, 2), (0.5, 10, 5), (1.0, 7, 7), (2.0, 3, 6), (0.0, 99, 0)]
)
def test_calls_earn_their_ratio_of_retries(clock: FakeClock, ratio: float, calls: int, retries: int) -> None:
    budget = Budget(RetryBudget(ratio=ratio, min_per_second=0.0), clock=clock)
    for _ in range(calls):
        budget.deposit()
    assert budget.balance == retries
    assert drain(budget) == retries
    assert budget.balance == 0


def test_the_minimum_is_not_added_to_what_calls_earn(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=1.0, window=10.0), clock=clock)
    for calls, retries in ((49, 10), (1, 10), (50, 20)):
        for _ in range(calls):
            budget.deposit()
        assert budget.balance == retries


def test_the_minimum_is_there_without_a_ratio(clock: FakeClock) -> None:
    assert drain(Budget(RetryBudget(ratio=0.0, min_per_second=0.5, window=10.0), clock=clock)) == 5


@pytest.mark.parametrize("window", [2.5, 10.0, 40.0])
def test_what_was_earned_expires(clock: FakeClock, window: float) -> None:
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=0.0, window=window), clock=clock)
    for _ in range(50):
        budget.deposit()
    clock.advance(window * 0.9)
    assert budget.balance == 10
    clock.advance(window * 0.1)
    assert budget.balance == 0
    assert not budget.try_withdraw()


def test_what_was_spent_expires_too(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(min_per_second=1.0, window=10.0), clock=clock)
    assert drain(budget) == 10
    clock.advance(9.0)
    assert drain(budget) == 0
    clock.advance(1.0)
    assert drain(budget) == 10


def test_a_refusal_costs_nothing(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=0.0), clock=clock)
    for _ in range(100):
        assert not budget.try_withdraw()
    for _ in range(5):
        budget.deposit()
    assert budget.try_withdraw()


def test_an_outage_is_retried_at_the_ratio_and_no_more(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(ratio=0.2, min_per_second=1.0, window=10.0), clock=clock)
    retries = 0
    for _ in range(10_000):  # 100 calls a second for 100 s, all of which fail
        budget.deposit()
        retries += budget.try_withdraw()
        clock.advance(0.01)
    assert 1980 <= retries <= 2000 + 10


def test_a_long_silence_is_one_step(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(min_per_second=0.0, window=0.1), clock=clock)
    for _ in range(10):
        budget.deposit()
    for seconds in (1e9, 1e17):  # at the latter a slice is less than a float can tell apart
        clock.advance(seconds)
        assert budget.balance == 0
    assert not budget.try_withdraw()


def test_threads_cannot_overspend_it(clock: FakeClock) -> None:
    budget = Budget(RetryBudget(ratio=1.0, min_per_second=10.0, window=10.0), clock=clock)
    barrier, granted = threading.Barrier(8), list[int]()

    def work() -> None:
        barrier.wait()
        for _ in range(50):
            budget.deposit()
        granted.append(sum(budget.try_withdraw() for _ in range(200)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 8 * 50


@pytest.mark.parametrize(("options", "message"), [
    ({"ratio": -0.1}, "RetryBudget.ratio must be at least 0, not -0.1"),
    ({"ratio": 1001}, "RetryBudget.ratio must be at most 1000, not 1001"),
    ({"min_per_second": -1}, "RetryBudget.min_per_second must be at least 0, not -1"),
    ({"window": 0}, "RetryBudget.window must be more than 0, not 0"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryBudget(**options)
    assert str(caught.value) == message
