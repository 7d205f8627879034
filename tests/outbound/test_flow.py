"""The flow alone: a driver without sockets carries out its steps, on a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from interservice.events import Attempted, Listeners, RetryBudgetExhausted, Shed
from interservice.outbound.backoff import Backoff
from interservice.outbound.balancer import Balancer
from interservice.outbound.breaker import CircuitBreaker
from interservice.outbound.budget import Budget, RetryBudget
from interservice.outbound.bulkhead import Bulkhead, Slots
from interservice.outbound.call import Call, Destination
from interservice.outbound.circuit import Circuit
from interservice.outbound.driver import drive
from interservice.outbound.endpoint import Endpoint
from interservice.outbound.errors import BulkheadFull, CircuitOpen, DeadlineExceeded, NoEndpoint, TokenUnavailable
from interservice.outbound.flow import flow
from interservice.outbound.outcome import Outcome, WireFacts
from interservice.outbound.retry import Retry
from interservice.outbound.steps import AcquireSlot, Send, Sent, Wait
from interservice.testing import FakeClock

NO_PAUSE = Backoff(base=0.0, cap=0.0)
TOUCHY = CircuitBreaker(min_calls=2)
CALM = CircuitBreaker()
AT_ONCE = Retry(backoff=NO_PAUSE)
NARROW = Bulkhead(max_concurrent=2)
AMPLE = RetryBudget()
Scripted = Sent | BaseException | Callable[[Send], Sent]


def answered(status: int, *, streaming: bool = False, **headers: str) -> Sent:
    def fields(name: str) -> tuple[str, ...]:
        value = headers.get(name.replace("-", "_").lower())
        return () if value is None else (value,)

    facts = WireFacts(bytes_written=100, response_started=True)
    return Sent(facts, response=f"response {status}", status=status, fields=fields, streaming=streaming)


def failed(outcome: Outcome, *, written: int = 100, replayable: bool = True) -> Sent:
    return Sent(
        WireFacts(bytes_written=written, replayable=replayable),
        error=ConnectionError(str(outcome)),
        outcome=outcome,
        phase="headers",
    )


@dataclass
class FakeCarrier:
    """Answers each `Send` with what the script has next, after letting `takes` seconds pass."""

    clock: FakeClock
    script: list[Scripted]
    takes: float = 0.0
    sends: list[Send] = field(default_factory=list)
    discarded: list[Sent] = field(default_factory=list)

    def send(self, step: Send) -> Sent:
        self.sends.append(step)
        self.clock.advance(self.takes)
        item = self.script.pop(0) if self.script else answered(200)
        if isinstance(item, BaseException):
            raise item
        return item(step) if callable(item) else item

    def discard(self, sent: Sent) -> None:
        self.discarded.append(sent)


class Tokens:
    """Credentials that hand out one token after another."""

    def __init__(self, *tokens: str, replay: bool = True) -> None:
        self.tokens = list(tokens)
        self.replay = replay
        self.refusals: list[str] = []

    def token(self, deadline_seconds: float) -> str:
        if not self.tokens:
            raise TokenUnavailable("the issuer is down")
        return self.tokens[0]

    def refused(self, token: str) -> bool:
        self.refusals.append(token)
        self.tokens.remove(token)
        return self.replay

    def permits(self, url: str) -> bool:
        return True


class World:
    """One destination with everything in it, and calls to it."""

    def __init__(
        self,
        urls: tuple[str, ...] = ("http://a",),
        *,
        retry: Retry | None = AT_ONCE,
        breaker: CircuitBreaker | None = CALM,
        bulkhead: Bulkhead | None = NARROW,
        budget: RetryBudget | None = AMPLE,
    ) -> None:
        self.clock = FakeClock()
        self.events: list[Any] = []
        self.listeners = Listeners([self.events.append])
        self.endpoints = [Endpoint(url, self.circuit(breaker, url)) for url in urls]
        self.slots = None if bulkhead is None else Slots(bulkhead, clock=self.clock)
        self.destination = Destination(
            "billing",
            self.endpoints,
            picker=Balancer("round-robin").start(),
            retry=retry,
            budget=None if budget is None else Budget(budget, clock=self.clock),
            slots=self.slots,
            clock=self.clock,
            random=Random(1),
            listeners=self.listeners,
        )

    def circuit(self, breaker: CircuitBreaker | None, url: str) -> Circuit | None:
        return (
            None
            if breaker is None
            else Circuit(breaker, name="billing", endpoint=url, clock=self.clock, listeners=self.listeners)
        )

    def new_call(self, method: str = "GET", total: float = 10.0, **more: Any) -> Call:
        now = self.clock.monotonic()
        return Call(method, "http://billing/", now, now + total, **more)

    def run(self, *script: Scripted, call: Call | None = None, takes: float = 0.01) -> Sent:
        self.call = call or self.new_call()
        self.carrier = FakeCarrier(self.clock, list(script), takes)
        sent, self.lease = drive(flow(self.call, self.destination), self.carrier, self.clock)
        return sent

    def assert_nothing_held(self) -> None:
        assert [endpoint.in_flight for endpoint in self.endpoints] == [0] * len(self.endpoints)
        assert self.slots is None or self.slots.in_flight == 0


def told(world: World, kind: type) -> list[Any]:
    return [event for event in world.events if isinstance(event, kind)]


def test_an_answer_is_the_result_and_nothing_is_held() -> None:
    world = World()
    assert world.run(answered(200)).status == 200
    assert len(world.call.attempts) == 1
    attempt = world.call.attempts[0]
    assert attempt[:1] + attempt[3:] == ("http://a", Outcome.OK, 200, None)
    assert attempt.seconds == pytest.approx(0.01)
    world.assert_nothing_held()


def test_get_is_tried_again_after_503() -> None:
    world = World()
    assert world.run(answered(503), answered(200)).status == 200
    assert [attempt.status for attempt in world.call.attempts] == [503, 200]


def test_post_is_not_tried_again_after_503() -> None:
    world = World()
    assert world.run(answered(503), call=world.new_call("POST")).status == 503
    assert len(world.carrier.sends) == 1


def test_post_with_an_idempotency_key_is_tried_again() -> None:
    world = World()
    assert world.run(answered(503), call=world.new_call("POST", keyed=True)).status == 200


@pytest.mark.parametrize("outcome", [Outcome.STALE, Outcome.RESET, Outcome.READ_TIMEOUT, Outcome.TRUNCATED])
def test_post_that_may_have_been_processed_is_never_sent_twice(outcome: Outcome) -> None:
    world = World()
    sent = world.run(failed(outcome), call=world.new_call("POST"))
    assert isinstance(sent.error, ConnectionError)
    assert len(world.carrier.sends) == 1


def test_post_of_which_nothing_was_written_is_tried_again() -> None:
    world = World()
    assert world.run(failed(Outcome.NEVER_SENT, written=0), call=world.new_call("POST")).status == 200


def test_a_body_that_cannot_be_replayed_is_not() -> None:
    world = World()
    sent = world.run(failed(Outcome.RESET, replayable=False))
    assert sent.outcome is Outcome.RESET
    assert len(world.carrier.sends) == 1


def test_the_last_response_is_the_result_when_attempts_end() -> None:
    world = World()
    sent = world.run(answered(503), answered(502), answered(504))
    assert sent.status == 504
    assert len(world.call.attempts) == 3


def test_without_retry_nothing_is_tried_again() -> None:
    world = World(retry=None)
    assert world.run(answered(503)).status == 503
    assert len(world.carrier.sends) == 1


def test_an_error_that_cannot_go_away_is_not_tried_again() -> None:
    world = World()
    assert world.run(failed(Outcome.FATAL, written=0)).outcome is Outcome.FATAL
    assert len(world.carrier.sends) == 1


def test_pauses_between_tries_are_taken_on_the_clock() -> None:
    world = World(retry=Retry(backoff=Backoff(base=0.2, jitter="none")))
    world.run(answered(502), answered(502))
    assert world.clock.slept == [pytest.approx(0.2), pytest.approx(0.4)]


def test_a_pause_longer_than_the_time_left_is_not_taken() -> None:
    world = World(retry=Retry(backoff=Backoff(base=5.0, cap=5.0, jitter="none")))
    assert world.run(answered(502), call=world.new_call(total=3.0)).status == 502
    assert world.clock.slept == []


def test_retry_after_is_waited_for_at_least() -> None:
    world = World()
    assert world.run(answered(503, retry_after="2")).status == 200
    assert 2.0 <= world.clock.slept[0] <= 2.2


def test_retry_after_beyond_the_cap_is_returned_and_pauses_the_endpoint() -> None:
    world = World(retry=Retry(backoff=NO_PAUSE, retry_after_cap=5.0))
    assert world.run(answered(429, retry_after="60")).status == 429
    with pytest.raises(CircuitOpen) as caught:
        world.run(answered(200))
    assert caught.value.state == "paused"
    assert caught.value.retry_after == pytest.approx(5.0)
    world.clock.advance(5.0)
    assert world.run(answered(200)).status == 200


def test_another_endpoint_need_not_wait_for_retry_after() -> None:
    world = World(("http://a", "http://b"))
    assert world.run(answered(503, retry_after="8")).status == 200
    assert sum(world.clock.slept) < 1.0
    assert len({send.endpoint.url for send in world.carrier.sends}) == 2


def test_tries_go_to_endpoints_that_had_no_turn_yet() -> None:
    world = World(("http://a", "http://b", "http://c"))
    world.run(answered(502), answered(502), answered(200))
    assert len({send.endpoint.url for send in world.carrier.sends}) == 3


def test_an_open_circuit_is_passed_over_while_another_endpoint_can_serve() -> None:
    world = World(("http://a", "http://b"))
    circuit = world.endpoints[0].circuit
    assert circuit is not None
    circuit.force_open()
    for _ in range(4):
        assert world.run(answered(200)).status == 200
        assert world.carrier.sends[0].endpoint.url == "http://b"


def test_failures_open_the_circuit_and_the_call_says_so() -> None:
    world = World(retry=None, breaker=TOUCHY)
    world.run(answered(503))
    world.run(answered(503))
    with pytest.raises(CircuitOpen) as caught:
        world.run(answered(200))
    assert (caught.value.service, caught.value.endpoint, caught.value.state) == ("billing", "http://a", "open")
    assert caught.value.retry_after == pytest.approx(5.0)
    assert caught.value.failure_rate == 1.0
    assert world.carrier.sends == []
    world.assert_nothing_held()


def test_a_circuit_that_opens_during_the_call_ends_it_with_the_last_response() -> None:
    world = World(retry=Retry(backoff=NO_PAUSE, attempts=5), breaker=TOUCHY)
    assert world.run(answered(503), answered(502)).status == 502
    assert len(world.carrier.sends) == 2


def test_404_is_a_success_for_the_circuit() -> None:
    world = World()
    for _ in range(5):
        world.run(answered(404))
    assert world.endpoints[0].snapshot(world.clock.monotonic())["failures"] == 0


def test_no_endpoint_is_an_error_of_its_own() -> None:
    world = World(())
    with pytest.raises(NoEndpoint):
        world.run()


def test_a_full_bulkhead_refuses_and_gives_the_permit_back() -> None:
    world = World(bulkhead=Bulkhead(max_concurrent=1))
    assert world.slots is not None
    held = world.slots.try_acquire()
    with pytest.raises(BulkheadFull) as caught:
        world.run()
    assert (caught.value.limit, caught.value.in_flight) == (1, 1)
    assert told(world, Shed) == [Shed("billing", 1, 1)]
    assert held is not None
    held.release()
    assert world.run().status == 200
    world.assert_nothing_held()


def test_a_place_is_waited_for_no_longer_than_the_call_has() -> None:
    world = World(bulkhead=Bulkhead(max_concurrent=1, max_wait=60.0))
    assert world.slots is not None
    world.slots.try_acquire()
    steps = flow(world.new_call(total=3.0), world.destination)
    step = next(steps)
    assert isinstance(step, AcquireSlot)
    assert step.timeout == pytest.approx(3.0)
    world.clock.advance(3.0)
    with pytest.raises(DeadlineExceeded) as caught:
        steps.send(None)
    assert caught.value.phase == "pool"


def test_a_deadline_that_passed_before_sends_nothing() -> None:
    world = World()
    with pytest.raises(DeadlineExceeded) as caught:
        world.run(call=world.new_call(total=0.0))
    assert caught.value.phase == "start"
    assert world.carrier.sends == []


def test_a_deadline_that_passes_on_the_wire_is_the_calls_error() -> None:
    world = World()
    sent = world.run(failed(Outcome.DEADLINE), takes=10.0)
    assert isinstance(sent.error, DeadlineExceeded)
    assert (sent.error.phase, sent.error.endpoint) == ("headers", "http://a")
    assert sent.error.budget == pytest.approx(10.0)
    assert isinstance(sent.error.__cause__, ConnectionError)
    assert len(world.carrier.sends) == 1


def test_retries_stop_when_the_budget_is_spent() -> None:
    world = World(budget=RetryBudget(ratio=0.0, min_per_second=0.1, window=10.0), breaker=None)
    assert world.run(answered(502)).status == 200
    assert world.run(answered(502)).status == 502
    assert told(world, RetryBudgetExhausted) == [RetryBudgetExhausted("billing", 0)]


def test_nothing_is_withdrawn_for_a_retry_that_is_not_made() -> None:
    world = World(retry=Retry(backoff=Backoff(base=9.0, cap=9.0, jitter="none")))
    budget = world.destination.budget
    assert budget is not None
    before = budget.balance
    world.run(answered(502), call=world.new_call(total=5.0))
    assert budget.balance == before


def test_a_refused_token_is_replaced_once_and_counts_as_no_retry() -> None:
    world = World(retry=None)
    tokens = Tokens("old", "new")
    sent = world.run(answered(401), answered(401), call=world.new_call("POST", auth=tokens))
    assert sent.status == 401
    assert [send.token for send in world.carrier.sends] == ["old", "new"]
    assert tokens.refusals == ["old"]


def test_a_401_is_the_result_where_no_other_token_can_be_had() -> None:
    world = World()
    assert world.run(answered(401), call=world.new_call(auth=Tokens("only", "x", replay=False))).status == 401
    assert len(world.carrier.sends) == 1


def test_a_401_to_a_body_that_cannot_be_replayed_is_the_result() -> None:
    world = World()
    sent = answered(401)
    sent.facts.replayable = False
    assert world.run(sent, call=world.new_call("POST", auth=Tokens("a", "b"))).status == 401


def test_without_a_token_nothing_is_sent_or_held() -> None:
    world = World()
    with pytest.raises(TokenUnavailable):
        world.run(call=world.new_call(auth=Tokens()))
    assert world.carrier.sends == []
    world.assert_nothing_held()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_an_interrupt_gives_everything_back_and_says_nothing_about_the_endpoint(error: BaseException) -> None:
    world = World()
    with pytest.raises(type(error)):
        world.run(error)
    world.assert_nothing_held()
    assert world.endpoints[0].snapshot(world.clock.monotonic())["calls"] == 0


def test_an_abandoned_flow_gives_everything_back() -> None:
    world = World()
    steps = flow(world.new_call(), world.destination)
    assert isinstance(next(steps), Send)
    assert world.endpoints[0].in_flight == 1
    steps.close()
    world.assert_nothing_held()


def test_a_streamed_response_keeps_its_lease_for_its_body() -> None:
    world = World()
    sent = world.run(answered(200, streaming=True))
    assert sent.status == 200
    assert world.lease is not None
    assert world.endpoints[0].in_flight == 1
    world.lease.release(world.clock.monotonic())
    world.lease.release(world.clock.monotonic())
    world.assert_nothing_held()


def test_a_streamed_response_that_is_tried_again_is_discarded() -> None:
    world = World()
    first = answered(503, streaming=True)
    assert world.run(first, answered(200)).status == 200
    assert world.carrier.discarded == [first]
    world.assert_nothing_held()


def test_every_try_is_told() -> None:
    world = World()
    world.run(answered(503), answered(200))
    attempts = told(world, Attempted)
    assert [(event.attempt, event.outcome, event.status) for event in attempts] == [(1, "status", 503), (2, "ok", 200)]


def test_the_place_is_not_held_during_a_pause() -> None:
    world = World(retry=Retry(backoff=Backoff(base=0.1, jitter="none")))
    steps = flow(world.new_call(), world.destination)
    next(steps)
    assert isinstance(steps.send(answered(502)), Wait)
    world.assert_nothing_held()
