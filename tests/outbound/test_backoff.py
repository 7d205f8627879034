"""Pauses between tries: their bounds, their growth and their spread."""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.errors import ConfigurationError
from interservice.outbound.backoff import Backoff, Jitter
from interservice.outbound.timeouts import Timeouts


def pauses(backoff: Backoff, count: int, seed: int = 1) -> list[float]:
    return list(islice(backoff.delays(Random(seed)), count))


class Extreme(Random):
    """Draws the ends of each range."""

    def __init__(self, *, high: bool) -> None:
        super().__init__()
        self._high = high

    def uniform(self, a: float, b: float) -> float:
        return b if self._high else a


def test_without_jitter_it_doubles_up_to_the_cap() -> None:
    assert pauses(Backoff(base=0.5, cap=3.0, jitter="none"), 5) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_the_factor_is_its_growth() -> None:
    assert pauses(Backoff(base=1.0, cap=100.0, jitter="none", factor=3.0), 4) == [1.0, 3.0, 9.0, 27.0]


@pytest.mark.parametrize(("jitter", "low", "high"), [
    ("full", [0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 4.0, 5.0]),
    ("equal", [0.5, 1.0, 2.0, 2.5], [1.0, 2.0, 4.0, 5.0]),
    ("decorrelated", [1.0, 1.0, 1.0, 1.0], [3.0, 5.0, 5.0, 5.0]),
    ("none", [1.0, 2.0, 4.0, 5.0], [1.0, 2.0, 4.0, 5.0]),
])  # fmt: skip
def test_each_jitter_spreads_over_its_range(jitter: Jitter, low: list[float], high: list[float]) -> None:
    backoff = Backoff(base=1.0, cap=5.0, jitter=jitter)
    assert list(islice(backoff.delays(Extreme(high=False)), 4)) == low
    assert list(islice(backoff.delays(Extreme(high=True)), 4)) == high


@given(
    base=st.floats(0, 10), extra=st.floats(0, 100), factor=st.floats(1, 1e300), seed=st.integers(),
    jitter=st.sampled_from(["full", "equal", "decorrelated", "none"]),
)  # fmt: skip
def test_no_pause_is_negative_or_exceeds_the_cap(base: float, extra: float, factor: float, seed: int, jitter: Jitter) -> None:
    backoff = Backoff(base=base, cap=base + extra, jitter=jitter, factor=factor)
    assert all(0.0 <= pause <= backoff.cap for pause in pauses(backoff, 50, seed))


def test_calls_do_not_share_their_pauses() -> None:
    backoff = Backoff(base=1.0, cap=8.0, jitter="none")
    first = backoff.delays(Random())
    next(first), next(first)
    assert next(backoff.delays(Random())) == 1.0


def test_nobody_pauses_like_another() -> None:
    assert len({pauses(Backoff(), 1, seed)[0] for seed in range(50)}) == 50


@pytest.mark.parametrize(("make", "options", "message"), [
    (Backoff, {"base": -1}, "Backoff.base must be at least 0, not -1"),
    (Backoff, {"base": 3.0}, "Backoff.cap must be at least base (3.0), not 2.0"),
    (Backoff, {"jitter": "some"}, "Backoff.jitter must be one of 'full', 'equal', 'decorrelated', 'none', not 'some'"),
    (Backoff, {"factor": 0.5}, "Backoff.factor must be at least 1, not 0.5"),
    (Timeouts, {"connect": 0}, "Timeouts.connect must be more than 0, not 0"),
    (Timeouts, {"read": -1.0}, "Timeouts.read must be more than 0, not -1.0"),
    (Timeouts, {"total": "10"}, "Timeouts.total must be a number, not '10'"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(**options)
    assert str(caught.value) == message


def test_every_timeout_may_be_off() -> None:
    assert Timeouts(connect=None, read=None, total=None).total is None
