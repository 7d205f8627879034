"""A bulkhead: how many calls to one destination may be under way, so that one that hangs cannot take every thread.

The live places are those of `interservice.slots`, which admission uses too: none of them is ever lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from interservice import options, slots
from interservice.clock import SYSTEM
from interservice.slots import Slot

if TYPE_CHECKING:
    from interservice.clock import Clock

__all__ = ["Bulkhead", "Slot", "Slots"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulkhead:
    """How many calls may be under way at once.

    Args:
        max_concurrent: How many.
        max_wait: Seconds that a call may wait for a place; 0 refuses at once.
        newest_first_after: Once the first in the queue has waited so many seconds, the newest is served first, as the oldest are
            the likeliest to be given up on; None: always in the order they came.

    Raises:
        ConfigurationError: a number is out of range.
    """

    max_concurrent: int = 64
    max_wait: float = 0.0
    newest_first_after: float | None = 0.1

    def __post_init__(self) -> None:
        options.number("Bulkhead.max_concurrent", self.max_concurrent, at_least=1, integer=True)
        options.number("Bulkhead.max_wait", self.max_wait, at_least=0)
        options.number("Bulkhead.newest_first_after", self.newest_first_after, at_least=0, optional=True)


class Slots(slots.Slots):
    """The live places of one destination. Safe to use from many threads.

    Args:
        options: How many places, and how long to wait for one; whoever calls `acquire` knows its deadline, and says how long.
        clock: What waiting is measured on, for `snapshot`; the waiting itself is the machine's.
    """

    def __init__(self, options: Bulkhead, *, clock: Clock = SYSTEM) -> None:
        super().__init__(options.max_concurrent, clock=clock, newest_first_after=options.newest_first_after)
        self.options = options
