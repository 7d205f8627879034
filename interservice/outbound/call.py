"""One call and where it goes: what the flow works on. A `Call` belongs to one call, a `Destination` to all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .errors import BulkheadFull, CircuitOpen, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from interservice.clock import Clock
    from interservice.events import Listeners

    from .attempt import Attempt
    from .balancer import Picker
    from .budget import Budget
    from .bulkhead import Slot, Slots
    from .circuit import Permit
    from .endpoint import Endpoint
    from .outcome import Verdict
    from .outliers import Outliers
    from .retry import Retry, Waits
    from .steps import Auth, Sent
    from .watch import Watch


class Destination:
    """A service as it is called: its endpoints and the live state of every policy. Shared by all calls to it.

    Args:
        service: Its name, for events and errors.
        endpoints: Where it runs.
        picker: Picks one of several.
        retry: What is tried again; None for nothing.
        budget: What retries may cost; None for no limit.
        unsent_budget: What trying again may cost after nothing was sent; None for no limit.
        outliers: Leaves out who does worse than the others; None for nobody.
        watch: Finds out where it runs; None when that is given.
        slots: The bulkhead; None for none.
        clock: Time.
        random: Randomness, for pauses and picks.
        listeners: Who is told what happened.
    """

    __slots__ = (
        "__weakref__", "budget", "clock", "endpoints", "listeners", "outliers", "picker", "random", "retry", "service", "slots",
        "tables", "unsent_budget", "watch",
    )  # fmt: skip

    def __init__(
        self,
        service: str | None,
        endpoints: Sequence[Endpoint],
        *,
        picker: Picker,
        retry: Retry | None,
        budget: Budget | None,
        slots: Slots | None,
        clock: Clock,
        random: Random,
        listeners: Listeners,
        unsent_budget: Budget | None = None,
        outliers: Outliers | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.service = service
        self.endpoints = endpoints
        #: What is drawn from, the preferred first: endpoints by priority, and each as often as its weight says.
        self.tables: Sequence[Sequence[Endpoint]] = (endpoints,)
        self.picker = picker
        self.retry = retry
        self.budget = budget
        self.unsent_budget = unsent_budget
        self.outliers = outliers
        self.watch = watch
        self.slots = slots
        self.clock = clock
        self.random = random
        self.listeners = listeners


class Call:
    """One call, from its beginning to its result.

    Args:
        method: Of the request.
        url: Of the request, without query and credentials, for events.
        started: Seconds on the clock.
        deadline: The moment by which it must be over, on the same scale; inf for none.
        keyed: Whether the request carries an Idempotency-Key.
        auth: Where its bearer token comes from; None for none.
    """

    __slots__ = (
        "attempts", "auth", "deadline", "keyed", "last", "method", "reached", "replayed",
        "started", "token", "tried", "url", "waits",
    )  # fmt: skip

    def __init__(
        self, method: str, url: str, started: float, deadline: float, *, keyed: bool = False, auth: Auth | None = None
    ) -> None:
        self.method = method
        self.url = url
        self.started = started
        self.deadline = deadline
        self.keyed = keyed
        self.auth = auth
        self.attempts: list[Attempt] = []
        #: Endpoints that had their turn.
        self.tried: list[Endpoint] = []
        self.waits: Waits | None = None
        self.token: str | None = None
        #: Whether it was sent again after a 401, which happens once and is no retry.
        self.replayed = False
        #: What the last try gave, while it could still be the result.
        self.last: Sent | None = None
        #: The last try that failed with something sent.
        self.reached: Sent | None = None

    def exceeded(self, service: str | None, now: float, phase: str, endpoint: str | None = None) -> DeadlineExceeded:
        """The error that says the call's time is up."""
        budget = self.deadline - self.started
        where = f" to {service}" if service else ""
        return DeadlineExceeded(
            f"the call{where} did not end within {budget:.3f} s ({phase})",
            phase=phase,
            elapsed=now - self.started,
            budget=budget,
            service=service,
            endpoint=endpoint,
            attempts=self.attempts,
        )


class Lease:
    """What one try holds: a circuit's permit, a place in the bulkhead, a count at the endpoint. Given back exactly once.

    `probe` is leave to decide on the return of an endpoint that was left out; 0 for none.
    """

    __slots__ = ("_held", "endpoint", "permit", "probe", "slot")

    def __init__(self, endpoint: Endpoint, permit: Permit | None, slot: Slot | None, probe: int = 0) -> None:
        self.endpoint = endpoint
        self.permit = permit
        self.slot = slot
        self.probe = probe
        self._held = True
        endpoint.begin()

    def report(self, verdict: Verdict, seconds: float, error: BaseException | str) -> None:
        """Tell the circuit what became of the try, and the endpoint if it was a success that brings it back."""
        permit = self.permit
        if self.probe and verdict == "success":
            self.endpoint.probed(self.probe, success=True)
        if permit is None:
            return
        if verdict == "success":
            permit.success(seconds)
        elif verdict == "failure":
            permit.failure(seconds, error)
        else:
            permit.ignore()

    def release(self, now: float, seconds: float | None = None, *, failed: bool = False) -> None:
        """Give back the place and the count; a permit not reported is ignored. `seconds`: what it took, if that says anything."""
        if self._held:
            self._held = False
            if self.permit is not None:
                self.permit.ignore()
            self.endpoint.end(now, seconds, failed=failed)
            if self.probe and seconds is None:
                self.endpoint.probed(self.probe, success=None)
            if self.slot is not None:
                self.slot.release()


def refused_by_all(call: Call, to: Destination, now: float) -> Exception:
    """The error for a call that no endpoint may be sent to; it speaks of the one that comes back first."""
    soonest = math.inf
    best: tuple[Endpoint, dict[str, Any]] | None = None
    for endpoint in to.endpoints:
        if endpoint.circuit is not None and not endpoint.circuit.admits(now):
            endpoint.circuit.passed_over()
        until, facts = _back_at(endpoint, now)
        if best is None or until < soonest:
            soonest, best = until, (endpoint, facts)
    assert best is not None  # noqa: S101 - there are endpoints, or NoEndpoint was raised
    nearest, facts = best
    where = nearest.url if len(to.endpoints) == 1 else to.service or "the service"
    return CircuitOpen(
        f"nothing was sent: the circuit of {where} is {facts['state']}",
        service=to.service,
        endpoint=nearest.url,
        attempts=call.attempts,
        retry_after=None if soonest == math.inf else soonest,
        state=facts["state"],
        failure_rate=facts.get("failure_rate"),
        slow_rate=facts.get("slow_rate"),
        last_failure=facts.get("last_failure"),
    )


def _back_at(endpoint: Endpoint, now: float) -> tuple[float, dict[str, Any]]:
    """In how many seconds an endpoint may be called again (inf where nobody can tell), and what keeps it."""
    facts: dict[str, Any] = (
        endpoint.circuit.snapshot() if endpoint.circuit is not None else {"state": "closed", "retry_after": None}
    )
    pause = max(endpoint.paused_until, endpoint.ejected_until) - now
    if facts["state"] in {"closed", "disabled", "metrics_only"}:
        return max(0.0, pause), {**facts, "state": "paused"}
    wait = facts["retry_after"]
    return (math.inf if wait is None else max(wait, pause)), facts


def bulkhead_full(call: Call, to: Destination, slots: Slots, waited: float) -> BulkheadFull:
    """The error for a call that found no place."""
    limit, in_flight = slots.limit, slots.in_flight
    return BulkheadFull(
        f"nothing was sent: {in_flight} calls to {to.service or 'this host'} are under way, and the bulkhead allows {limit}",
        service=to.service,
        attempts=call.attempts,
        in_flight=in_flight,
        limit=limit,
        queued=slots.queued,
        waited=waited,
    )
