"""Simulated time, and the driver that carries out the steps of a flow in it. Nothing here waits: time jumps to the next event."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Protocol

from interservice.errors import CallError
from interservice.outbound.call import Call
from interservice.outbound.flow import flow
from interservice.outbound.steps import Send, Wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.outbound.call import Destination
    from interservice.outbound.steps import Sent


class World:
    """A clock, and what happens when. As a `Clock` it is what policies read; nobody sleeps in it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._now

    time = monotonic

    def sleep(self, seconds: float) -> None:  # noqa: ARG002 - the protocol's
        """Not to be called: who waits here yields."""
        raise AssertionError

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen."""
        heapq.heappush(self._events, (self._now + seconds, next(self._order), what))

    def run(self, until: float) -> None:
        """Let time pass."""
        events = self._events
        while events and events[0][0] <= until:
            self._now, _, what = heapq.heappop(events)
            what()
        self._now = until


class Network(Protocol):
    """What answers requests."""

    def answer(self, step: Send, done: Callable[[Sent], None]) -> None:
        """Answer a request, now or later."""


class SimulatedCall:
    """One call: its flow, carried out event by event.

    Args:
        world: Time.
        network: Who answers.
        to: The client's destination.
        total: Seconds that the call may take.
        ended: Is told when it began, when it ended, the status (None for none) and how often it was sent.
    """

    __slots__ = ("_call", "_ended", "_network", "_steps", "_world")

    def __init__(
        self,
        world: World,
        network: Network,
        to: Destination,
        total: float,
        ended: Callable[[float, float, int | None, int], None],
    ) -> None:
        now = world.monotonic()
        self._world = world
        self._network = network
        self._ended = ended
        self._call = Call("GET", "http://service/", now, now + total)
        self._steps = flow(self._call, to)

    def go(self, answer: Any = None) -> None:
        """Go on to the next step that takes time."""
        status: int | None = None
        try:
            step = self._steps.send(answer)
        except StopIteration as end:
            sent: Sent = end.value[0]
            status = sent.status if sent.error is None else None
        except CallError:
            pass
        else:
            if isinstance(step, Send):
                self._network.answer(step, self.go)
            elif isinstance(step, Wait):
                self._world.after(step.seconds, self.go)
            else:
                raise AssertionError(step)  # noqa: TRY004 - a step that no simulated policy takes
            return
        self._ended(self._call.started, self._world.monotonic(), status, len(self._call.attempts))
