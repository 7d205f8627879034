"""A deadline: the moment by which an answer is of use, kept on the monotonic clock and sent on as time remaining.

Relative times beat absolute ones between machines, whose clocks differ; what is lost is the time in transit.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from .clock import SYSTEM

if TYPE_CHECKING:
    from .clock import Clock

_MOST_DIGITS = 12
_DIGITS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)
#: gRPC over HTTP/2, "Timeout": at most eight digits and a unit.
_GRPC = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_GRPC_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class Deadline:
    """A moment on a clock's monotonic scale. Immutable.

    Args:
        at: Seconds on `clock.monotonic()`; `math.inf` is no deadline.
        clock: The clock that `remaining()` reads.
    """

    __slots__ = ("at", "clock")

    def __init__(self, at: float, clock: Clock = SYSTEM) -> None:
        self.at = at
        self.clock = clock

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = SYSTEM) -> Deadline:
        """The deadline `seconds` from now; None is no deadline."""
        return cls(math.inf if seconds is None else clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left, never negative; `inf` when there is no deadline."""
        if self.at == math.inf:
            return math.inf
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0.0

    def __repr__(self) -> str:
        return f"Deadline(remaining={self.remaining():.3f})"


#: No deadline: `.remaining()` is inf.
NEVER = Deadline(math.inf)


def parse_timeout(header: str, value: str) -> float | None:
    """Seconds that a timeout header grants; None when the value is no positive number (such a header is ignored).

    `grpc-timeout` has gRPC's grammar (1 to 8 digits and a unit of H M S m u n); every other header is milliseconds, as Envoy's
    are.
    """
    if header.lower() == "grpc-timeout":
        match = _GRPC.fullmatch(value.strip(" \t"))
        seconds = int(match[1]) * _GRPC_SECONDS[match[2]] if match else 0.0
    elif value.isdecimal() and value.isascii() and len(value) <= _MOST_DIGITS:  # as nearly always
        seconds = int(value) / 1000.0
    else:
        match = _DIGITS.fullmatch(value.strip(" \t"))
        seconds = float(match[0]) / 1000.0 if match else 0.0
    return seconds if seconds > 0 else None
