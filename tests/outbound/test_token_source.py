"""One token for many threads: who fetches, who waits, and who goes on with what is there."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from interservice.outbound.errors import TokenUnavailable
from interservice.outbound.token_source import TokenSource
from interservice.outbound.token_state import Failure, Held, held
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = Failure("the token endpoint refused", 60.0, "invalid_client")
DOWN = Failure("the token endpoint answered 503", 5.0)


class Endpoint:
    """A token endpoint in memory that answers when it is let: the fetch handed to a source."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.calls = 0
        self.outcome: Failure | Exception | None = None
        self.asked = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> Held | Failure:
        self.calls += 1
        number, asked = self.calls, self.clock.monotonic()
        self.asked.release()
        assert self.gate.wait(30)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome or held(f"token-{number}", asked=asked, lifetime=3600, jitter=1.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(monotonic=1000.0)


@pytest.fixture
def endpoint(clock: FakeClock) -> Iterator[Endpoint]:
    endpoint = Endpoint(clock)
    yield endpoint
    endpoint.gate.set()


@pytest.fixture
def source(endpoint: Endpoint, clock: FakeClock) -> TokenSource:
    return TokenSource(endpoint, clock=clock, name="orders")


def settled(source: TokenSource) -> TokenSource:
    """Wait for the fetch under way to end."""
    flight = source._flight
    assert flight is None or flight.wait(30)
    return source


def test_fifty_threads_get_one_token_by_one_fetch(source: TokenSource, endpoint: Endpoint) -> None:
    start = threading.Barrier(50)

    def call() -> str:
        start.wait()
        return source.token(30)

    with ThreadPoolExecutor(50) as pool:
        tokens = {future.result() for future in [pool.submit(call) for _ in range(50)]}

    assert (tokens, endpoint.calls) == ({"token-1"}, 1)


def test_fifty_refusals_of_one_token_lead_to_one_fetch(source: TokenSource, endpoint: Endpoint, clock: FakeClock) -> None:
    old = source.token(30)
    clock.advance(10)
    start = threading.Barrier(50)

    def replay() -> str:
        start.wait()
        assert source.refused(old)
        return source.token(30)

    with ThreadPoolExecutor(50) as pool:
        tokens = {future.result() for future in [pool.submit(replay) for _ in range(50)]}

    assert (tokens, endpoint.calls) == ({"token-2"}, 2)


def test_a_service_that_refuses_every_token_leads_to_no_storm(source: TokenSource, endpoint: Endpoint, clock: FakeClock) -> None:
    token = source.token(30)

    for _ in range(100):
        assert not source.refused(token)
    clock.advance(9.9)

    assert not source.refused(token)
    assert source.token(30) == token
    assert endpoint.calls == 1


def test_a_token_close_to_expiry_is_used_while_another_is_fetched(
    source: TokenSource, endpoint: Endpoint, clock: FakeClock
) -> None:
    source.token(30)
    clock.advance(3300)
    endpoint.gate.clear()

    assert [source.token(0) for _ in range(3)] == ["token-1"] * 3

    endpoint.gate.set()
    assert settled(source).token(0) == "token-2"
    assert endpoint.calls == 2


def test_a_token_about_to_expire_is_waited_for(source: TokenSource, endpoint: Endpoint, clock: FakeClock) -> None:
    source.token(30)
    clock.advance(3570)

    assert source.token(30) == "token-2"


def test_a_token_about_to_expire_is_the_fallback_while_it_lasts(
    source: TokenSource, endpoint: Endpoint, clock: FakeClock
) -> None:
    source.token(30)
    endpoint.outcome = DOWN
    clock.advance(3570)
    assert source.token(30) == "token-1"

    clock.advance(30)

    with pytest.raises(TokenUnavailable, match="answered 503"):
        source.token(30)


def test_a_failed_refresh_is_logged_and_repeated_after_half_a_minute(
    source: TokenSource, endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    source.token(30)
    endpoint.outcome = DOWN
    clock.advance(3300)
    with caplog.at_level(logging.WARNING, "interservice"):
        source.token(0)
        thread_done = settled(source)
    for _ in range(5):
        assert thread_done.token(0) == "token-1"
    assert endpoint.calls == 2

    clock.advance(30)
    endpoint.outcome = None
    source.token(0)

    assert settled(source).token(0) == "token-3"
    assert "token-" not in caplog.text


def test_a_refusal_is_remembered_for_a_minute(source: TokenSource, endpoint: Endpoint, clock: FakeClock) -> None:
    endpoint.outcome = REFUSED
    for waited in (0, 59):
        clock.advance(waited)
        with pytest.raises(TokenUnavailable) as caught:
            source.token(30)
        assert caught.value.oauth_error == "invalid_client"
        assert caught.value.retry_after == 60 - waited
    assert endpoint.calls == 1

    clock.advance(1)
    endpoint.outcome = None

    assert source.token(30) == "token-2"


def test_each_waiter_gets_an_error_of_its_own(source: TokenSource, endpoint: Endpoint) -> None:
    endpoint.outcome = REFUSED
    errors = []
    for _ in range(2):
        with pytest.raises(TokenUnavailable) as caught:
            source.token(30)
        errors.append(caught.value)

    assert errors[0] is not errors[1]


def test_a_caller_without_time_leaves_and_the_fetch_goes_on_for_others(source: TokenSource, endpoint: Endpoint) -> None:
    endpoint.gate.clear()
    with pytest.raises(TokenUnavailable, match="did not answer in time"):
        source.token(0.01)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.token, 30)
        endpoint.gate.set()
        assert waiting.result() == "token-1"
    assert endpoint.calls == 1


def test_nobody_holds_a_lock_while_a_token_is_fetched(source: TokenSource, endpoint: Endpoint) -> None:
    endpoint.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.token, 30)
        assert endpoint.asked.acquire(timeout=30)

        assert source.refused("another") is True

        endpoint.gate.set()
        assert waiting.result() == "token-1"


def test_whatever_a_fetch_raises_ends_it_for_those_who_wait(
    source: TokenSource, endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.outcome = ZeroDivisionError("secret")

    with pytest.raises(TokenUnavailable, match="ZeroDivisionError") as caught:
        source.token(30)

    assert "secret" not in str(caught.value)
    assert "failed unexpectedly" in caplog.text
    clock.advance(5)
    endpoint.outcome = None
    assert source.token(30) == "token-2"
