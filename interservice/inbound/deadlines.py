"""Deadlines: how long the caller will wait, so that neither this service nor those it calls work longer than of use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.deadline import NEVER, Deadline, parse_timeout
from interservice.options import number, strings

from .policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Deadlines(Policy):
    """Read the time that the caller grants; outbound calls inherit what is left of it.

    The shortest of the headers counts. A value that is no positive number is ignored.

    Attributes:
        headers: Where remaining time is read: milliseconds, and gRPC's own grammar in `grpc-timeout`.
        default: Seconds for a request that says nothing; None is no deadline.
        maximum: Seconds that no request gets more than; None is no limit.
    """

    headers: Sequence[str] = ("X-Request-Timeout-Ms", "X-Envoy-Expected-Rq-Timeout-Ms", "grpc-timeout")
    default: float | None = None
    maximum: float | None = None
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        names = strings("Deadlines.headers", self.headers)
        number("Deadlines.default", self.default, above=0, optional=True)
        number("Deadlines.maximum", self.maximum, above=0, optional=True)
        object.__setattr__(self, "_names", tuple(name.lower() for name in names))

    def admit(self, exchange: Exchange) -> None:
        """Set `exchange.deadline`, to be read when it is wanted."""
        exchange.deadline_later(self._granted)

    def _granted(self, exchange: Exchange) -> Deadline:
        """The deadline, counted from the request's arrival."""
        granted: float | None = None
        look_up = exchange.request.headers.get
        for name in self._names:
            value = look_up(name)
            if value is not None and (time := _shortest(name, value)) is not None and (granted is None or time < granted):
                granted = time
        seconds = self.default if granted is None else granted
        if self.maximum is not None:
            seconds = self.maximum if seconds is None else min(seconds, self.maximum)
        return NEVER if seconds is None else Deadline(exchange.started + seconds, exchange.clock)


def _shortest(name: str, value: str) -> float | None:
    """The shortest time that one header's values grant; repeated fields may have been joined by a comma."""
    if "," not in value:
        return parse_timeout(name, value)
    return min((time for part in value.split(",") if (time := parse_timeout(name, part)) is not None), default=None)
