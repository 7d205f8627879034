"""The phases of a circuit and what they decide. Pure: no clock, no lock, no callback; the circuit has those.

A phase lasts from one change of state to the next and has metrics of its own. Permits hold the phase they were given in, which
makes it their generation: a result that comes back to another phase than its own is late, and changes nothing (gobreaker's
generations).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from .window import CountWindow, TimeWindow

if TYPE_CHECKING:
    from collections import deque

    from .circuit import Permit
    from .window import Window

State: TypeAlias = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]


class Thresholds(Protocol):
    """What a decision needs to know; `CircuitBreaker` has it."""

    @property
    def failure_rate(self) -> float:
        """The share of failures from which on the circuit opens."""

    @property
    def slow_rate(self) -> float:
        """The share of slow calls from which on the circuit opens."""


class Tally:
    """The counts of the probes of a half-open phase: a window that nothing leaves."""

    __slots__ = ("calls", "failures", "slow")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.slow = 0

    def record(self, now: float, failed: bool, slow: bool) -> int:  # noqa: FBT001, ARG002 - the protocol's
        """Count one result."""
        self.calls += 1
        self.failures += failed
        self.slow += slow
        return self.calls

    def fail(self, ticket: int, now: float) -> None:  # noqa: ARG002 - the protocol's
        """Mark a result counted earlier as failed."""
        self.failures += 1

    def advance(self, now: float) -> None:
        """Nothing leaves."""


class Phase:
    """One state, from when it is entered to when it is left.

    Attributes:
        state: Which.
        window: Its metrics; an open phase keeps those of the phase that tripped it, so that they can be read.
        enough: How many calls make the rates mean something.
        passes: Whether every call is let through.
        records: Whether results are counted.
        opened: When an open phase began.
        until: When it may be probed; inf for none.
        lease: Seconds after which a probe that has not reported gives its place to another.
        leases: The probes under way and when their leases end, the oldest first.
        running: Calls under way by start, where slow ones are to be seen before they end; None where not.
        slow: Whether it is open, or half-open after that, because calls were slow and not because they failed.
    """

    __slots__ = (
        "enough", "lease", "leases", "opened", "passes", "probes", "records", "running", "slow", "state", "until", "window",
    )  # fmt: skip

    def __init__(self, state: State, window: Window, *, enough: int) -> None:
        self.state: State = state
        self.window = window
        self.enough = enough
        self.passes = state in {"closed", "metrics_only", "disabled"}
        self.records = state in {"closed", "metrics_only", "half_open"}
        self.opened = 0.0
        self.until = math.inf
        self.probes = 0
        self.lease = math.inf
        self.leases: dict[Permit, float] = {}
        self.running: deque[Permit] | None = None
        self.slow = False

    def facts(self, now: float) -> dict[str, Any]:
        """Plain data; what is too old is let go first, but not from the metrics that an open phase keeps."""
        window = self.window
        if self.state != "open":
            window.advance(now)
        known = window.calls >= self.enough
        return {
            "state": "half_open" if self.state == "open" and now >= self.until else self.state,
            "calls": window.calls,
            "failures": window.failures,
            "slow": window.slow,
            "failure_rate": window.failures / window.calls if known else None,
            "slow_rate": window.slow / window.calls if known else None,
            "retry_after": self._retry_after(now),
        }

    def _retry_after(self, now: float) -> float | None:
        """Seconds until a probe may be let through; None where none is awaited."""
        if self.state == "open":
            return max(0.0, self.until - now)
        if self.state != "half_open":
            return None
        return 0.0 if self.has_place(now) else max(0.0, next(iter(self.leases.values()), now) - now)

    def has_place(self, now: float) -> bool:
        """Whether a half-open phase would admit a probe: at most `probes` under way and reported together."""
        leases = self.leases
        if len(leases) + self.window.calls < self.probes:
            return True
        return bool(leases) and next(iter(leases.values())) <= now

    def expire(self, now: float) -> None:
        """Take back the places whose leases have ended. What such a probe reports later still counts."""
        leases = self.leases
        while leases:
            probe, ends = next(iter(leases.items()))
            if ends > now:
                return
            del leases[probe]


def new_window(seconds: float, count: int | None, now: float) -> Window:
    """The window of a closed phase: the last `count` calls, or without it the last `seconds`."""
    return CountWindow(count) if count is not None else TimeWindow(seconds, now)


def tripped(window: Window, enough: int, limits: Thresholds) -> bool:
    """Whether a closed circuit must open: enough calls, and a share of failures or of slow calls at its threshold or above."""
    calls = window.calls
    if calls < enough:
        return False
    return window.failures / calls >= limits.failure_rate or window.slow / calls >= limits.slow_rate


def merely_slow(phase: Phase, limits: Thresholds) -> bool:
    """Whether a phase that is about to open does so because calls were slow, with fewer failures than would open it."""
    window, calls = phase.window, phase.probes or phase.window.calls
    if not calls or not window.slow:
        return False
    return window.slow / calls >= limits.slow_rate and window.failures / calls < limits.failure_rate


def judged(window: Window, probes: int, limits: Thresholds, *, slow_counts: bool) -> State | None:
    """The verdict of a half-open phase as soon as the probes still to come cannot change it (failsafe-go); None until then."""
    if window.failures / probes >= limits.failure_rate:
        return "open"
    if slow_counts and window.slow / probes >= limits.slow_rate:
        return "open"
    left = probes - window.calls
    if (window.failures + left) / probes >= limits.failure_rate:
        return None
    if slow_counts and (window.slow + left) / probes >= limits.slow_rate:
        return None
    return "closed"
