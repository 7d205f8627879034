"""The key set's life under any sequence of fetches, failures and unknown ids: what must hold always does."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from interservice.issuer.keys import KeyRing
from interservice.tokens.jwk import key_from_jwk
from interservice.tokens.keys import KeyMachine, State
from interservice.tokens.keyset import KeySet

SETS = [KeySet([key_from_jwk(KeyRing.generate(["EdDSA"]).jwks["keys"][0])]) for _ in range(2)]


class Life(RuleBasedStateMachine):
    """One key set; a driver that fetches only when the machine lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = KeyMachine(600.0, 3600.0, lambda: 0.5)
        self.starts: list[float] = []
        self.forced: list[float] = []
        self.flying = False
        self.good_at: float | None = None
        self.held: KeySet | None = None

    @rule(seconds=st.floats(0.0, 1000.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.flying)
    @rule()
    def refresh(self) -> None:
        if self.machine.refresh_due(self.now):
            self.start()

    @precondition(lambda self: not self.flying and self.held is not None)
    @rule(kid=st.text("abc", min_size=1, max_size=2))
    def unknown_id(self, kid: str) -> None:
        if self.machine.may_look_for(kid, self.now):
            self.forced.append(self.now)
            self.start()

    def start(self) -> None:
        self.machine.started(self.now)
        self.starts.append(self.now)
        self.flying = True

    @precondition(lambda self: self.flying)
    @rule(
        keys=st.sampled_from(SETS), max_age=st.none() | st.floats(-10.0, 100_000.0), missed=st.none() | st.text("abc", min_size=1)
    )
    def succeed(self, keys: KeySet, max_age: float | None, missed: str | None) -> None:
        self.machine.succeeded(self.now, keys, max_age)
        if missed is not None:
            self.machine.missed(missed, self.now)
            assert not self.machine.may_look_for(missed, self.now)
        self.flying, self.good_at, self.held = False, self.now, keys

    @precondition(lambda self: self.flying)
    @rule()
    def fail(self) -> None:
        before = self.machine.keyset
        self.machine.failed(self.now)
        assert self.machine.keyset is before
        assert not self.machine.refresh_due(self.now)
        assert 0 < self.machine.retry_after(self.now) <= 60.0
        self.flying = False

    @rule()
    def fork(self) -> None:
        self.machine.spread()

    @invariant()
    def keys_are_those_of_the_last_good_fetch(self) -> None:
        assert self.machine.keyset is self.held

    @invariant()
    def lease_is_given_exactly_while_keys_live(self) -> None:
        lease = self.machine.lease(self.now)
        state = self.machine.state(self.now)
        assert (lease is None) is (state in {State.EMPTY, State.DEAD})
        if lease is not None:
            assert lease.keyset is self.held
            assert lease.until > self.now
            assert self.machine.state(lease.until - 1e-6) is not State.DEAD

    @invariant()
    def keys_older_than_all_lifetimes_are_dead(self) -> None:
        if self.good_at is not None and self.now - self.good_at > 3600.0 + 3600.0:
            assert self.machine.state(self.now) is State.DEAD

    @invariant()
    def unknown_ids_start_few_fetches(self) -> None:
        recent = [at for at in self.forced if at > self.now - 30.0]
        assert len(recent) <= 3  # two saved up, and one that became due within the window

    @invariant()
    def missing_keys_are_fetched_in_the_end(self) -> None:
        assert self.machine.state(self.now + 100_000.0) in {State.EMPTY, State.DEAD}
        assert self.machine.refresh_due(self.now + 100_000.0)


TestLife = Life.TestCase
