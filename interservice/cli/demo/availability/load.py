"""A steady load whose calls begin when they are meant to, however slow the answers are; each call's time is counted from then.

A client that waits for its answer before it asks again asks less just when the service is slow, and so leaves out what would have
gone wrong ("coordinated omission", Gil Tene). Here the moments are fixed beforehand. Threads wait for them; when all are taken by
calls under way, the next call begins late, and its time counts all the same.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock


class Outcome(NamedTuple):
    """How a call ended.

    Attributes:
        failure: Why it failed: a status or an exception's name; None when it did not.
        repeats: How often the client itself sent it again.
    """

    failure: str | None = None
    repeats: int = 0


class Sample(NamedTuple):
    """What became of one call.

    Attributes:
        at: When it was meant to begin, in seconds from the start.
        seconds: From then to its answer.
        late: How much later than meant it was sent.
        outcome: How it ended.
    """

    at: float
    seconds: float
    late: float
    outcome: Outcome = Outcome()


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        call: Makes one call, given its number.
        rate: Calls in a second.
        seconds: For how long.
        clock: For waiting and measuring.
        threads: How many calls may be under way; enough for half of them hanging for several seconds.
    """

    call: Callable[[int], Outcome]
    rate: float
    seconds: float
    clock: Clock
    threads: int = 200

    def run(self, meanwhile: Callable[[float], object]) -> list[Sample]:
        """Send it all while `meanwhile`, called with the moment at which it began, goes on here; every call, by its moment."""
        samples: list[Sample] = []
        numbers = itertools.count()
        started = self.clock.monotonic() + 0.1
        threads = [
            threading.Thread(target=self._work, args=(started, numbers, samples), daemon=True) for _ in range(self.threads)
        ]
        for thread in threads:
            thread.start()
        meanwhile(started)
        for thread in threads:
            thread.join()
        return sorted(samples)

    def _work(self, started: float, numbers: itertools.count[int], samples: list[Sample]) -> None:
        for number in numbers:  # `next` of a count is one step for the interpreter: no two threads get the same number
            at = number / self.rate
            if at >= self.seconds:
                return
            self.clock.sleep(max(0.0, started + at - self.clock.monotonic()))
            late = self.clock.monotonic() - started - at
            outcome = self.call(number)
            samples.append(Sample(at, self.clock.monotonic() - started - at, late, outcome))
