"""The table of what is tried again, and how long to wait before it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.outbound.backoff import Backoff
from interservice.outbound.outcome import Outcome, WireFacts
from interservice.outbound.retry import Retry

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY", "get")
UNSAFE = ("POST", "PATCH", "CONNECT", "LOCK")


def may(outcome: str, method: str = "GET", *, keyed: bool = False, retry: Retry | None = None, **more: Any) -> bool:
    facts = WireFacts(bytes_written=0 if outcome == "never_sent" else 90, replayable=more.pop("replayable", True))
    return (retry or Retry()).may_retry(Outcome(outcome), method=method, keyed=keyed, facts=facts, **more)


#: Section by section: outcome, status, idempotent or keyed, not idempotent.
TABLE = [
    ("never_sent", None, True, True),
    ("stale", None, True, False),
    ("reset", None, True, False),
    ("read_timeout", None, True, False),
    ("truncated", 200, True, False),
    ("status", 429, True, False),
    ("status", 502, True, False),
    ("status", 503, True, False),
    ("status", 504, True, False),
    ("status", 408, True, False),
    ("status", 425, True, True),  # RFC 8470: was not processed
    ("ok", 200, False, False),
    ("ok", 500, False, False),
    ("fatal", None, False, False),
    ("deadline", None, False, False),
    ("cancelled", None, False, False),
    ("rejected", None, False, False),
]


@pytest.mark.parametrize(("outcome", "status", "idempotent", "other"), TABLE)
def test_the_table(outcome: str, status: int | None, idempotent: bool, other: bool) -> None:
    assert {may(outcome, method, status=status) for method in SAFE} == {idempotent}
    assert {may(outcome, method, status=status) for method in UNSAFE} == {other}
    assert {may(outcome, method, status=status, keyed=True) for method in UNSAFE} == {idempotent}, "a key makes it repeatable"
    assert {may(outcome, method, status=status, retry=Retry(retry_unsafe=True)) for method in UNSAFE} == {idempotent}


def test_the_table_knows_every_outcome() -> None:
    assert {row[0] for row in TABLE} == set(Outcome)


@pytest.mark.parametrize(("outcome", "status"), [(row[0], row[1]) for row in TABLE])
def test_a_body_that_cannot_be_sent_again_is_not(outcome: str, status: int | None) -> None:
    assert not may(outcome, status=status, replayable=False)


@pytest.mark.parametrize("outcome", ["never_sent", "stale", "reset", "status"])
def test_attempts_count_every_send(outcome: str) -> None:
    assert [may(outcome, attempt=attempt, retry=Retry(attempts=3)) for attempt in (1, 2, 3, 4)] == [True, True, False, False]
    assert not may(outcome, retry=Retry(attempts=1))


@pytest.mark.parametrize("status", [408, 425])
def test_408_and_425_are_tried_once_more(status: int) -> None:
    retry = Retry(attempts=5)
    assert may("status", status=status, attempt=1, retry=retry)
    assert not may("status", status=status, attempt=2, retry=retry)
    assert may("status", status=status, attempt=2, retry=Retry(attempts=5, statuses=[status])), "unless they are in the set"


def test_the_methods_are_a_choice() -> None:
    retry = Retry(methods=["post"])
    assert may("reset", "POST", retry=retry)
    assert not may("reset", "GET", retry=retry)


# Waiting


class Highest(Random):
    def random(self) -> float:
        return 1.0


QUIET = Retry(backoff=Backoff(base=0.5, cap=2.0, jitter="none"), overload_backoff=Backoff(base=4.0, cap=8.0, jitter="none"))


def test_pauses_grow_over_a_call() -> None:
    waits = QUIET.waits(Random(1))
    assert [waits.after(Outcome.RESET) for _ in range(4)] == [0.5, 1.0, 2.0, 2.0]


def test_the_first_stale_connection_costs_no_pause() -> None:
    waits = QUIET.waits(Random(1))
    assert [waits.after(Outcome.STALE) for _ in range(3)] == [0.0, 0.5, 1.0]


def test_an_overloaded_server_is_left_alone_for_longer() -> None:
    waits = QUIET.waits(Random(1))
    assert [waits.after(Outcome.STATUS, status=status) for status in (503, 429, 502)] == [4.0, 8.0, 0.5]


def test_retry_after_is_kept_and_exceeded_by_a_tenth_at_most() -> None:
    assert QUIET.waits(Highest()).after(Outcome.STATUS, status=503, retry_after=10.0) == pytest.approx(11.0)
    for seed in range(50):
        assert 10.0 <= QUIET.waits(Random(seed)).after(Outcome.STATUS, status=503, retry_after=10.0) <= 11.0


def test_a_backoff_longer_than_retry_after_wins() -> None:
    assert QUIET.waits(Random(1)).after(Outcome.STATUS, status=503, retry_after=0.1) == 0.5


def test_a_retry_after_in_the_past_is_backoff() -> None:
    assert QUIET.waits(Random(1)).after(Outcome.STATUS, status=503, retry_after=0.0) == 4.0


def test_another_endpoint_did_not_ask_for_anything() -> None:
    assert QUIET.waits(Random(1)).after(Outcome.STATUS, status=503, retry_after=20.0, elsewhere=True) == 0.5


@pytest.mark.parametrize(("wait", "remaining", "retry_after", "worth"), [
    (0.0, 10.0, None, True),
    (9.0, 10.0, None, True),
    (10.0, 10.0, None, False),
    (9.999, 10.0, None, False),  # a try with a millisecond left is none
    (0.0, 0.001, None, False),
    (5.0, float("inf"), 5.0, True),
    (31.0, float("inf"), 30.0, True),  # jitter may exceed the cap, what was asked may not
    (31.0, float("inf"), 30.1, False),
])  # fmt: skip
def test_a_wait_is_worth_it_when_a_try_follows(wait: float, remaining: float, retry_after: float | None, worth: bool) -> None:
    assert Retry(retry_after_cap=30.0).worth_waiting(wait, remaining, retry_after) is worth


@pytest.mark.parametrize(("options", "message"), [
    ({"attempts": 0}, "Retry.attempts must be at least 1, not 0"),
    ({"attempts": True}, "Retry.attempts must be a whole number, not True"),
    ({"backoff": 0.5}, "Retry.backoff must be a Backoff, not 0.5"),
    ({"overload_backoff": None}, "Retry.overload_backoff must be a Backoff, not None"),
    ({"budget": 10}, "Retry.budget must be a RetryBudget or None, not 10"),
    ({"statuses": [99]}, "Retry.statuses must be at least 100, not 99"),
    ({"statuses": 503}, "Retry.statuses must be a list of statuses, not 503"),
    ({"statuses": "503"}, "Retry.statuses must be a whole number, not '5'"),
    ({"methods": "GET"}, "Retry.methods must be a list of strings, not 'GET'"),
    ({"idempotency_key": "always"}, "Retry.idempotency_key must be one of None, 'auto', not 'always'"),
    ({"retry_unsafe": "yes"}, "Retry.retry_unsafe must be True or False, not 'yes'"),
    ({"retry_after_cap": -1}, "Retry.retry_after_cap must be at least 0, not -1"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Retry(**options)
    assert str(caught.value) == message


def test_options_can_be_compared_and_hashed() -> None:
    assert Retry() == Retry()
    assert len({Retry(), Retry(), Retry(attempts=2)}) == 2


@pytest.mark.parametrize("quoted", [True, False])
def test_keys_are_new_each_time_and_quoted_as_asked(quoted: bool) -> None:
    retry = Retry(idempotency_key="auto", quoted_key=quoted)
    one, other = retry.key(), retry.key()
    assert one != other
    assert (one[0], one[-1]) == ('"', '"') if quoted else '"' not in one
    assert len(one) == 36 + 2 * quoted
