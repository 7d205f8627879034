"""When an endpoint that does worse than its siblings is left out, and for how long: options, and pure decisions without a clock.

An ejection compares an endpoint with the others and a circuit judges it alone. So an ejection never takes the last endpoint, and
counts for nothing once too many are gone; a circuit may well refuse every endpoint, as nothing that works is left.

Sources: Envoy's outlier detection and panic threshold, gRPC A50 for the statistics, Finagle's failure accrual for the probe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random
    from typing import TypeVar

    T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ejection:
    """When one of several endpoints is left out of balancing, for how long, and when that is ignored.

    Args:
        consecutive: Failures in a row after which an endpoint is left out; None: the row does not matter.
        deviation: Once each interval: it is left out when its share of successes is below the mean of all by more than so many
            standard deviations; None: shares are not compared.
        failure_rate: Once each interval: it is left out from this share of failures on, whatever the others do; None: never,
            as the circuit has such a rule.
        interval: Seconds over which shares are counted.
        min_calls: Answers and failures that an endpoint needs in an interval for its share to mean something.
        min_endpoints: Endpoints with so many calls there must be for a deviation to mean something.
        eject_for: Seconds to be left out the first time; each time again doubles it, each healthy interval halves it.
        eject_at_most: The most that grows to, jitter aside.
        jitter: A share of the time that is added at random, so that many clients do not return at once.
        max_share: The share of endpoints that may be out at once; but one of two or more always may, and the last never.
        panic_below: When a smaller share than this can be called, ejections are ignored, and so are circuits that opened because
            calls were slow: then it is the load or something all depend on, and the few left must not carry everything.

    Raises:
        ConfigurationError: a number is out of range.
    """

    consecutive: int | None = 5
    deviation: float | None = 1.9
    failure_rate: float | None = None
    interval: float = 10.0
    min_calls: int = 20
    min_endpoints: int = 5
    eject_for: float = 5.0
    eject_at_most: float = 60.0
    jitter: float = 0.1
    max_share: float = 0.34
    panic_below: float = 0.5

    def __post_init__(self) -> None:
        options.number("Ejection.consecutive", self.consecutive, at_least=1, integer=True, optional=True)
        options.number("Ejection.deviation", self.deviation, above=0, optional=True)
        options.number("Ejection.failure_rate", self.failure_rate, above=0, at_most=1, optional=True)
        options.number("Ejection.interval", self.interval, above=0)
        options.number("Ejection.min_calls", self.min_calls, at_least=1, integer=True)
        options.number("Ejection.min_endpoints", self.min_endpoints, at_least=2, integer=True)
        options.number("Ejection.eject_for", self.eject_for, above=0)
        options.number("Ejection.eject_at_most", self.eject_at_most, at_least=self.eject_for)
        for name in ("jitter", "max_share", "panic_below"):
            options.number(f"Ejection.{name}", getattr(self, name), at_least=0, at_most=1)

    def most(self, count: int) -> int:
        """How many of `count` endpoints may be out at once."""
        if count < 2:  # noqa: PLR2004 - one alone has nobody to stand in for it
            return 0
        return min(count - 1, max(1, math.floor(count * self.max_share)))

    def seconds(self, times: int, random: Random) -> float:
        """For how long an endpoint is left out the `times`-th time, the first being 1."""
        grown = min(self.eject_for * 2.0 ** min(times - 1, 60), self.eject_at_most)
        return grown * (1.0 + self.jitter * random.random())

    def panics(self, healthy: int, count: int) -> bool:
        """Whether too few of `count` endpoints are left to go by what was ejected; exactly the share is not too few."""
        return healthy < self.panic_below * count

    def strays(self, tallies: Mapping[T, tuple[int, int]]) -> list[tuple[T, str]]:
        """Whose shares of one interval are out of line, the worst first, and why: "failure_rate" or "success_rate".

        Args:
            tallies: How many calls and how many failures each had.
        """
        rates = {key: 1.0 - failed / calls for key, (calls, failed) in tallies.items() if calls >= self.min_calls}
        found = {}
        if self.deviation is not None and len(rates) >= self.min_endpoints:
            floor = _floor(list(rates.values()), self.deviation)
            found = {key: "success_rate" for key, rate in rates.items() if rate < floor}
        if self.failure_rate is not None:
            found.update({key: "failure_rate" for key, rate in rates.items() if 1.0 - rate >= self.failure_rate})
        return sorted(found.items(), key=lambda item: rates[item[0]])


def _floor(rates: Sequence[float], deviation: float) -> float:
    """The share of successes below which one is an outlier (gRPC A50: the mean less so many standard deviations)."""
    mean = math.fsum(rates) / len(rates)
    spread = math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates))
    return mean - deviation * spread - 1e-9
