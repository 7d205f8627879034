"""Clients: each a process of its own as far as its circuits, budgets and counts go, calling at random moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from interservice.events import Listeners
from interservice.outbound.balancer import Balancer
from interservice.outbound.budget import Budget
from interservice.outbound.call import Destination
from interservice.outbound.circuit import Circuit
from interservice.outbound.endpoint import Endpoint
from interservice.outbound.outliers import Outliers
from interservice.outbound.retry import Retry

from .world import SimulatedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from interservice.clock import Clock
    from interservice.outbound.breaker import CircuitBreaker
    from interservice.outbound.ejection import Ejection

    from .instance import Fleet
    from .world import World


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What a client does about failures."""

    retry: Retry | None = field(default_factory=Retry)
    breaker: CircuitBreaker | None = None
    ejection: Ejection | None = None
    balancer: Balancer = field(default_factory=Balancer)


class Second:
    """What happened to the calls that began in one second, and what was sent in it."""

    __slots__ = ("calls", "good", "latencies", "refused", "sends")

    def __init__(self) -> None:
        self.calls = 0
        self.good = 0
        self.refused = 0
        self.sends = 0
        self.latencies: list[float] = []


class Clients:
    """Many clients of one fleet.

    Args:
        world: Time.
        fleet: Whom they call.
        random: Moments and picks.
        policies: What each does about failures.
        count: How many clients.
        rate: Calls a second, of each.
        subset: How many of the instances each knows (deterministic subsetting); None for all.
        total: Seconds that a call may take.
    """

    def __init__(
        self,
        world: World,
        fleet: Fleet,
        random: Random,
        policies: Policies,
        *,
        count: int,
        rate: float,
        subset: int | None = None,
        total: float = 10.0,
    ) -> None:
        self._world = world
        self._fleet = fleet
        self._random = random
        self._total = total
        self._rate = count * rate
        known = subset or len(fleet.urls)
        urls = fleet.urls
        self._destinations = [
            destination(policies, [urls[(number * known + step) % len(urls)] for step in range(known)], world, random)
            for number in range(count)
        ]
        self.seconds: dict[int, Second] = {}

    def run(self, until: float) -> None:
        """Let them call."""
        self._world.after(self._random.expovariate(self._rate), self._call)
        self._world.run(until)

    def later(self, when: float, what: Callable[[], None]) -> None:
        """Have something happen at a moment from the beginning."""
        self._world.after(when - self._world.monotonic(), what)

    def between(self, begin: float, end: float) -> Second:
        """What happened in a span of whole seconds."""
        whole = Second()
        for moment, second in self.seconds.items():
            if begin <= moment < end:
                whole.calls += second.calls
                whole.good += second.good
                whole.refused += second.refused
                whole.sends += second.sends
                whole.latencies += second.latencies
        return whole

    def _call(self) -> None:
        self._world.after(self._random.expovariate(self._rate), self._call)
        to = self._destinations[int(self._random.random() * len(self._destinations))]
        SimulatedCall(self._world, self._fleet, to, self._total, self._ended).go()

    def _ended(self, began: float, ended: float, status: int | None, sends: int) -> None:
        second = self.seconds.setdefault(int(began), Second())
        second.calls += 1
        second.sends += sends
        second.refused += sends == 0
        if status == 200:  # noqa: PLR2004
            second.good += 1
            second.latencies.append(ended - began)


def destination(policies: Policies, urls: Sequence[str], clock: Clock, random: Random) -> Destination:
    """What a client has of a service: its endpoints, and the state of its policies."""
    retry, breaker, nobody = policies.retry, policies.breaker, Listeners()
    circuits = [None if breaker is None else Circuit(breaker, clock=clock) for _ in urls]
    budgets = [
        None if options is None else Budget(options, clock=clock)
        for options in ((retry.budget, retry.unsent_budget) if retry is not None else (None, None))
    ]
    ejection = policies.ejection
    return Destination(
        "service",
        tuple(map(Endpoint, urls, circuits)),
        picker=policies.balancer.start(),
        retry=retry,
        budget=budgets[0],
        unsent_budget=budgets[1],
        outliers=None if ejection is None else Outliers(ejection, random=random, listeners=nobody),
        slots=None,
        clock=clock,
        random=random,
        listeners=nobody,
    )
