"""Admission: how many requests may be under way, so that what is admitted is answered in time and the rest is told so at once.

The server's side of a bulkhead: shedding early costs less than answering late (Envoy's admission control, SRE book chapter 21).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.errors import Unavailable
from interservice.events import Shed
from interservice.options import number
from interservice.slots import Slot, Slots

from .policy import Policy, Work

if TYPE_CHECKING:
    from interservice.exchange import Exchange


@dataclass(frozen=True, kw_only=True)
class Admission(Policy):
    """Let `max_concurrent` requests in at a time; others wait up to `max_wait`, then get 503 with Retry-After.

    A place is held until the last byte of the response is out. Per process: with several workers each has its own places.

    Attributes:
        max_concurrent: How many requests may be under way.
        max_wait: Seconds that a request may wait for a place, its deadline permitting. Waiting takes a thread, also under ASGI.
        retry_after: Seconds after which a refused client may come again.
    """

    max_concurrent: int
    max_wait: float = 0.0
    retry_after: float = 1.0
    _slots: Slots = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        number("Admission.max_concurrent", self.max_concurrent, at_least=1, integer=True)
        number("Admission.max_wait", self.max_wait, at_least=0)
        number("Admission.retry_after", self.retry_after, at_least=0)
        object.__setattr__(self, "_slots", Slots(self.max_concurrent))

    @property
    def in_flight(self) -> int:
        """How many requests are under way in this process."""
        return self._slots.in_flight

    def prepare(self, exchange: Exchange) -> Work | None:
        """Take a place, or ask to wait for one."""
        slot = self._slots.try_acquire()
        if slot is not None:
            exchange.defer(slot.release)
            return None
        if self.max_wait == 0:
            raise self._overloaded(exchange)
        return lambda: self._wait(exchange)

    def _wait(self, exchange: Exchange) -> None:
        slot: Slot | None = self._slots.acquire(min(self.max_wait, exchange.deadline.remaining()))
        if slot is None:
            raise self._overloaded(exchange)
        exchange.defer(slot.release)

    def _overloaded(self, exchange: Exchange) -> Unavailable:
        exchange.report(Shed(exchange.service, self.max_concurrent, self._slots.in_flight))
        return Unavailable("Too many requests are under way.", code="overloaded", retry_after=self.retry_after)
