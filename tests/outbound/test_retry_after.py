"""Retry-After: the forms of RFC 9110, and whatever else a peer may send."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interservice.outbound.retry import parse_retry_after
from interservice.outbound.retry_after import parse_date

#: Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
EXAMPLE = 784111777.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(("value", "seconds"), [
    ("0", 0.0), ("120", 120.0), (" 7\t", 7.0), ("007", 7.0), ("120, 60", 120.0), ("60 ,120", 120.0),
    ("", None), ("-1", None), ("+5", None), ("1.5", None), ("1e3", None), ("0x10", None), ("٣", None), ("soon", None),
    ("120,", None), ("5 seconds", None),
])  # fmt: skip
def test_a_number_of_seconds(value: str, seconds: float | None) -> None:
    assert parse_retry_after([value], NOW) == seconds


@pytest.mark.parametrize("value", ["9999999999", "9" * 5000, "9" * 100 + ", 1"])
def test_a_number_of_any_length_is_a_long_time_and_no_error(value: str) -> None:
    assert parse_retry_after([value], NOW) == 1e9


@pytest.mark.parametrize("value", [
    "Sun, 06 Nov 1994 08:49:37 GMT",  # IMF-fixdate
    "Sunday, 06-Nov-94 08:49:37 GMT",  # RFC 850
    "Sun Nov  6 08:49:37 1994",  # asctime
    "sun, 6 nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
])  # fmt: skip
def test_every_form_of_a_date(value: str) -> None:
    assert parse_date(value, NOW) == EXAMPLE
    assert parse_retry_after([value], EXAMPLE - 30.0) == 30.0


def test_a_past_date_asks_for_no_wait() -> None:
    assert parse_retry_after(["Sun, 06 Nov 1994 08:49:37 GMT"], NOW) == 0.0


def test_the_peers_own_clock_is_the_measure() -> None:
    asked = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert parse_retry_after([asked], NOW, "Sun, 06 Nov 1994 08:49:27 GMT") == 10.0
    assert parse_retry_after([asked], EXAMPLE - 3.0, "nonsense") == 3.0
    assert parse_retry_after(["120"], NOW, "Sun, 06 Nov 1994 08:49:27 GMT") == 120.0


def test_the_longest_of_several_counts() -> None:
    assert parse_retry_after(["5", "nonsense", "120", "Sun, 06 Nov 1994 08:49:37 GMT"], NOW) == 120.0
    assert parse_retry_after([], NOW) is None


@pytest.mark.parametrize(("value", "year"), [("26", 2026), ("27", 2027), ("77", 2077), ("78", 1978), ("99", 1999), ("00", 2000)])
def test_two_digits_are_the_year_at_most_fifty_ahead(value: str, year: int) -> None:
    moment = parse_date(f"Friday, 01-Jan-{value} 00:00:00 GMT", NOW)  # read in January 2027
    assert moment == datetime(year, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("value", [
    "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 30 Feb 1994 08:49:37 GMT", "1994-11-06T08:49:37Z",
])  # fmt: skip
def test_what_is_no_date_is_ignored(value: str) -> None:
    assert parse_retry_after([value], NOW) is None


def test_a_leap_second_is_a_date() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_dates_as_written_are_dates_as_read(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert parse_date(format_datetime(moment, usegmt=True), NOW) == moment.timestamp()


ALMOST = st.from_regex(r"[A-Za-z]{3,9}[, -]{1,2}[0-9]{1,3}[ -][A-Za-z]{3}[ -][0-9]{1,5} [0-9:]{1,9}( GMT)?")


@given(st.lists(st.text() | ALMOST, max_size=3), st.floats(0, 1e11), st.none() | st.text() | ALMOST)
@example(["Sun, 06 Nov 1994 08:49:37 GMT"], 1e18, None)
@example(["Sunday, 06-Nov-94 08:49:37 GMT"], 1e18, None)
def test_whatever_is_sent_it_never_raises(values: list[str], now: float, date: str | None) -> None:
    seconds = parse_retry_after(values, now, date)
    assert seconds is None or 0.0 <= seconds <= 1e9
