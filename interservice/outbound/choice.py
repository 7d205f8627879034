"""Which endpoint the next try goes to, and what must be had of it first: its circuit's permit, and maybe leave to probe it.

Preferred are endpoints that had no turn yet, then those of a better priority. Where too few are left, a panic, an endpoint is
called although it was ejected, or although its circuit opened for slowness; one that failed its circuit open is never called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .call import refused_by_all
from .errors import NoEndpoint

if TYPE_CHECKING:
    from .call import Call, Destination
    from .circuit import Permit
    from .endpoint import Endpoint

#: An endpoint that may be called now, and what was taken for that: its circuit's permit, and leave to decide on its return, or 0.
Choice: TypeAlias = "tuple[Endpoint, Permit | None, int]"


def choose(call: Call, to: Destination, now: float) -> Choice:
    """An endpoint for one try.

    Raises:
        NoEndpoint: there are none.
        CircuitOpen: none of them may be called now.
    """
    endpoints = to.endpoints
    count = len(endpoints)
    if count == 1:
        only = endpoints[0]
        taken = _take(to, only, now, panic=False, alone=True) if only.bearable(now, slow=False) else None
        if taken is None:
            raise refused_by_all(call, to, now)
        return taken
    if not endpoints:
        raise nowhere(call, to)
    outliers = to.outliers
    panic = outliers is not None and outliers.panics(endpoints, now)
    for _ in range(count + 1):
        endpoint = _draw(call, to, now, panic=panic)
        if endpoint is not None:
            taken = _take(to, endpoint, now, panic=panic)
            if taken is not None:
                return taken
        elif panic or outliers is None or not outliers.look(endpoints, now):
            break
        else:
            panic = True
    raise refused_by_all(call, to, now)


def may_be_called(to: Destination, endpoint: Endpoint, at: float) -> bool:
    """Whether a try at that moment could go there, as far as is known now."""
    endpoints, outliers = to.endpoints, to.outliers
    if len(endpoints) == 1:
        return endpoint.bearable(at, slow=False)
    if endpoint.available(at):
        return True
    return outliers is not None and outliers.panics(endpoints, at) and endpoint.bearable(at)


def nowhere(call: Call, to: Destination) -> NoEndpoint:
    """The error for a call to a service that runs nowhere, as far as anybody knows."""
    name, watch = to.service or "the service", to.watch
    if watch is None or watch.trouble is None:
        msg = f"nothing was sent: {name} has no endpoint"
    else:
        msg = f"nothing was sent: the endpoints of {name} could not be found: {watch.trouble}"
    return NoEndpoint(msg, service=to.service, attempts=call.attempts)


def _draw(call: Call, to: Destination, now: float, *, panic: bool) -> Endpoint | None:
    """An endpoint of the best priority that has one which had no turn yet; else of the best that has one."""
    tables, tried = to.tables, call.tried
    if len(tables) == 1:
        return to.picker.pick(tables[0], tried=tried, random=to.random, now=now, panic=panic)
    second_best = None
    for table in tables:
        endpoint = to.picker.pick(table, tried=tried, random=to.random, now=now, panic=panic)
        if endpoint is not None and endpoint not in tried:
            return endpoint
        second_best = second_best or endpoint
    return second_best


def _take(to: Destination, endpoint: Endpoint, now: float, *, panic: bool, alone: bool = False) -> Choice | None:
    """What a call to it needs; None when another call was faster."""
    probe = 0
    if endpoint.returning and not alone and now >= endpoint.ejected_until and to.outliers is not None:
        probe = endpoint.lease_probe(now, to.outliers.options.eject_for)
        if not probe and not panic:
            return None
    circuit = endpoint.circuit
    if circuit is None:
        return endpoint, None, probe
    if panic and circuit.slowed(now):
        return endpoint, None, probe
    permit = circuit.try_acquire()
    if permit is not None:
        return endpoint, permit, probe
    if probe:
        endpoint.probed(probe, success=None)
    return None
