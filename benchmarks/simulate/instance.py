"""The instances of a service: a few workers and a queue each, which may be slow, fail, or be gone."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from interservice.outbound.outcome import Outcome, WireFacts
from interservice.outbound.steps import Sent

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from interservice.outbound.steps import Send

    from .world import World

#: Seconds that a failure, a refusal or an empty answer takes.
_AT_ONCE = 0.002


class Try:
    """One request on its way: answered once, by the instance or by the client's own patience."""

    __slots__ = ("_done", "open")

    def __init__(self, done: Callable[[Sent], None]) -> None:
        self._done = done
        self.open = True

    def end(self, sent: Sent) -> None:
        """Answer it, unless it was."""
        if self.open:
            self.open = False
            self._done(sent)


class Instance:
    """One instance. What its clients gave up on it works on all the same, as servers do.

    Attributes:
        factor: How many times slower than it should be.
        fails: The share of requests that it answers with 503, at once.
        down: Whether it refuses connections.
        served: How many requests reached it.
    """

    def __init__(self, world: World, random: Random, *, workers: int, seconds: float) -> None:
        self._world = world
        self._random = random
        self._seconds = seconds
        self._free = workers
        self._queue: deque[Try] = deque()
        self.factor = 1.0
        self.fails = 0.0
        self.down = False
        self.served = 0

    def take(self, request: Try) -> None:
        """A request comes in."""
        self.served += 1
        if self.fails and self._random.random() < self.fails:
            self._world.after(_AT_ONCE, partial(request.end, _answered(503)))
        elif self._free:
            self._free -= 1
            self._work(request)
        else:
            self._queue.append(request)

    def _work(self, request: Try) -> None:
        seconds = self._random.expovariate(1.0 / (self._seconds * self.factor))
        self._world.after(seconds, partial(self._finish, request))

    def _finish(self, request: Try) -> None:
        request.end(_answered(200))
        if self._queue:
            self._work(self._queue.popleft())
        else:
            self._free += 1


class Fleet:
    """All instances by URL, and the network to them.

    Args:
        world: Time.
        random: Randomness of service times and failures.
        count: How many instances.
        workers: Of each.
        seconds: What a request takes a worker, on average.
        patience: After how many seconds a client gives up on a try.
    """

    def __init__(self, world: World, random: Random, *, count: int, workers: int, seconds: float, patience: float) -> None:
        self._world = world
        self._patience = patience
        self.instances = [Instance(world, random, workers=workers, seconds=seconds) for _ in range(count)]
        self.urls = [f"http://instance-{number}" for number in range(count)]
        self._by_url = dict(zip(self.urls, self.instances, strict=True))
        self.sends = 0

    def answer(self, step: Send, done: Callable[[Sent], None]) -> None:
        """Send a request."""
        self.sends += 1
        instance = self._by_url[step.endpoint.url]
        request = Try(done)
        if instance.down:
            self._world.after(_AT_ONCE, partial(request.end, _failed(Outcome.NEVER_SENT, 0)))
            return
        left = max(0.0, step.deadline - self._world.monotonic())
        outcome = Outcome.READ_TIMEOUT if self._patience < left else Outcome.DEADLINE
        self._world.after(min(self._patience, left), partial(request.end, _failed(outcome, 100)))
        instance.take(request)


def _answered(status: int) -> Sent:
    return Sent(WireFacts(bytes_written=100, response_started=True, body_complete=True), response=status, status=status)


def _failed(outcome: Outcome, written: int) -> Sent:
    return Sent(WireFacts(bytes_written=written), error=ConnectionError(str(outcome)), outcome=outcome)
