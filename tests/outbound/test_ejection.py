"""Ejection: who is out of line, for how long, how many at once; and what the live side makes of it."""

from __future__ import annotations

import threading
from random import Random
from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.events import EndpointEjected, Listeners
from interservice.outbound.circuit import Circuit, CircuitBreaker
from interservice.outbound.ejection import Ejection
from interservice.outbound.endpoint import Endpoint
from interservice.outbound.outliers import Outliers
from interservice.testing import FakeClock

EVEN = Ejection(jitter=0.0)


@pytest.mark.parametrize(("count", "out"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (9, 3), (30, 10)])
def test_one_of_few_may_be_out_and_a_third_of_many(count: int, out: int) -> None:
    assert Ejection().most(count) == out


def test_the_last_is_never_out() -> None:
    everyone = Ejection(max_share=1.0)
    assert [everyone.most(count) for count in range(6)] == [0, 0, 1, 2, 3, 4]


def test_each_time_is_longer_up_to_the_most() -> None:
    assert [EVEN.seconds(times, Random(1)) for times in (1, 2, 3, 4, 5, 99)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_jitter_only_adds() -> None:
    random = Random(1)
    drawn = [Ejection(jitter=0.5).seconds(1, random) for _ in range(500)]
    assert 5.0 <= min(drawn) < 5.2
    assert 7.3 < max(drawn) <= 7.5


@pytest.mark.parametrize(
    ("healthy", "count", "panic"), [(1, 2, False), (1, 3, True), (2, 4, False), (0, 1, True), (5, 10, False)]
)
def test_exactly_half_is_no_panic(healthy: int, count: int, panic: bool) -> None:
    assert Ejection().panics(healthy, count) is panic


def test_who_is_far_below_the_mean_is_out_of_line() -> None:
    tallies = dict.fromkeys("abcdefgh", (100, 1)) | {"bad": (100, 30)}
    assert EVEN.strays(tallies) == [("bad", "success_rate")]


def test_in_a_brown_out_of_all_nobody_is_out_of_line() -> None:
    assert EVEN.strays(dict.fromkeys("abcdefgh", (100, 50))) == []


def test_of_few_endpoints_or_few_calls_shares_say_nothing() -> None:
    assert EVEN.strays(dict.fromkeys("abc", (100, 0)) | {"bad": (100, 90)}) == []
    assert EVEN.strays(dict.fromkeys("abcdefgh", (100, 0)) | {"bad": (19, 19)}) == []


def test_a_rate_that_is_set_needs_no_others() -> None:
    strict = Ejection(failure_rate=0.85)
    assert strict.strays({"bad": (20, 17), "fair": (20, 16)}) == [("bad", "failure_rate")]


def test_the_worst_comes_first() -> None:
    strict = Ejection(failure_rate=0.5, deviation=None)
    assert strict.strays({"b": (20, 15), "a": (20, 10), "c": (20, 20)}) == [(name, "failure_rate") for name in "cba"]


@pytest.mark.parametrize(("options", "message"), [
    ({"consecutive": 0}, "Ejection.consecutive must be at least 1, not 0"),
    ({"deviation": 0}, "Ejection.deviation must be more than 0, not 0"),
    ({"failure_rate": 1.5}, "Ejection.failure_rate must be at most 1, not 1.5"),
    ({"eject_for": 90.0}, "Ejection.eject_at_most must be at least 90.0, not 60.0"),
    ({"max_share": -1}, "Ejection.max_share must be at least 0, not -1"),
    ({"min_endpoints": 1}, "Ejection.min_endpoints must be at least 2, not 1"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ejection(**options)
    assert str(caught.value) == message


class Cluster:
    """Endpoints and their outliers on a clock."""

    def __init__(self, count: int, options: Ejection = EVEN, *, breaker: CircuitBreaker | None = None) -> None:
        self.clock = FakeClock(monotonic=0.0)
        self.told: list[Any] = []
        self.endpoints = [self._endpoint(f"http://{number}", breaker) for number in range(count)]
        self.outliers = Outliers(options, random=Random(1), listeners=Listeners([self.told.append]), service="billing")

    def _endpoint(self, url: str, breaker: CircuitBreaker | None) -> Endpoint:
        return Endpoint(url, None if breaker is None else Circuit(breaker, clock=self.clock))

    def answer(self, number: int, *, failed: bool = False, times: int = 1, probe: int = 0) -> None:
        now = self.clock.monotonic()
        for _ in range(times):
            endpoint = self.endpoints[number]
            endpoint.begin()
            endpoint.end(now, 0.01, failed=failed)
            if probe and not failed:
                endpoint.probed(probe, success=True)
            if failed:
                self.outliers.failed(self.endpoints, endpoint, now, probe)

    @property
    def available(self) -> list[int]:
        now = self.clock.monotonic()
        return [number for number, endpoint in enumerate(self.endpoints) if endpoint.available(now)]

    def probe(self, number: int) -> int:
        return self.endpoints[number].lease_probe(self.clock.monotonic(), 5.0)

    def panics(self) -> bool:
        return self.outliers.look(self.endpoints, self.clock.monotonic())


def test_five_failures_in_a_row_are_enough() -> None:
    cluster = Cluster(3)
    cluster.answer(0, failed=True, times=4)
    assert cluster.available == [0, 1, 2]
    cluster.answer(0, failed=True)
    assert cluster.available == [1, 2]
    assert cluster.told == [EndpointEjected("billing", "http://0", "consecutive", 5.0)]


def test_a_success_begins_the_row_anew() -> None:
    cluster = Cluster(3)
    for _ in range(10):
        cluster.answer(0, failed=True, times=4)
        cluster.answer(0)
    assert cluster.available == [0, 1, 2]


def test_no_more_are_out_than_may_be() -> None:
    cluster = Cluster(3)
    for number in range(3):
        cluster.answer(number, failed=True, times=9)
    assert cluster.available == [1, 2]


def test_one_alone_is_never_out() -> None:
    cluster = Cluster(1)
    cluster.answer(0, failed=True, times=50)
    assert cluster.available == [0]


def test_one_call_decides_on_the_return() -> None:
    cluster = Cluster(3)
    cluster.answer(0, failed=True, times=5)
    assert cluster.probe(0) == 0, "its time is not over"
    cluster.clock.advance(5.0)
    assert cluster.available == [0, 1, 2]
    probe = cluster.probe(0)
    assert probe
    assert cluster.available == [1, 2]
    assert cluster.probe(0) == 0, "one at a time"
    cluster.answer(0, probe=probe)
    assert cluster.available == [0, 1, 2]
    assert not cluster.endpoints[0].returning


def test_a_probe_that_fails_costs_twice_the_time() -> None:
    cluster = Cluster(3)
    cluster.answer(0, failed=True, times=5)
    for seconds in (5.0, 10.0, 20.0):
        cluster.clock.advance(seconds - 0.1)
        assert cluster.available == [1, 2]
        cluster.clock.advance(0.1)
        cluster.answer(0, failed=True, probe=cluster.probe(0))
    assert [event.reason for event in cluster.told] == ["consecutive", "probe", "probe", "probe"]
    assert [event.seconds for event in cluster.told] == [5.0, 10.0, 20.0, 40.0]


def test_a_probe_that_says_nothing_or_never_ends_gives_its_place_to_another() -> None:
    cluster = Cluster(3)
    cluster.answer(0, failed=True, times=5)
    cluster.clock.advance(5.0)
    first = cluster.probe(0)
    cluster.endpoints[0].probed(first, success=None)
    second = cluster.probe(0)
    assert second
    cluster.clock.advance(5.0)
    third = cluster.probe(0)
    assert third
    cluster.answer(0, probe=second)
    assert cluster.endpoints[0].returning, "the second came too late to decide"
    cluster.answer(0, probe=third)
    assert not cluster.endpoints[0].returning


def test_late_failures_of_calls_from_before_change_nothing() -> None:
    cluster = Cluster(3)
    cluster.answer(0, failed=True, times=20)
    cluster.clock.advance(5.0)
    cluster.answer(0, failed=True, times=20)
    assert cluster.available == [0, 1, 2]
    assert len(cluster.told) == 1


def test_healthy_intervals_make_it_forget() -> None:
    cluster = Cluster(3)
    cluster.panics()
    for _ in range(2):
        cluster.answer(0, failed=True, times=5)
        cluster.clock.advance(60.0)
        cluster.answer(0, probe=cluster.probe(0))
    assert [event.seconds for event in cluster.told] == [5.0, 10.0]
    for _ in range(3):
        cluster.clock.advance(10.0)
        cluster.panics()
    cluster.answer(0, failed=True, times=5)
    assert cluster.told[-1].seconds == 5.0


def test_shares_are_compared_once_an_interval() -> None:
    cluster = Cluster(10)
    cluster.panics()
    for number in range(10):
        for _ in range(10):
            cluster.answer(number, times=2)
            cluster.answer(number, failed=number == 7)
    cluster.clock.advance(9.0)
    cluster.panics()
    assert cluster.told == []
    cluster.clock.advance(1.0)
    cluster.panics()
    assert cluster.told == [EndpointEjected("billing", "http://7", "success_rate", 5.0)]


def test_failures_of_streams_that_nobody_told_of_are_found() -> None:
    cluster = Cluster(3)
    cluster.panics()
    for _ in range(5):
        cluster.endpoints[2].begin()
        cluster.endpoints[2].end(0.0, 0.1, failed=True)
    cluster.clock.advance(10.0)
    cluster.panics()
    assert cluster.available == [0, 1]


def test_below_half_it_is_a_panic() -> None:
    cluster = Cluster(3, breaker=CircuitBreaker())
    cluster.answer(0, failed=True, times=5)
    assert not cluster.panics()
    circuit = cluster.endpoints[1].circuit
    assert circuit is not None
    circuit.open()
    assert cluster.panics()


def test_the_panic_is_looked_for_a_few_times_a_second_and_at_each_ejection() -> None:
    cluster = Cluster(2, Ejection(panic_below=1.0))
    now = cluster.clock.monotonic
    assert not cluster.outliers.panics(cluster.endpoints, now())
    cluster.endpoints[1].pause(100.0)
    assert not cluster.outliers.panics(cluster.endpoints, now())
    cluster.clock.advance(0.25)
    assert cluster.outliers.panics(cluster.endpoints, now())
    cluster.endpoints[1].paused_until = 0.0
    cluster.clock.advance(0.25)
    assert not cluster.outliers.panics(cluster.endpoints, now())
    cluster.answer(0, failed=True, times=5)
    assert cluster.outliers.panics(cluster.endpoints, now())


def test_many_threads_never_eject_too_many() -> None:
    cluster = Cluster(6)
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait()
        cluster.answer(number, failed=True, times=200)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cluster.told) == 2
    assert len(cluster.available) == 4
