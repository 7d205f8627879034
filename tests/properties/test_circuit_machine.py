"""The circuit against a plain model of it, in any order of calls, results, orders and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from interservice.outbound.circuit import Circuit, CircuitBreaker, Permit
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from interservice.events import CircuitChanged

ORDERS = {
    "reset": "closed", "open": "open", "half_open": "half_open", "force_open": "forced_open", "disable": "disabled",
    "metrics_only": "metrics_only",
}  # fmt: skip
OPEN_FOR = 5.0
LEASE = 3.0


class CircuitMachine(RuleBasedStateMachine):
    """The model counts in lists; the last calls are the window (a count window, so that time only opens and leases)."""

    permits: Bundle[Any] = Bundle("permits")
    reported: Bundle[Permit] = Bundle("reported")

    @initialize(
        size=st.integers(1, 6), probes=st.integers(1, 3), rate=st.sampled_from([0.2, 0.5, 0.75, 1.0]), enough=st.integers(1, 6),
        start=st.sampled_from(["reset", "half_open"]),
    )  # fmt: skip
    def make(self, size: int, probes: int, rate: float, enough: int, start: str) -> None:
        self.clock = FakeClock()
        self.events: list[CircuitChanged] = []
        self.options = CircuitBreaker(
            count_window=size, probes=probes, failure_rate=rate, min_calls=enough, open_for=OPEN_FOR, probe_lease=LEASE
        )
        self.circuit = Circuit(self.options, clock=self.clock, listeners=[self.events.append])
        self.size, self.probes, self.rate, self.enough = size, probes, rate, min(enough, size)
        self.refused = 0
        self.told: list[tuple[str, str]] = []
        self.enter("closed")
        self.order(start)

    def enter(self, state: str) -> None:
        """The model changes its state: a new generation, with nothing counted."""
        before = getattr(self, "state", state)
        if before != state:
            self.told.append((before, state))
        self.state = state
        self.generation = getattr(self, "generation", 0) + 1
        self.results: list[bool] = []
        self.leases: dict[Permit, float] = {}
        self.until = self.clock.monotonic() + OPEN_FOR

    def outcome(self, failed: bool) -> None:
        """The model hears of one result of the present generation."""
        self.results.append(failed)
        if self.state == "closed":
            last = self.results[-self.size :]
            if len(last) >= self.enough and sum(last) / len(last) >= self.rate:
                self.enter("open")
        elif self.state == "half_open":
            worst = sum(self.results) + self.probes - len(self.results)
            if sum(self.results) / self.probes >= self.rate:
                self.enter("open")
            elif worst / self.probes < self.rate or len(self.results) == self.probes:
                self.enter("closed")

    @rule(target=permits)
    def acquire(self) -> Any:
        now = self.clock.monotonic()
        expected_by_peek = self.circuit.admits(now)
        permit = self.circuit.try_acquire()
        if self.state == "open" and now >= self.until:
            self.enter("half_open")
        if self.state == "half_open":
            self.leases = {probe: ends for probe, ends in self.leases.items() if ends > now}
            passes = len(self.leases) + len(self.results) < self.probes
        else:
            passes = self.state in {"closed", "disabled", "metrics_only"}
        assert (permit is not None) is passes is expected_by_peek
        if permit is None:
            self.refused += 1
            return multiple()
        if self.state == "half_open":
            self.leases[permit] = now + LEASE
        return (permit, self.generation)

    @rule(target=reported, held=consumes(permits), failed=st.booleans(), seconds=st.floats(0, 100))
    def report(self, held: tuple[Permit, int], failed: bool, seconds: float) -> Permit:
        permit, generation = held
        (permit.failure if failed else permit.success)(seconds)
        if generation == self.generation and self.state != "disabled":
            self.leases.pop(permit, None)
            self.outcome(failed)
        return permit

    @rule(target=reported, held=consumes(permits))
    def ignore(self, held: tuple[Permit, int]) -> Permit:
        permit, generation = held
        permit.ignore()
        if generation == self.generation:
            self.leases.pop(permit, None)
        return permit

    @rule(permit=reported, word=st.sampled_from(["success", "failure", "ignore"]))
    def report_again(self, permit: Permit, word: str) -> None:
        getattr(permit, word)(*(() if word == "ignore" else (0.1,)))

    @rule(seconds=st.sampled_from([0.5, 1.0, LEASE, OPEN_FOR, 100.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(order=st.sampled_from(sorted(ORDERS)))
    def order(self, order: str) -> None:
        getattr(self.circuit, order)()
        self.enter(ORDERS[order])

    @invariant()
    def the_state_is_that_of_the_model(self) -> None:
        elapsed = self.state == "open" and self.clock.monotonic() >= self.until
        assert self.circuit.state == self.circuit.snapshot()["state"] == ("half_open" if elapsed else self.state)

    @invariant()
    def the_metrics_are_those_of_the_model(self) -> None:
        facts = self.circuit.snapshot()
        assert facts["not_permitted"] == self.refused
        if self.state in {"closed", "metrics_only"}:
            last = self.results[-self.size :]
            assert (facts["calls"], facts["failures"]) == (len(last), sum(last))
            assert facts["failure_rate"] == (sum(last) / len(last) if len(last) >= self.enough else None)

    @invariant()
    def each_change_was_told_once_and_in_order(self) -> None:
        assert [(event.before, event.after) for event in self.events] == self.told

    @invariant()
    def it_can_always_recover_by_itself(self) -> None:
        """Whoever waits long enough gets a permit, unless the circuit was forced open by hand."""
        assert self.circuit.admits(self.clock.monotonic() + OPEN_FOR + LEASE) or self.state == "forced_open"


TestCircuitMachine = CircuitMachine.TestCase
TestCircuitMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
