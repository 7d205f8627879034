"""The trouble that is made in turn, as shares of the run: a run of ten minutes has the authorization server down for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.cli.demo.servers.stack import ServersStack
    from interservice.clock import Clock


@dataclass(frozen=True)
class Incident:
    """One kind of trouble.

    Attributes:
        name: What happens.
        at: When, as a share of the run.
        lasts: For how long, as a share of the run; 0 for what happens at once.
        begin: Makes it.
        end: Ends it.
    """

    name: str
    at: float
    lasts: float
    begin: Callable[[], object]
    end: Callable[[], object] | None = None


class Happened(NamedTuple):
    """An incident as it was.

    Attributes:
        name: What happened.
        begin: When, in seconds from the start.
        end: When it was over: the process back and ready, the signal given, ...
    """

    name: str
    begin: float
    end: float


def incidents(stack: ServersStack) -> tuple[Incident, ...]:
    """What happens, in order; no two at a time."""
    a, b = stack.orders
    slowness = stack.balancing.slowness
    return (
        Incident("orders-b killed", 0.05, 0.04, b.kill, b.start),
        Incident("orders-a restarted, drained", 0.15, 0.0, lambda: stack.restart(a)),
        Incident("orders-b slow", 0.24, 0.06, lambda: stack.slow_down(b, slowness), lambda: stack.slow_down(b, 0)),
        Incident("orders-a cut off", 0.36, 0.06, a.pause, a.resume),
        Incident("keys rotated", 0.48, 0.0, stack.rotate_keys),
        Incident("orders-a killed", 0.54, 0.02, a.kill, a.start),
        Incident("authorization server down", 0.70, 0.10, stack.stop_issuer, stack.start_issuer),
        Incident("orders-b restarted, drained", 0.86, 0.0, lambda: stack.restart(b)),
        Incident("orders-b cut off", 0.92, 0.03, b.pause, b.resume),
    )


def make(plan: Sequence[Incident], started: float, seconds: float, clock: Clock) -> list[Happened]:
    """Make each at its time, and say when it was."""
    happened = []
    for incident in plan:
        _wait(clock, started + incident.at * seconds)
        begin = clock.monotonic() - started
        try:
            incident.begin()
            _wait(clock, started + (incident.at + incident.lasts) * seconds)
        finally:
            if incident.end is not None:
                incident.end()
        happened.append(Happened(incident.name, begin, clock.monotonic() - started))
    return happened


def _wait(clock: Clock, until: float) -> None:
    clock.sleep(max(0.0, until - clock.monotonic()))
