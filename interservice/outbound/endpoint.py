"""One endpoint of a destination: what is under way to it, how it does, and whether it may be called now."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .circuit import Circuit

#: The cost of an endpoint that was never heard of but is being called: whoever asks next goes elsewhere (Finagle's penalty).
_PENALTY = 2.0**47


class Endpoint:
    """One endpoint, as the balancer sees it. Safe to use from many threads.

    Args:
        url: Scheme, host and port.
        circuit: Its circuit, or None for none.
        decay: Seconds over which a measured latency fades (Finagle's peak EWMA: 10).
        failure_cost: A failure counts as at least that many seconds, so that failing fast does not look fast.
    """

    __slots__ = (
        "_answers", "_cost", "_decay", "_failure_cost", "_failures", "_lock", "_probe", "_probed_until", "_stamp",
        "circuit", "ejected_until", "ejections", "in_a_row", "in_flight", "paused_until", "returning", "url",
    )  # fmt: skip

    def __init__(self, url: str, circuit: Circuit | None = None, *, decay: float = 10.0, failure_cost: float = 5.0) -> None:
        self.url = url
        self.circuit = circuit
        #: How many calls to it are under way.
        self.in_flight = 0
        #: The moment (monotonic) until which it asked to be left alone: Retry-After of a 429 or 503.
        self.paused_until = -math.inf
        #: The moment (monotonic) until which it is left out as an outlier.
        self.ejected_until = -math.inf
        #: Whether it was ejected and has not come back: once its time is over, one call at a time may find out.
        self.returning = False
        #: How often it was ejected, fading while it is well.
        self.ejections = 0
        #: Failures since its last success.
        self.in_a_row = 0
        self._answers = 0
        self._failures = 0
        self._probe = 0
        self._probed_until = -math.inf
        self._decay = decay
        self._failure_cost = failure_cost
        self._cost = 0.0
        self._stamp = -math.inf
        self._lock = threading.Lock()

    def available(self, now: float) -> bool:
        """Whether a call may go there at `now`: not paused, not ejected, and its circuit lets calls through."""
        if now < self.paused_until or now < self.ejected_until:
            return False
        if self.returning and now < self._probed_until:
            return False
        circuit = self.circuit
        return circuit is None or circuit.admits(now)

    def bearable(self, now: float, *, slow: bool = True) -> bool:
        """Whether a call may go there if nobody is better: ejected or not; with `slow`, also if its circuit opened for that."""
        if now < self.paused_until:
            return False
        circuit = self.circuit
        return circuit is None or circuit.admits(now) or (slow and circuit.slowed(now))

    def pause(self, until: float) -> None:
        """Leave it alone until then; a shorter pause than the one it has changes nothing."""
        with self._lock:
            self.paused_until = max(self.paused_until, until)

    def eject(self, until: float) -> None:
        """Leave it out until then; after that, a probe decides."""
        with self._lock:
            self.ejected_until = until
            self.ejections += 1
            self.in_a_row = 0
            self.returning = True
            self._probed_until = -math.inf

    def lease_probe(self, now: float, seconds: float) -> int:
        """Leave for the one call that decides on its return, to be told to `probed` within `seconds`; 0 when another has it."""
        with self._lock:
            if not self.returning or now < self.ejected_until or now < self._probed_until:
                return 0
            self._probed_until = now + seconds
            self._probe += 1
            return self._probe

    def probing(self, probe: int) -> bool:
        """Whether that is the probe that decides; one whose lease ended, with another given after it, no longer does."""
        return self.returning and probe == self._probe

    def probed(self, probe: int, *, success: bool | None) -> None:
        """The probe ended: with a success it is back, without a verdict (None) another call may find out."""
        with self._lock:
            if not self.probing(probe):
                return
            if success is None:
                self._probed_until = -math.inf
            elif success:
                self.returning = False
                self._answers = self._failures = 0

    def take_tally(self) -> tuple[int, int]:
        """How many calls were answered or failed since the last time this was asked, and how many of these failed."""
        with self._lock:
            tally = self._answers, self._failures
            self._answers = self._failures = 0
            return tally

    def begin(self) -> None:
        """A call to it begins; `end` must follow exactly once."""
        with self._lock:
            self.in_flight += 1

    def end(self, now: float, seconds: float | None = None, *, failed: bool = False) -> None:
        """A call to it ended at `now` after `seconds`; None where the time says nothing, as when the caller gave up.

        Peak EWMA: what is slower than expected counts at once, what is faster only by and by.
        """
        with self._lock:
            self.in_flight -= 1
            if seconds is None:
                return
            self._answers += 1
            if failed:
                self._failures += 1
                self.in_a_row += 1
                seconds = max(seconds, self._failure_cost)
            else:
                self.in_a_row = 0
            fade = math.exp((self._stamp - now) / self._decay) if now > self._stamp else 1.0
            self._cost = seconds if seconds > self._cost else seconds + (self._cost - seconds) * fade
            self._stamp = max(now, self._stamp)

    def latency(self, now: float) -> float:
        """The seconds an answer is expected to take, fading towards 0 while none comes; 0 when nothing is known."""
        return self._cost * math.exp(min(0.0, (self._stamp - now) / self._decay)) if self._cost else 0.0

    def load(self, now: float) -> float:
        """What one more call costs: expected latency by calls under way. Unknown and busy is dear, unknown and idle is free."""
        latency = self.latency(now)
        if latency == 0.0 and self.in_flight:
            return _PENALTY + self.in_flight
        return latency * (self.in_flight + 1)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Its plain data, for the status page.

        state, in_flight, calls, failures, failure_rate, slow_rate, not_permitted, and ejected_for: the seconds for which it is
        still left out, because it asked for it or as an outlier; 0.0 for not at all.
        """
        facts = self.circuit.snapshot() if self.circuit is not None else _NO_CIRCUIT
        return {
            "state": facts["state"],
            "in_flight": self.in_flight,
            "calls": facts["calls"],
            "failures": facts["failures"],
            "failure_rate": facts["failure_rate"],
            "slow_rate": facts["slow_rate"],
            "not_permitted": facts["not_permitted"],
            "ejected_for": max(0.0, self.paused_until - now, self.ejected_until - now),
        }

    def __repr__(self) -> str:
        return f"<Endpoint {self.url} in_flight={self.in_flight}>"


_NO_CIRCUIT: dict[str, Any] = {
    "state": "disabled",
    "calls": 0,
    "failures": 0,
    "failure_rate": None,
    "slow_rate": None,
    "not_permitted": 0,
}
