"""Outcomes by the facts of the wire, and what a circuit is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from interservice.outbound.outcome import Outcome, WireFacts, classify_failure, classify_status, verdict

FRESH = {"bytes_written": 90}
REUSED = {"bytes_written": 90, "reused": True}


@pytest.mark.parametrize(("facts", "how", "outcome"), [
    ({}, {}, "never_sent"),
    ({"reused": True}, {}, "never_sent"),
    ({}, {"timed_out": True}, "never_sent"),  # connect timeout, TLS stall: requests calls the latter ReadTimeout
    ({}, {"fatal": True}, "fatal"),
    (FRESH, {}, "reset"),
    (REUSED, {}, "stale"),
    (FRESH, {"timed_out": True}, "read_timeout"),
    (REUSED, {"timed_out": True}, "read_timeout"),
    ({**REUSED, "response_started": True}, {}, "truncated"),
    ({**FRESH, "response_started": True, "body_started": True}, {}, "truncated"),
    ({**FRESH, "response_started": True, "body_started": True}, {"timed_out": True}, "read_timeout"),
    ({**FRESH, "response_started": True, "body_complete": True}, {"fatal": True}, "fatal"),
    ({}, {"deadline": True, "timed_out": True}, "deadline"),
    (FRESH, {"deadline": True, "timed_out": True}, "deadline"),
    (FRESH, {"cancelled": True, "deadline": True, "fatal": True}, "cancelled"),
])  # fmt: skip
def test_failures_are_told_apart_by_what_the_wire_saw(facts: dict[str, Any], how: dict[str, bool], outcome: str) -> None:
    assert classify_failure(WireFacts(**facts), **how) == outcome


@pytest.mark.parametrize(("status", "outcome"), [
    (200, "ok"), (204, "ok"), (301, "ok"), (400, "ok"), (401, "ok"), (404, "ok"), (409, "ok"), (500, "ok"), (501, "ok"),
    (505, "ok"), (408, "status"), (425, "status"), (429, "status"), (502, "status"), (503, "status"), (504, "status"),
])  # fmt: skip
def test_answers_are_final_unless_their_status_says_otherwise(status: int, outcome: str) -> None:
    assert classify_status(status) == outcome


def test_what_is_retryable_is_a_choice() -> None:
    assert classify_status(500, {500}) is Outcome.STATUS
    assert classify_status(503, {500}) is Outcome.OK


@pytest.mark.parametrize(("outcome", "status", "retry_after", "told"), [
    ("ok", 200, None, "success"),
    ("ok", 404, None, "success"),
    ("ok", 500, None, "success"),
    ("status", 503, None, "failure"),
    ("status", 502, 3.0, "failure"),
    ("status", 500, None, "failure"),
    ("status", 503, 3.0, "ignore"),
    ("status", 429, 3.0, "ignore"),
    ("status", 429, None, "success"),
    ("status", 408, None, "success"),
    ("status", 425, None, "success"),
    ("never_sent", None, None, "failure"),
    ("stale", None, None, "failure"),
    ("reset", None, None, "failure"),
    ("read_timeout", None, None, "failure"),
    ("truncated", 200, None, "failure"),
    ("fatal", None, None, "failure"),
    ("deadline", None, None, "failure"),
    ("cancelled", None, None, "ignore"),
    ("rejected", None, None, "ignore"),
])  # fmt: skip
def test_a_circuit_is_told(outcome: str, status: int | None, retry_after: float | None, told: str) -> None:
    assert verdict(Outcome(outcome), status, retry_after=retry_after) == told


def test_every_outcome_has_a_verdict() -> None:
    assert {verdict(outcome) for outcome in Outcome} == {"success", "failure", "ignore"}
