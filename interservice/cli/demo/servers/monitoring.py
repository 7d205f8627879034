"""What Prometheus has to say at the end, held against what the client and the load balancer counted themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from interservice.clock import Clock

#: collectd reports every second, Prometheus asks every second, and the last packets were just sent.
_SETTLED_WITHIN = 15.0
_LOOK_EVERY = 0.5
_TIMEOUT = 5.0
_COUNTERS = "collectd_statsd_derive_total"


@dataclass(frozen=True)
class Figure:
    """A number that monitoring must agree on.

    Attributes:
        what: It counts.
        query: In PromQL.
        expected: What was counted elsewhere.
        by: Who counted that.
    """

    what: str
    query: str
    expected: int
    by: str


def statsd(pattern: str) -> str:
    """The sum of StatsD counters whose names match a regular expression, as a query."""
    return f'sum({_COUNTERS}{{statsd=~"{pattern}"}})'


def agree(url: str, figures: list[Figure], clock: Clock) -> tuple[list[str], list[str]]:
    """A line for each figure, and a line for each that Prometheus has otherwise, once it has had time to get the last of them."""
    give_up = clock.monotonic() + _SETTLED_WITHIN
    while True:
        found = [_ask(url, figure.query) for figure in figures]
        if all(value == figure.expected for value, figure in zip(found, figures, strict=True)) or clock.monotonic() > give_up:
            break
        clock.sleep(_LOOK_EVERY)
    pairs = list(zip(found, figures, strict=True))
    lines = [f"Prometheus: {value:,.0f} {figure.what} ({figure.by}: {figure.expected:,})" for value, figure in pairs]
    wrong = [
        f"Prometheus has {value:g} {figure.what}, not {figure.expected}" for value, figure in pairs if value != figure.expected
    ]
    return lines, wrong


def save(url: str, path: Path) -> None:
    """Write the last value of every series that Prometheus has, in its text format."""
    try:
        text = requests.get(url + "/federate", params={"match[]": '{job!=""}'}, timeout=_TIMEOUT).text
    except requests.RequestException as error:
        text = f"# {error}\n"
    path.write_text(text, encoding="utf-8")


def _ask(url: str, query: str) -> float:
    """The value of a query that gives one number; 0 where there is none yet."""
    try:
        response = requests.get(url + "/api/v1/query", params={"query": query}, timeout=_TIMEOUT)
        found = response.json()["data"]["result"]
    except (requests.RequestException, KeyError):
        return 0.0
    return float(found[0]["value"][1]) if found else 0.0
