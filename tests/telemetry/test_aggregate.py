"""Sums, samples and packets: exact where it must be, bounded everywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.telemetry.aggregate import Aggregate, Timings
from interservice.telemetry.dialects import Dialect, Series
from interservice.telemetry.transport import packets

_A, _B = Series("a", ""), Series("b", "|#x:y")


def told(aggregate: Aggregate) -> list[str]:
    return [f"{name}:{value}" for name, values in aggregate.take() for value in values]


def aggregate(max_samples: int = 10) -> Aggregate:
    return Aggregate(Dialect("plain", None, {}, 500), max_samples)


def test_counters_are_summed_and_start_anew() -> None:
    made = aggregate()
    for _ in range(3):
        made.count(_A)
    made.count(_B, 2)
    assert told(made) == ["a:3|c", "b:2|c|#x:y"]
    assert not made
    assert told(made) == []


def test_fractions_are_kept_and_what_is_no_number_is_left_out() -> None:
    made = aggregate()
    made.count(_A, 0.5)
    for value in (float("nan"), float("inf"), -float("inf")):
        made.count(_B, value)
        made.time(_B, [value])
        made.gauge(_B, value)
    assert told(made) == ["a:0.5|c"]


def test_timings_are_milliseconds_with_three_decimals_and_never_negative() -> None:
    made = aggregate()
    made.time(_A, [0.0123456, -1.0])
    assert told(made) == ["a:12.346|ms", "a:0.000|ms"]


def test_gauges_are_sent_again_and_the_last_value_wins() -> None:
    made = aggregate()
    made.gauge(_A, 1)
    made.gauge(_A, 7)
    assert told(made) == told(made) == ["a:7|g"]


@pytest.mark.parametrize("together", [1, 7, 10, 1000])
def test_of_too_many_timings_a_sample_is_kept(together: int) -> None:
    made = aggregate(max_samples=10)
    for first in range(0, 1000, together):
        made.time(_A, [number / 1000 for number in range(first, min(first + together, 1000))])
    lines = told(made)
    assert len(lines) == 10
    assert len({line.split("|")[0] for line in lines}) == 10


@pytest.mark.parametrize("together", [1, 7, 10, 100])
def test_the_sample_is_uniform(together: int) -> None:
    late = 0
    for _ in range(300):
        timings = Timings(10)
        for first in range(0, 100, together):
            timings.extend([float(number) for number in range(first, min(first + together, 100))])
        assert timings.seen == 100
        late += sum(value >= 50 for value in timings.kept)
    assert 1300 < late < 1700


@given(st.lists(st.text("abc", min_size=1, max_size=40), max_size=60), st.integers(min_value=1, max_value=60))
def test_packets_hold_every_line_that_fits_in_order_and_none_is_too_long(lines: list[str], limit: int) -> None:
    made = list(packets(lines, limit))
    assert all(0 < len(packet) <= limit for packet in made)
    assert [line for packet in made for line in packet.split("\n")] == [line for line in lines if len(line) <= limit]
    for first, second in pairwise(made):
        assert len(first) + 1 + len(second.split("\n")[0]) > limit
