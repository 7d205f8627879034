"""Which endpoint a call goes to when some are out, slow or found in DNS, and what never-sent and keyed tries may cost."""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

import pytest

from interservice.events import Listeners, RetryBudgetExhausted
from interservice.outbound.backoff import Backoff
from interservice.outbound.balancer import Balancer, Kind
from interservice.outbound.breaker import CircuitBreaker
from interservice.outbound.budget import Budget, RetryBudget
from interservice.outbound.call import Call, Destination
from interservice.outbound.circuit import Circuit
from interservice.outbound.discovery import Found
from interservice.outbound.driver import drive
from interservice.outbound.ejection import Ejection
from interservice.outbound.endpoint import Endpoint
from interservice.outbound.errors import CircuitOpen
from interservice.outbound.flow import flow
from interservice.outbound.outcome import Outcome, WireFacts
from interservice.outbound.outliers import Outliers
from interservice.outbound.retry import Retry
from interservice.outbound.roster import Roster
from interservice.outbound.steps import Send, Sent
from interservice.testing import FakeClock

AT_ONCE = Retry(backoff=Backoff(base=0.0, cap=0.0), overload_backoff=Backoff(base=1.0, cap=1.0, jitter="none"))
SLOW_COUNTS = CircuitBreaker(slow_after=0.5, min_calls=4)


class Service:
    """Endpoints of which each does what it is told, and calls to them."""

    def __init__(
        self, count: int, *, kind: Kind = "p2c", breaker: CircuitBreaker | None = None, retry: Retry | None = AT_ONCE
    ) -> None:
        self.clock = FakeClock(monotonic=0.0)
        self.told: list[Any] = []
        listeners = Listeners([self.told.append])
        self.breaker = breaker
        self.fails: dict[str, Outcome | int] = {}
        self.takes: dict[str, float] = {}
        self.sends: list[str] = []
        random = Random(7)
        unsent = None if retry is None or retry.unsent_budget is None else Budget(retry.unsent_budget, clock=self.clock)
        self.to = Destination(
            "billing",
            [self.endpoint(f"http://{number}") for number in range(count)],
            picker=Balancer(kind).start(),
            retry=retry,
            budget=Budget(RetryBudget(), clock=self.clock),
            unsent_budget=unsent,
            outliers=Outliers(Ejection(jitter=0.0), random=random, listeners=listeners),
            slots=None,
            clock=self.clock,
            random=random,
            listeners=listeners,
        )

    def endpoint(self, url: str) -> Endpoint:
        return Endpoint(url, None if self.breaker is None else Circuit(self.breaker, endpoint=url, clock=self.clock))

    def send(self, step: Send) -> Sent:
        url = step.endpoint.url
        self.sends.append(url)
        self.clock.advance(self.takes.get(url, 0.01))
        fate = self.fails.get(url, 200)
        if isinstance(fate, Outcome):
            facts = WireFacts(bytes_written=0 if fate is Outcome.NEVER_SENT else 10)
            return Sent(facts, error=ConnectionError(str(fate)), outcome=fate)
        return Sent(WireFacts(bytes_written=10, response_started=True), response=fate, status=fate)

    def discard(self, sent: Sent) -> None:
        raise AssertionError("nothing is streamed here")

    def call(self, method: str = "GET", **more: Any) -> Sent:
        now = self.clock.monotonic()
        sent, _ = drive(flow(Call(method, "http://billing/", now, now + 10.0, **more), self.to), self, self.clock)
        return sent


@pytest.mark.parametrize("kind", ["p2c", "peak-ewma", "round-robin"])
@pytest.mark.parametrize("fate", [Outcome.NEVER_SENT, Outcome.RESET, 503])
def test_one_of_three_that_fails_is_no_callers_business(kind: Kind, fate: Outcome | int) -> None:
    service = Service(3, kind=kind)
    service.fails["http://0"] = fate
    assert all(service.call().status == 200 for _ in range(3000))
    assert service.sends.count("http://0") <= 30, "once it was out, only probes went there"
    assert [endpoint.in_flight for endpoint in service.to.endpoints] == [0, 0, 0]


def test_an_endpoint_that_is_well_again_has_its_share_again() -> None:
    service = Service(3)
    service.fails["http://0"] = 503
    for _ in range(100):
        service.call()
    assert service.to.endpoints[0].returning
    del service.fails["http://0"]
    service.clock.advance(60.0)
    service.sends.clear()
    for _ in range(300):
        service.call()
    assert service.sends.count("http://0") > 60


def test_a_probe_that_finds_no_place_gives_it_back() -> None:
    service = Service(2, breaker=CircuitBreaker(min_calls=1000))
    service.fails["http://0"] = 503
    for _ in range(100):
        service.call()
    endpoint = service.to.endpoints[0]
    assert endpoint.returning
    assert endpoint.circuit is not None
    service.clock.advance(60.0)
    endpoint.circuit.force_open()
    for _ in range(20):
        assert service.call().status == 200
    endpoint.circuit.reset()
    assert endpoint.lease_probe(service.clock.monotonic(), 1.0)


def test_when_all_are_slow_the_circuits_of_several_do_not_make_it_an_outage() -> None:
    service = Service(3, breaker=SLOW_COUNTS)
    service.takes = dict.fromkeys(("http://0", "http://1", "http://2"), 1.0)
    assert all(service.call().status == 200 for _ in range(50))
    states = [endpoint.circuit.state for endpoint in service.to.endpoints if endpoint.circuit is not None]
    assert "closed" not in states, "every circuit has its say in the figures"


def test_one_slow_of_three_is_left_alone() -> None:
    service = Service(3, breaker=SLOW_COUNTS, kind="round-robin")
    service.takes = {"http://0": 1.0}
    for _ in range(300):
        service.call()
    assert service.sends.count("http://0") < 10


def test_of_one_alone_the_circuit_has_the_last_word() -> None:
    service = Service(1, breaker=SLOW_COUNTS)
    service.takes["http://0"] = 1.0
    for _ in range(4):
        service.call()
    with pytest.raises(CircuitOpen):
        service.call()


def test_when_all_fail_it_fails_fast_panic_or_not() -> None:
    service = Service(3, breaker=CircuitBreaker(min_calls=4), retry=None)
    service.fails = dict.fromkeys(("http://0", "http://1", "http://2"), 503)
    for _ in range(12):
        with contextlib.suppress(CircuitOpen):
            service.call()
    sends = len(service.sends)
    assert sends <= 12
    with pytest.raises(CircuitOpen):
        service.call()
    assert len(service.sends) == sends


def test_an_endpoint_left_alone_by_a_change_is_called_though_it_was_out() -> None:
    service = Service(2)
    service.fails["http://0"] = 503
    for _ in range(100):
        service.call()
    assert service.to.endpoints[0].returning
    service.to.endpoints = service.to.endpoints[:1]
    service.to.tables = (service.to.endpoints,)
    del service.fails["http://0"]
    assert service.call().status == 200


def test_what_was_never_sent_is_paid_from_a_purse_of_its_own() -> None:
    retry = Retry(backoff=Backoff(base=0.0, cap=0.0), unsent_budget=RetryBudget(ratio=0.0, min_per_second=0.5, window=10.0))
    service = Service(1, retry=retry)
    service.fails["http://0"] = Outcome.NEVER_SENT
    for _ in range(20):
        service.call("POST")
    assert len(service.sends) == 20 + 5
    assert service.to.budget is not None
    assert service.to.budget.balance == 10, "the service was not asked for anything"
    assert len([event for event in service.told if isinstance(event, RetryBudgetExhausted)]) == 18


def test_409_to_an_earlier_try_of_the_same_key_is_waited_for() -> None:
    service = Service(1)
    fates: list[Outcome | int] = [Outcome.RESET, 409, 201]
    service.send = lambda step: Service.send(service, _next(service, step, fates))  # type: ignore[method-assign]
    assert service.call("POST", keyed=True).status == 201
    assert service.clock.slept[-1] == 1.0


def test_409_to_the_first_try_is_an_answer() -> None:
    service = Service(1)
    service.fails["http://0"] = 409
    assert service.call("POST", keyed=True).status == 409
    assert len(service.sends) == 1


def _next(service: Service, step: Send, fates: list[Outcome | int]) -> Send:
    service.fails[step.endpoint.url] = fates.pop(0)
    return step


def test_a_better_priority_goes_first_and_weights_have_their_share() -> None:
    service = Service(0)
    Roster(service.endpoint).apply(
        service.to,
        [Found("http://spare", 20, 1), Found("http://big", 10, 60), Found("http://small", 10, 20)],
    )
    for _ in range(2000):
        assert service.call().status == 200
    assert service.sends.count("http://spare") == 0
    assert 1350 < service.sends.count("http://big") < 1650
    service.fails = {"http://big": Outcome.NEVER_SENT, "http://small": Outcome.NEVER_SENT}
    assert service.call().status == 200
    assert service.sends[-1] == "http://spare"


def test_an_endpoint_that_is_found_again_keeps_its_life() -> None:
    service = Service(0, breaker=CircuitBreaker())
    roster = Roster(service.endpoint)
    roster.apply(service.to, [Found("http://a"), Found("http://b"), Found("http://c")])
    a, b, c = service.to.endpoints
    b.begin()
    roster.apply(service.to, [Found("http://a")])
    assert list(service.to.endpoints) == [a]
    roster.apply(service.to, [Found("http://c"), Found("http://b")])
    assert service.to.endpoints[1] is b, "a call to it is still under way"
    assert service.to.endpoints[0] is not c
