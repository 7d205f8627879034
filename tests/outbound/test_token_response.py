"""Answers of token endpoints: what is a token, and what kind of failure is everything else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.token_response import Granted, read
from interservice.outbound.token_state import Failure

NOW = 1_800_000_000.0
GOOD = {"access_token": "abc", "token_type": "Bearer", "expires_in": 3600}


def answer(status: int = 200, *, retry_after: float | None = None, **members: Any) -> Granted | Failure:
    body = {name: value for name, value in {**GOOD, **members}.items() if value is not ...}
    return read(status, json.dumps(body).encode(), retry_after=retry_after, scope=None, now=NOW)


def read_scope(asked: str, granted: object) -> Granted | Failure:
    return read(200, json.dumps({**GOOD, "scope": granted}).encode(), retry_after=None, scope=asked, now=NOW)


def failure(outcome: Granted | Failure) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def test_a_good_answer_is_a_token_with_its_lifetime() -> None:
    assert answer() == Granted("abc", 3600.0)


@pytest.mark.parametrize("kind", ["bearer", "BEARER"])
def test_the_token_type_is_compared_without_case(kind: str) -> None:
    assert answer(token_type=kind) == Granted("abc", 3600.0)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        ("3599", 3599),
        (60.5, 60.5),
        (..., 300),
        (None, 300),
        ("abc", 300),
        (True, 300),
        ([], 300),
        (float("nan"), 300),
        (float("inf"), 300),
        (10**400, 300),
        (10**9, 86400),
    ],
)
def test_lifetimes_of_every_kind_end_in_a_sane_one(expires_in: Any, lifetime: float) -> None:
    assert answer(expires_in=expires_in) == Granted("abc", lifetime)


@pytest.mark.parametrize("expires_in", [0, -1, -1e9])
def test_a_token_that_has_expired_is_a_failure(expires_in: float) -> None:
    assert "has expired" in failure(answer(expires_in=expires_in)).reason


def test_without_expires_in_a_jwt_tells_its_own_life() -> None:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    token = f"{part({})}.{part({'exp': NOW + 120})}.sig"

    assert answer(access_token=token, expires_in=...) == Granted(token, 120.0)
    assert answer(access_token="a.b.c", expires_in=...) == Granted("a.b.c", 300.0)


@pytest.mark.parametrize("token", [..., None, "", 1, ["abc"], "a b", "a\r\nX: y", "ä", 'a"', "a\0"])
def test_a_token_that_no_header_can_hold_is_a_failure(token: Any) -> None:
    assert "no usable access_token" in failure(answer(access_token=token)).reason


@pytest.mark.parametrize("kind", [..., None, "mac", "DPoP", "", 1])
def test_another_token_type_is_a_failure(kind: Any) -> None:
    assert "no bearer token" in failure(answer(token_type=kind)).reason


@pytest.mark.parametrize(("asked", "granted"), [("a b", "a"), ("a", ""), ("a", "b")])
def test_less_than_the_scope_asked_for_is_a_failure(asked: str, granted: str) -> None:
    outcome = failure(read_scope(asked, granted))

    assert (outcome.oauth_error, outcome.pause) == ("invalid_scope", 60.0)


@pytest.mark.parametrize(("asked", "granted"), [("a b", "b a"), ("a", "a b"), ("a", None)])
def test_the_scope_asked_for_in_any_order_or_unsaid_is_good(asked: str, granted: str | None) -> None:
    assert isinstance(read_scope(asked, granted), Granted)


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_target"])
def test_a_refusal_is_remembered_for_a_minute_with_its_code(status: int, error: str) -> None:
    outcome = failure(answer(status, error=error))

    assert (outcome.pause, outcome.oauth_error, outcome.passing) == (60.0, error, False)


@pytest.mark.parametrize("error", [..., None, 1, "<script>", "x" * 100, "a\nb"])
def test_an_error_code_of_nonsense_is_not_repeated(error: Any) -> None:
    outcome = failure(answer(400, error=error))

    assert outcome.oauth_error is None
    assert "and no error code" in outcome.reason


@pytest.mark.parametrize(
    ("status", "retry_after", "pause", "passing"),
    [(500, None, 5, True), (503, None, 5, True), (503, 30.0, 30, False), (429, None, 5, False), (429, 1e9, 3600, False)],
)
def test_a_server_that_is_down_or_busy_is_left_alone_as_long_as_it_says(
    status: int, retry_after: float | None, pause: float, passing: bool
) -> None:
    outcome = failure(answer(status, retry_after=retry_after))

    assert (outcome.pause, outcome.passing, outcome.oauth_error) == (pause, passing, None)


@pytest.mark.parametrize("status", [201, 204, 302, 307, 403, 404])
def test_any_other_status_is_a_failure(status: int) -> None:
    assert str(status) in failure(answer(status)).reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b"9" * 10_000])
def test_what_is_no_json_object_is_a_failure(body: bytes) -> None:
    outcome = failure(read(200, body, retry_after=None, scope=None, now=NOW))

    assert "other than a JSON object" in outcome.reason


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.dictionaries(st.sampled_from([*GOOD, "scope", "error"]), inner),
)


@given(st.binary() | HOSTILE.map(lambda value: json.dumps(value).encode()), st.integers(100, 599))
def test_whatever_comes_is_a_token_or_a_failure(body: bytes, status: int) -> None:
    outcome = read(status, body, retry_after=None, scope="a", now=NOW)

    assert isinstance(outcome, Failure) or outcome.lifetime > 0


def test_the_token_is_not_shown() -> None:
    assert "abc" not in repr(answer())
