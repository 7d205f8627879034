"""The ejections of one destination as they are: who is out, who comes back, and whether there is reason to panic.

The lock guards the decision to eject and nothing else; listeners are told without it.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from interservice.events import EndpointEjected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from interservice.events import Listeners

    from .ejection import Ejection
    from .endpoint import Endpoint

#: Seconds for which "is this a panic" is not asked again: looking at every endpoint for every call would cost many of them dear.
_LOOK_EVERY = 0.25


class Outliers:
    """Ejects endpoints of one destination. Safe to use from many threads.

    Args:
        options: When and for how long.
        random: For jitter.
        listeners: Are told `EndpointEjected`.
        service: The service, in events.
    """

    __slots__ = ("_listeners", "_lock", "_looks_at", "_panic", "_random", "_service", "_sweeps_at", "options")

    def __init__(self, options: Ejection, *, random: Random, listeners: Listeners, service: str | None = None) -> None:
        self.options = options
        self._random = random
        self._listeners = listeners
        self._service = service
        self._looks_at = -math.inf
        self._sweeps_at = math.inf
        self._panic = False
        self._lock = threading.Lock()

    def panics(self, endpoints: Sequence[Endpoint], now: float) -> bool:
        """Whether ejections are to be ignored: as of a moment ago, since looking at all of them takes its time."""
        return self._panic if now < self._looks_at else self.look(endpoints, now)

    def look(self, endpoints: Sequence[Endpoint], now: float) -> bool:
        """Whether ejections are to be ignored: as of now. Compares the endpoints, when their interval is over."""
        self._looks_at = now + _LOOK_EVERY
        if now >= self._sweeps_at:
            self._sweep(endpoints, now)
        elif self._sweeps_at == math.inf:
            self._sweeps_at = now + self.options.interval
        healthy = sum(not endpoint.returning and endpoint.available(now) for endpoint in endpoints)
        self._panic = self.options.panics(healthy, len(endpoints))
        return self._panic

    def failed(self, endpoints: Sequence[Endpoint], endpoint: Endpoint, now: float, probe: int = 0) -> None:
        """A call to an endpoint failed, and was counted there; `probe`: what it was leased, if it decides on its return."""
        if endpoint.returning:
            if probe and endpoint.probing(probe):
                self._eject(endpoints, endpoint, now, "probe")
        elif self._in_a_row(endpoint):
            self._eject(endpoints, endpoint, now, "consecutive")

    def _in_a_row(self, endpoint: Endpoint) -> bool:
        row = self.options.consecutive
        return row is not None and endpoint.in_a_row >= row

    def _sweep(self, endpoints: Sequence[Endpoint], now: float) -> None:
        """Compare what each did since the last time, and begin to count anew."""
        with self._lock:
            if now < self._sweeps_at:
                return
            self._sweeps_at = now + self.options.interval
        tallies = {endpoint: endpoint.take_tally() for endpoint in endpoints}
        for endpoint, reason in self.options.strays(tallies):
            self._eject(endpoints, endpoint, now, reason)
        for endpoint in endpoints:
            if not endpoint.returning:
                if self._in_a_row(endpoint):  # in bodies that were streamed, of which nobody told
                    self._eject(endpoints, endpoint, now, "consecutive")
                else:
                    endpoint.ejections = max(0, endpoint.ejections - 1)

    def _eject(self, endpoints: Sequence[Endpoint], endpoint: Endpoint, now: float, reason: str) -> None:
        again = reason == "probe"
        with self._lock:
            if endpoint.returning is not again:  # another thread was faster
                return
            if not again and sum(other.returning for other in endpoints) >= self.options.most(len(endpoints)):
                return
            seconds = self.options.seconds(endpoint.ejections + 1, self._random)
            endpoint.eject(now + seconds)
            self._looks_at = -math.inf
        if self._listeners:
            self._listeners(EndpointEjected(self._service, endpoint.url, reason, seconds))
