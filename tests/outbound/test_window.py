"""Windows of calls: what is in them, and what has left."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.window import CountWindow, TimeWindow


def counts(window: CountWindow | TimeWindow) -> tuple[int, int, int]:
    return window.calls, window.failures, window.slow


@given(size=st.integers(1, 8), calls=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_a_count_window_is_the_last_calls(size: int, calls: list[tuple[bool, bool]]) -> None:
    window, last = CountWindow(size), deque[tuple[bool, bool]](maxlen=size)
    for failed, slow in calls:
        window.record(0.0, failed, slow)
        last.append((failed, slow))
        assert counts(window) == (len(last), sum(call[0] for call in last), sum(call[1] for call in last))


@given(size=st.integers(1, 5), calls=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=40))
def test_a_call_of_a_count_window_fails_later_once_and_only_while_it_is_in(size: int, calls: list[tuple[bool, int]]) -> None:
    window, model = CountWindow(size), list[bool]()
    for failed, which in calls:
        assert window.record(0.0, failed, False) == len(model)
        model.append(failed)
        if which < len(model):
            window.fail(which, 0.0)
            model[which] = True if which >= len(model) - size else model[which]
        assert counts(window) == (min(len(model), size), sum(model[-size:]), 0)


@given(calls=st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.booleans()), max_size=60))
def test_a_time_window_is_its_last_ten_buckets(calls: list[tuple[int, bool, bool]]) -> None:
    window, model, now = TimeWindow(10.0, 0.0), list[tuple[int, bool, bool]](), 0
    for step, failed, slow in calls:
        now += step
        window.record(float(now) + 0.5, failed, slow)
        model.append((now, failed, slow))
        inside = [call for call in model if call[0] > now - 10]
        assert counts(window) == (len(inside), sum(call[1] for call in inside), sum(call[2] for call in inside))


def test_a_time_window_empties_when_nothing_happens() -> None:
    window = TimeWindow(2.0, 100.0)
    window.record(100.0, True, True)
    window.advance(101.9)
    assert counts(window) == (1, 1, 1)
    window.advance(102.0)
    assert counts(window) == (0, 0, 0)


def test_a_time_window_survives_long_silence() -> None:
    window = TimeWindow(0.1, 0.0)
    window.record(0.0, True, False)
    for now in (1e9, 1e17):  # at the latter a bucket is less than a float can tell apart
        window.record(now, False, False)
        assert counts(window) == (1, 0, 0)


def test_a_reading_slightly_older_than_the_bucket_is_counted_in_it() -> None:
    window = TimeWindow(10.0, 0.0)
    window.record(5.0, False, False)
    window.record(4.9, True, False)
    assert counts(window) == (2, 1, 0)


def test_a_call_of_a_time_window_fails_later_while_its_bucket_is_in() -> None:
    window = TimeWindow(10.0, 0.0)
    ticket = window.record(0.0, False, False)
    window.fail(ticket, 9.5)
    assert counts(window) == (1, 1, 0)
    window.advance(10.5)
    assert counts(window) == (0, 0, 0)
    window.fail(ticket, 10.5)
    assert counts(window) == (0, 0, 0)
