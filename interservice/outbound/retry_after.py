"""Retry-After, read leniently: a number of seconds, or an HTTP date in any of its forms (RFC 9110 sections 5.6.7 and 10.2.3).

Never raises, whatever the peer sent; what cannot be read is as if it were not there.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longer than this nobody waits; keeps numbers of any length away from arithmetic that overflows.
_FOREVER = 1e9
_LONGEST_VALUE = 256

#: One number, or several where fields of the same name were joined (RFC 9110 section 5.3).
_SECONDS = re.compile(r"[0-9]+(?:[ \t]*,[ \t]*[0-9]+)*", re.ASCII)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_ZONE = r"(?:GMT|UTC|Z|[+-]0000)"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"[a-z]{{3}}, (?P<day>[0-9]{{1,2}}) (?P<month>[a-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} {_ZONE}",  # IMF-fixdate
        rf"[a-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} {_ZONE}",  # RFC 850
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",  # asctime
    )
)


def parse_retry_after(values: Sequence[str], now: float, date: str | None = None) -> float | None:
    """Seconds that the peer asks to wait: the longest of `values`; None when none can be read, 0.0 for a date that is past.

    Args:
        values: Each Retry-After field of the response.
        now: Seconds since the epoch, for dates.
        date: The response's Date field: the peer's own now, which is used instead where it can be read, as clocks differ.
    """
    asked = [seconds for value in values if (seconds := _parse(value, now, date)) is not None]
    return max(asked, default=None)


def parse_date(value: str, now: float) -> float | None:
    """Seconds since the epoch of an HTTP date in any of its forms, or None; `now` tells the century of a two-digit year."""
    text = value.strip(" \t")[:_LONGEST_VALUE]
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _moment(match, now)
    return None


def _parse(value: str, now: float, date: str | None) -> float | None:
    text = value.strip(" \t")[:_LONGEST_VALUE]
    if _SECONDS.fullmatch(text):
        return max(min(float(number), _FOREVER) for number in text.split(","))
    at = parse_date(text, now)
    if at is None:
        return None
    base = parse_date(date, now) if date is not None else None
    return min(max(0.0, at - (now if base is None else base)), _FOREVER)


def _moment(match: re.Match[str], now: float) -> float | None:
    place = _MONTHS.find(match["month"].lower())
    if place < 0:
        return None
    month = place // 4 + 1
    year = int(match["year"])
    try:
        if len(match["year"]) == 2:  # noqa: PLR2004 - RFC 850
            year = _century(year, datetime.fromtimestamp(now, UTC).year)
        second = min(int(match["second"]), 59)  # a leap second is the second before it
        moment = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.timestamp()


def _century(year: int, this_year: int) -> int:
    """RFC 9110 section 5.6.7: what would be more than 50 years ahead is the most recent past year with the same digits."""
    full = this_year - this_year % 100 + year
    return full - 100 if full > this_year + 50 else full
