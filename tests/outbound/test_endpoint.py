"""Endpoints: whether they may be called, and what a call to them costs."""

from __future__ import annotations

import math
import threading

import pytest

from interservice.outbound.circuit import Circuit, CircuitBreaker
from interservice.outbound.endpoint import Endpoint
from interservice.testing import FakeClock


def called(endpoint: Endpoint, now: float, seconds: float | None, *, failed: bool = False) -> None:
    endpoint.begin()
    endpoint.end(now, seconds, failed=failed)


def test_without_a_circuit_it_is_available() -> None:
    assert Endpoint("http://a").available(0.0)


def test_it_is_as_available_as_its_circuit() -> None:
    clock = FakeClock()
    circuit = Circuit(CircuitBreaker(open_for=5.0, probes=1), clock=clock)
    endpoint = Endpoint("http://a", circuit)
    assert endpoint.available(clock.monotonic())
    circuit.open()
    assert not endpoint.available(clock.monotonic())
    clock.advance(5.0)
    assert endpoint.available(clock.monotonic())
    assert circuit.try_acquire() is not None
    assert not endpoint.available(clock.monotonic()), "the only probe is under way"


def test_a_pause_ends_and_a_shorter_one_does_not_end_it() -> None:
    endpoint = Endpoint("http://a")
    endpoint.pause(10.0)
    endpoint.pause(5.0)
    assert not endpoint.available(9.9)
    assert endpoint.available(10.0)


def test_an_outlier_is_left_out_for_its_time() -> None:
    endpoint = Endpoint("http://a")
    endpoint.ejected_until = 10.0
    assert not endpoint.available(9.9)
    assert endpoint.snapshot(4.0)["ejected_for"] == 6.0
    assert endpoint.available(10.0)


def test_calls_under_way_are_counted_by_many_threads() -> None:
    endpoint = Endpoint("http://a")

    def work() -> None:
        for _ in range(1000):
            endpoint.begin()
            endpoint.begin()
            endpoint.end(0.0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert endpoint.in_flight == 4000


def test_a_slower_answer_counts_at_once() -> None:
    endpoint = Endpoint("http://a")
    called(endpoint, 100.0, 0.1)
    called(endpoint, 100.0, 0.5)
    assert endpoint.latency(100.0) == 0.5


def test_a_faster_answer_counts_by_and_by() -> None:
    endpoint = Endpoint("http://a", decay=10.0)
    called(endpoint, 100.0, 1.0)
    called(endpoint, 110.0, 0.0)
    assert endpoint.latency(110.0) == pytest.approx(math.exp(-1))


def test_what_is_known_fades() -> None:
    endpoint = Endpoint("http://a", decay=10.0)
    called(endpoint, 100.0, 1.0)
    assert endpoint.latency(110.0) == pytest.approx(math.exp(-1))
    assert endpoint.latency(99.0) == 1.0


def test_a_clock_reading_that_comes_late_does_not_turn_it_back() -> None:
    endpoint = Endpoint("http://a", decay=10.0)
    called(endpoint, 100.0, 1.0)
    called(endpoint, 90.0, 0.5)
    assert endpoint.latency(100.0) == 1.0


def test_failing_fast_does_not_look_fast() -> None:
    endpoint = Endpoint("http://a", failure_cost=5.0)
    called(endpoint, 100.0, 0.001, failed=True)
    assert endpoint.latency(100.0) == 5.0


def test_a_call_the_caller_gave_up_says_nothing() -> None:
    endpoint = Endpoint("http://a")
    called(endpoint, 100.0, None)
    assert endpoint.latency(100.0) == 0.0
    assert endpoint.in_flight == 0


def test_the_load_is_latency_by_calls_under_way() -> None:
    endpoint = Endpoint("http://a")
    called(endpoint, 100.0, 0.5)
    assert endpoint.load(100.0) == 0.5
    endpoint.begin()
    assert endpoint.load(100.0) == 1.0


def test_an_unknown_endpoint_gets_one_call_to_begin_with() -> None:
    endpoint = Endpoint("http://a")
    assert endpoint.load(0.0) == 0.0
    endpoint.begin()
    once = endpoint.load(0.0)
    assert once > 1e12
    endpoint.begin()
    assert endpoint.load(0.0) > once


def test_the_snapshot_is_plain() -> None:
    clock = FakeClock(monotonic=100.0)
    endpoint = Endpoint("http://a", Circuit(CircuitBreaker(min_calls=2), clock=clock))
    assert endpoint.circuit is not None
    for _ in range(2):
        endpoint.circuit.acquire().failure(0.1)
    endpoint.begin()
    endpoint.pause(107.0)
    assert endpoint.snapshot(100.0) == {
        "state": "open",
        "in_flight": 1,
        "calls": 2,
        "failures": 2,
        "failure_rate": 1.0,
        "slow_rate": 0.0,
        "not_permitted": 0,
        "ejected_for": 7.0,
    }


def test_the_snapshot_without_a_circuit_has_the_same_keys() -> None:
    plain = Endpoint("http://a").snapshot(0.0)
    assert plain.keys() == Endpoint("http://a", Circuit(CircuitBreaker())).snapshot(0.0).keys()
    assert (plain["state"], plain["ejected_for"]) == ("disabled", 0.0)
