"""When a circuit opens and how it closes again: the options of `circuit.Circuit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice import options

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitBreaker:
    """When a circuit opens, for how long, and how it closes again.

    Args:
        failure_rate: The share of failures, above 0 and at most 1, from which on it opens.
        slow_rate: The share of slow calls from which on it opens; matters with `slow_after` only.
        slow_after: A call that took more seconds than this was slow; None: none is. Calls under way are seen as soon as they are
            slow.
        window: The seconds over which calls are counted.
        count_window: Count the last so many calls instead.
        min_calls: How many calls there must be in the window before a rate means anything.
        open_for: Seconds to stay open; or a callable that is given how often it has opened since it was last closed, the first
            time 1.
        probes: How many calls a half-open circuit lets through to decide. It decides early when the others cannot change the
            verdict.
        probe_lease: Seconds after which a probe that has not reported gives its place to another; None: as long as it was open.

    Raises:
        ConfigurationError: a number is out of range.
    """

    failure_rate: float = 0.5
    slow_rate: float = 1.0
    slow_after: float | None = None
    window: float = 30.0
    count_window: int | None = None
    min_calls: int = 20
    open_for: float | Callable[[int], float] = 5.0
    probes: int = 3
    probe_lease: float | None = None

    def __post_init__(self) -> None:
        for name in ("failure_rate", "slow_rate"):
            options.number(f"CircuitBreaker.{name}", getattr(self, name), above=0, at_most=1)
        options.number("CircuitBreaker.slow_after", self.slow_after, above=0, optional=True)
        options.number("CircuitBreaker.window", self.window, above=0)
        options.number("CircuitBreaker.count_window", self.count_window, at_least=1, integer=True, optional=True)
        options.number("CircuitBreaker.min_calls", self.min_calls, at_least=1, integer=True)
        if not callable(self.open_for):
            options.number("CircuitBreaker.open_for", self.open_for, above=0)
        options.number("CircuitBreaker.probes", self.probes, at_least=1, integer=True)
        options.number("CircuitBreaker.probe_lease", self.probe_lease, above=0, optional=True)

    @property
    def enough(self) -> int:
        """How many calls make a rate mean something: `min_calls`, but never more than a count window holds."""
        return self.min_calls if self.count_window is None else min(self.min_calls, self.count_window)
