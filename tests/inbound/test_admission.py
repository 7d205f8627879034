"""The server-side bulkhead: places held to the last byte, the rest turned away or made to wait."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from interservice.errors import ConfigurationError, Unavailable
from interservice.events import Shed
from interservice.http import Request
from interservice.inbound.admission import Admission
from interservice.inbound.gate import Gate
from interservice.testing import Recorder
from interservice.wsgi.request import EnvironHeaders


def opened(gate: Gate) -> Any:
    return gate.open(Request("GET", "/", EnvironHeaders({})))


def admitted(gate: Gate) -> Any:
    exchange = opened(gate)
    work = gate.prepare(exchange)
    if work is not None:
        work()
        assert gate.prepare(exchange) is None
    return exchange


def test_what_is_over_the_limit_is_turned_away_and_told_when_to_come_again() -> None:
    gate = Gate([Admission(max_concurrent=2, retry_after=3)])
    first, second, third = (admitted(gate) for _ in range(3))
    assert (first.refusal, second.refusal) == (None, None)
    assert isinstance(third.refusal, Unavailable)
    assert (third.refusal.status, third.refusal.code, third.refusal.retry_after) == (503, "overloaded", 3)


def test_listeners_hear_of_what_was_shed() -> None:
    recorder = Recorder()
    gate = Gate([Admission(max_concurrent=1)], [recorder], service="orders")
    admitted(gate)
    gate.finish(admitted(gate))
    assert recorder.of(Shed) == [Shed("orders", 1, 1)]


def test_place_is_free_again_at_the_end_of_the_response() -> None:
    policy = Admission(max_concurrent=1)
    gate = Gate([policy])
    first = admitted(gate)
    gate.finish(first)
    gate.finish(first)
    assert policy.in_flight == 0
    assert admitted(gate).refusal is None
    assert admitted(gate).refusal is not None


def test_refused_request_gives_nothing_back() -> None:
    policy = Admission(max_concurrent=1)
    gate = Gate([policy])
    admitted(gate)
    gate.finish(admitted(gate))
    assert policy.in_flight == 1


def test_waiting_request_gets_the_place_that_becomes_free() -> None:
    gate = Gate([Admission(max_concurrent=1, max_wait=30)])
    first, waiting = admitted(gate), opened(gate)
    work = gate.prepare(waiting)
    assert work is not None
    thread = threading.Thread(target=work)
    thread.start()
    gate.finish(first)
    thread.join(10)
    assert gate.prepare(waiting) is None
    assert waiting.refusal is None


def test_waiting_ends_in_a_refusal() -> None:
    gate = Gate([Admission(max_concurrent=1, max_wait=0.01)])
    admitted(gate)
    assert admitted(gate).refusal.code == "overloaded"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_concurrent": 0}, "Admission.max_concurrent must be at least 1, not 0"),
        ({"max_concurrent": 1, "max_wait": -1}, "Admission.max_wait must be at least 0, not -1"),
        ({"max_concurrent": 1, "retry_after": "soon"}, "Admission.retry_after must be a number, not 'soon'"),
    ],
)
def test_nonsense_is_refused_when_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Admission(**options)
    assert str(caught.value) == message
