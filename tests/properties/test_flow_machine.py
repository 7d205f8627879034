"""Calls through the whole flow while endpoints die, recover, slow down, come and go: what is taken is given back, always."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from interservice.errors import CallError
from interservice.outbound.breaker import CircuitBreaker
from interservice.outbound.discovery import Found
from interservice.outbound.outcome import Outcome
from interservice.outbound.roster import Roster
from tests.outbound.test_choice import Service

NAMES = [f"http://{letter}" for letter in "abcdef"]
FATES = st.sampled_from([200, 404, 409, 429, 503, Outcome.NEVER_SENT, Outcome.RESET, Outcome.READ_TIMEOUT, Outcome.TRUNCATED])


class FlowMachine(RuleBasedStateMachine):
    """One client and six possible endpoints."""

    @initialize(
        kind=st.sampled_from(["p2c", "peak-ewma", "round-robin"]),
        breaker=st.sampled_from([None, CircuitBreaker(min_calls=3), CircuitBreaker(min_calls=3, slow_after=0.5)]),
    )
    def make(self, kind: str, breaker: CircuitBreaker | None) -> None:
        self.service = Service(0, kind=kind, breaker=breaker)  # type: ignore[arg-type]
        self.roster = Roster(self.service.endpoint)
        self.find(frozenset(NAMES[:3]))

    @rule(names=st.frozensets(st.sampled_from(NAMES), min_size=1))
    def find(self, names: frozenset[str]) -> None:
        self.roster.apply(self.service.to, [Found(name, ord(name[-1]) % 2, ord(name[-1])) for name in sorted(names)])

    @rule(name=st.sampled_from(NAMES), fate=FATES)
    def become(self, name: str, fate: Outcome | int) -> None:
        self.service.fails[name] = fate

    @rule(name=st.sampled_from(NAMES), seconds=st.sampled_from([0.001, 0.3, 1.0]))
    def take(self, name: str, seconds: float) -> None:
        self.service.takes[name] = seconds

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 31.0, 120.0]))
    def wait(self, seconds: float) -> None:
        self.service.clock.advance(seconds)

    @rule(times=st.integers(1, 12), method=st.sampled_from(["GET", "POST"]), keyed=st.booleans())
    def call(self, times: int, method: str, keyed: bool) -> None:
        for _ in range(times):
            sends = len(self.service.sends)
            with contextlib.suppress(CallError):
                self.service.call(method, keyed=keyed)
            assert len(self.service.sends) - sends <= 3

    @rule()
    def heal(self) -> None:
        """Whatever happened before: once all is well and a while has passed, every call succeeds."""
        self.service.fails.clear()
        self.service.takes.clear()
        for _ in range(4):
            self.service.clock.advance(70.0)
            for _ in range(3):
                sent = self.service.call()
        assert sent.status == 200

    @invariant()
    def nothing_is_held(self) -> None:
        if hasattr(self, "roster"):
            assert all(endpoint.in_flight == 0 for endpoint in self.roster._known.values())


TestFlowMachine = FlowMachine.TestCase
TestFlowMachine.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
