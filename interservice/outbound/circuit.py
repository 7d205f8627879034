"""A circuit breaker: stops calling what does not answer, and finds out with a few probes when it does again.

The lock guards counters and nothing else: no call, callback, listener or log line runs under it. A closed circuit that watches no
slow calls admits without the lock at all. A permit belongs to the phase it was given in; results of an earlier phase are dropped.
A half-open circuit cannot wedge: each probe's place is leased, and an ignored probe gives its place back.

Sources: resilience4j's CircuitBreaker for states and windows, gobreaker for generations, failsafe-go for early verdicts.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from interservice import options
from interservice.clock import SYSTEM
from interservice.events import CircuitChanged, Listeners

from .breaker import CircuitBreaker
from .permit import Permit
from .phase import Phase, Tally, judged, merely_slow, new_window, tripped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from interservice.clock import Clock
    from interservice.events import Listener

    from .phase import State

__all__ = ["Circuit", "CircuitBreaker", "Permit"]

_LOG = logging.getLogger("interservice")
#: How long a circuit stays open while, or because, a callable `open_for` has given no usable answer.
_FALLBACK = 5.0


def _word(error: BaseException | str | None) -> str | None:
    """What is kept of an error: an exception would keep the frames of its call alive, and its text may hold a secret."""
    return error if error is None or isinstance(error, str) else type(error).__name__


class Circuit:
    """One live circuit. Safe to use from many threads, and alone.

        permit = circuit.acquire()              # raises CircuitOpen
        try:
            answer = call()
        except ConnectionError as error:
            permit.failure(clock.monotonic() - started, error)
            raise
        permit.success(clock.monotonic() - started)

    Args:
        options: When to open and close.
        name: The service, in events.
        endpoint: The endpoint, in events.
        clock: What windows, open times and leases are measured on.
        listeners: Are told `CircuitChanged`, in order, never under the lock.
    """

    def __init__(
        self,
        options: CircuitBreaker,
        *,
        name: str = "",
        endpoint: str | None = None,
        clock: Clock = SYSTEM,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self.options = options
        self.name = name
        self.endpoint = endpoint
        self._monotonic = clock.monotonic
        self._listeners = listeners if isinstance(listeners, Listeners) else Listeners(listeners, option="Circuit.listeners")
        self._slow_after = options.slow_after
        self._not_permitted = 0
        #: How often it has opened since it was last closed.
        self._openings = 0
        self._last_failure: str | None = None
        self._lock = threading.Lock()
        #: Whoever has this tells the listeners; nobody ever waits for it.
        self._telling = threading.Lock()
        self._events: deque[CircuitChanged] = deque()
        self._unscheduled: Phase | None = None
        self._phase = self._begin("closed", self._monotonic())

    def try_acquire(self) -> Permit | None:
        """A permit for one call, or None when the circuit lets none through."""
        phase = self._phase
        if phase.passes and phase.running is None:
            # No lock: should the phase end this very moment, the permit is a late one and its result is dropped.
            return Permit(self, phase)
        now = self._monotonic()
        with self._lock:
            permit = self._admit(now)
        self._after()
        return permit

    def acquire(self) -> Permit:
        """A permit for one call.

        Raises:
            CircuitOpen: none is let through; `retry_after` says in how many seconds that may change.
        """
        permit = self.try_acquire()
        if permit is None:
            raise self.refusal()
        return permit

    def passed_over(self) -> None:
        """Count a call that was not even tried here, because `admits` said no."""
        with self._lock:
            self._not_permitted += 1

    def refusal(self) -> Exception:
        """A fresh `CircuitOpen` that says why a call is not let through: state, rates, last failure, and when to come back."""
        from .errors import CircuitOpen  # noqa: PLC0415 - the machine itself knows nothing of requests

        facts = self.snapshot()
        return CircuitOpen(
            f"the circuit of {self.endpoint or self.name or 'this call'} is {facts['state']}",
            service=self.name or None,
            endpoint=self.endpoint,
            state=facts["state"],
            retry_after=facts["retry_after"],
            failure_rate=facts["failure_rate"],
            slow_rate=facts["slow_rate"],
            last_failure=facts["last_failure"],
        )

    def admits(self, now: float) -> bool:
        """Whether a call would be let through at `now`. Takes no permit, so one asked for later may still be refused."""
        phase = self._phase
        if phase.passes:
            return True
        if phase.state == "open":
            return now >= phase.until
        if phase.state == "half_open":
            with self._lock:
                return phase.has_place(now)
        return False

    def slowed(self, now: float) -> bool:
        """Whether it lets nothing through at `now` because calls were slow, and not because they failed."""
        return self._phase.slow and not self.admits(now)

    @property
    def state(self) -> State:
        """The state now: a circuit whose time to be open is over reads as half-open before the next call makes it so."""
        phase = self._phase
        if phase.state == "open" and self._monotonic() >= phase.until:
            return "half_open"
        return phase.state

    def snapshot(self) -> dict[str, Any]:
        """Its plain data, for status pages and errors.

        state, calls, failures, slow, failure_rate and slow_rate (None below the minimum of calls), not_permitted (since it was
        made), openings (since last closed), retry_after (seconds; None when no probe is awaited) and last_failure (a word).
        """
        now = self._monotonic()
        with self._lock:
            return self._facts(now)

    def reset(self) -> None:
        """Close it, with nothing counted."""
        self._order("closed")

    def open(self, seconds: float | None = None) -> None:
        """Open it for `seconds`; for as long as it would open by itself without them."""
        options.number("Circuit.open(seconds)", seconds, above=0, optional=True)
        self._order("open", seconds)

    def half_open(self) -> None:
        """Have probes decide, now."""
        self._order("half_open")

    def force_open(self) -> None:
        """Let nothing through until told otherwise."""
        self._order("forced_open")

    def disable(self) -> None:
        """Let everything through and count nothing."""
        self._order("disabled")

    def metrics_only(self) -> None:
        """Let everything through and count, but never open."""
        self._order("metrics_only")

    def _settle(self, permit: Permit, failed: bool, seconds: float, error: BaseException | str | None) -> None:  # noqa: FBT001
        slow = self._slow_after is not None and seconds > self._slow_after
        now = self._monotonic()
        with self._lock:
            if permit._done:  # noqa: SLF001
                return
            permit._done = True  # noqa: SLF001
            phase = permit._phase  # noqa: SLF001
            if phase is not self._phase or not phase.records:
                return
            if failed:
                self._last_failure = _word(error)
            if phase.leases:
                phase.leases.pop(permit, None)
            if permit._ticket is None:  # noqa: SLF001
                permit._ticket = phase.window.record(now, failed, slow)  # noqa: SLF001
            elif failed:  # it was counted when it became slow
                phase.window.fail(permit._ticket, now)  # noqa: SLF001
            if failed:
                permit._ticket = None  # noqa: SLF001 - nothing left to revise
            if phase.window.failures or phase.window.slow or phase.probes:
                self._decide(phase, now)
        if self._events or self._unscheduled is not None:
            self._after()

    def _forgo(self, permit: Permit) -> None:
        with self._lock:
            if not permit._done:  # noqa: SLF001
                permit._done = True  # noqa: SLF001
                permit._ticket = None  # noqa: SLF001
                permit._phase.leases.pop(permit, None)  # noqa: SLF001

    def _revise(self, permit: Permit, error: BaseException | str | None) -> None:
        now = self._monotonic()
        with self._lock:
            phase = permit._phase  # noqa: SLF001
            ticket, permit._ticket = permit._ticket, None  # noqa: SLF001
            if ticket is None or phase is not self._phase:
                return
            self._last_failure = _word(error)
            phase.window.fail(ticket, now)
            self._decide(phase, now)
        self._after()

    # From here to `_facts`: under the lock.

    def _admit(self, now: float) -> Permit | None:
        phase = self._phase
        if phase.state == "open" and now >= phase.until:
            phase = self._enter("half_open", now)
        if phase.running is not None:
            self._count_slow(phase, phase.running, now)
            phase = self._phase
        if phase.passes:
            permit = Permit(self, phase, now)
            if phase.running is not None:
                phase.running.append(permit)
            return permit
        if phase.state == "half_open":
            phase.expire(now)
            if phase.has_place(now):
                permit = Permit(self, phase, now)
                phase.leases[permit] = now + phase.lease
                return permit
        self._not_permitted += 1
        return None

    def _count_slow(self, phase: Phase, running: deque[Permit], now: float) -> None:
        """Count calls under way that are slow already, so that what hangs is seen before it ends (resilience4j issue 1597)."""
        limit = now - (self._slow_after or math.inf)
        found = False
        while running:
            permit = running[0]
            if not permit._done:  # noqa: SLF001
                if permit._started >= limit:  # noqa: SLF001
                    break
                permit._ticket = phase.window.record(now, False, True)  # noqa: FBT003, SLF001
                found = True
            running.popleft()
        if found:
            self._decide(phase, now)

    def _decide(self, phase: Phase, now: float) -> None:
        if phase.state == "closed":
            if tripped(phase.window, phase.enough, self.options):
                self._enter("open", now)
        elif phase.state == "half_open":
            after = judged(phase.window, phase.probes, self.options, slow_counts=self._slow_after is not None)
            if after is not None:
                self._enter(after, now)

    def _enter(self, state: State, now: float, seconds: float | None = None) -> Phase:
        before = self._phase
        phase = self._begin(state, now, before, seconds)
        self._phase = phase
        if state != before.state and self._listeners:
            facts = self._facts(now)
            self._events.append(CircuitChanged(self.name or None, self.endpoint, before.state, state, facts))
        return phase

    def _begin(self, state: State, now: float, before: Phase | None = None, seconds: float | None = None) -> Phase:
        choices = self.options
        if state == "half_open":
            phase = Phase(state, Tally(), enough=choices.probes)
            phase.probes = choices.probes
            phase.lease = choices.probe_lease or self._open_time(before)
            phase.slow = before is not None and before.slow
        elif state == "open" and before is not None:
            phase = Phase(state, before.window, enough=1 if before.probes else before.enough)
            phase.slow = before.slow if before.state == "open" else merely_slow(before, choices)
            self._open_until(phase, now, seconds, again=before.state == "open")
        else:
            phase = Phase(state, new_window(choices.window, choices.count_window, now), enough=choices.enough)
            if state == "closed":
                self._openings = 0
            if phase.passes and phase.records and choices.slow_after is not None:
                phase.running = deque()
        return phase

    def _open_until(self, phase: Phase, now: float, seconds: float | None, *, again: bool) -> None:
        phase.opened = now
        if seconds is None:
            if not (again and self._openings):
                self._openings += 1
            if callable(self.options.open_for):
                self._unscheduled = phase  # the callable is asked once the lock is released
                seconds = _FALLBACK
            else:
                seconds = self.options.open_for
        phase.until = now + seconds

    def _open_time(self, before: Phase | None) -> float:
        """How long it was open, which is how long a probe's lease lasts by default."""
        if before is not None and before.state == "open":
            return before.until - before.opened
        return _FALLBACK if callable(self.options.open_for) else self.options.open_for

    def _facts(self, now: float) -> dict[str, Any]:
        return {
            **self._phase.facts(now),
            "not_permitted": self._not_permitted,
            "openings": self._openings,
            "last_failure": self._last_failure,
        }

    # From here on: without it.

    def _order(self, state: State, seconds: float | None = None) -> None:
        now = self._monotonic()
        with self._lock:
            self._enter(state, now, seconds)
        self._after()

    def _after(self) -> None:
        if self._unscheduled is not None:
            self._schedule()
        while self._events and self._telling.acquire(blocking=False):
            try:
                while self._events:
                    self._listeners(self._events.popleft())
            finally:
                self._telling.release()

    def _schedule(self) -> None:
        """Ask a callable `open_for` how long to stay open; until it has answered, and if it fails, the time is a default."""
        with self._lock:
            phase, self._unscheduled = self._unscheduled, None
            openings = self._openings
        choice = self.options.open_for
        if phase is None or not callable(choice):
            return
        try:
            seconds = choice(openings)
            options.number("CircuitBreaker.open_for(openings)", seconds, above=0)
        except Exception:  # noqa: BLE001 - a fault in the user's callable must not leave the circuit without an end
            _LOG.exception("open_for of circuit %s failed; it stays open for %s s", self.name, _FALLBACK)
            return
        with self._lock:
            phase.until = phase.opened + seconds
