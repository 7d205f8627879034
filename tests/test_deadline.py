"""Deadlines and the headers that grant time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.deadline import NEVER, Deadline, parse_timeout
from interservice.testing import FakeClock


def test_time_runs_down_to_zero_and_no_further() -> None:
    clock = FakeClock()
    deadline = Deadline.after(2.0, clock)
    clock.advance(1.5)
    assert (deadline.remaining(), deadline.expired) == (0.5, False)
    clock.advance(1.0)
    assert (deadline.remaining(), deadline.expired) == (0.0, True)


def test_no_deadline_never_expires() -> None:
    assert NEVER.remaining() == Deadline.after(None).remaining() == math.inf
    assert not NEVER.expired


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("X-Request-Timeout-Ms", "250", 0.25),
        ("X-Request-Timeout-Ms", " 1.5 ", 0.0015),
        ("grpc-timeout", "100m", 0.1),
        ("grpc-timeout", "2S", 2.0),
        ("Grpc-Timeout", "1H", 3600.0),
        ("grpc-timeout", "99999999n", 0.099999999),
    ],
)
def test_granted_time_is_read(header: str, value: str, seconds: float) -> None:
    assert parse_timeout(header, value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "0", "-5", "1e3", "NaN", "inf", "1_000", "٣", "9" * 400, "5 5", "5,5", "0.0"])
def test_what_is_no_positive_number_is_ignored(value: str) -> None:
    assert parse_timeout("X-Request-Timeout-Ms", value) is None


@pytest.mark.parametrize("value", ["100", "m", "123456789m", "1s", "1.5S", "-1S", "0S", "1S "[:-1] + "\n"])
def test_what_is_not_grpcs_grammar_is_ignored(value: str) -> None:
    assert parse_timeout("grpc-timeout", value) is None


@given(st.text(), st.sampled_from(["grpc-timeout", "x-request-timeout-ms"]))
def test_parser_is_total_and_never_grants_nothing(value: str, header: str) -> None:
    seconds = parse_timeout(header, value)
    assert seconds is None or seconds > 0
