"""The life of a token, on numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.outbound.token_state import Failure, Held, TokenState, held

REFUSED = Failure("refused", 60.0, "invalid_client")
DOWN = Failure("down", 5.0)


def token(value: str = "one", *, asked: float = 0.0, lifetime: float = 3600.0, jitter: float = 1.0) -> Held:
    return held(value, asked=asked, lifetime=lifetime, jitter=jitter)


@pytest.mark.parametrize(
    ("lifetime", "jitter", "soft", "hard"),
    [(3600, 1.0, 3300, 3570), (3600, 0.8, 3360, 3570), (60, 1.0, 45, 54), (60, 0.8, 48, 54), (1, 1.0, 0.75, 0.9)],
)
def test_windows_follow_the_lifetime(lifetime: float, jitter: float, soft: float, hard: float) -> None:
    one = token(lifetime=lifetime, jitter=jitter)

    assert (one.soft, one.hard, one.expires) == pytest.approx((soft, hard, lifetime))


@given(lifetime=st.floats(0.001, 1e6), jitter=st.floats(0.8, 1.0), asked=st.floats(0, 1e6))
def test_windows_are_in_order_whatever_the_lifetime(lifetime: float, jitter: float, asked: float) -> None:
    one = token(asked=asked, lifetime=lifetime, jitter=jitter)

    assert asked <= one.soft <= one.hard <= one.expires


@pytest.mark.parametrize(
    ("now", "usable", "wants_fetch", "must_wait"),
    [
        (0, "one", False, False),
        (3299, "one", False, False),
        (3300, "one", True, False),
        (3569, "one", True, False),
        (3570, "one", True, True),
        (3599, "one", True, True),
        (3600, None, True, True),
    ],
)
def test_each_phase_says_what_to_do(now: float, usable: str | None, wants_fetch: bool, must_wait: bool) -> None:
    state = TokenState(token())

    assert (state.usable(now), state.wants_fetch(now), state.must_wait(now)) == (usable, wants_fetch, must_wait)


def test_nothing_in_hand_is_fetched_and_waited_for() -> None:
    state = TokenState()

    assert (state.usable(0), state.wants_fetch(0), state.must_wait(0)) == (None, True, True)


@pytest.mark.parametrize("failure", [REFUSED, DOWN])
def test_a_failure_is_remembered_for_as_long_as_it_says(failure: Failure) -> None:
    state = TokenState().failed(failure, now=100)

    assert not state.wants_fetch(100 + failure.pause - 0.001)
    assert state.wants_fetch(100 + failure.pause)
    assert state.failure is failure


def test_a_failed_refresh_keeps_the_token_and_pauses_half_a_minute() -> None:
    state = TokenState(token()).failed(DOWN, now=3300)

    assert state.usable(3329) == "one"
    assert not state.wants_fetch(3329)
    assert state.wants_fetch(3330)


def test_a_failed_refresh_never_pauses_past_the_hard_limit() -> None:
    state = TokenState(token()).failed(DOWN, now=3560)

    assert state.wants_fetch(3570)


def test_close_to_expiry_the_pause_is_the_failures_own() -> None:
    state = TokenState(token()).failed(DOWN, now=3571)

    assert not state.wants_fetch(3575)
    assert state.wants_fetch(3576)


def test_a_new_token_forgets_failures() -> None:
    state = TokenState().failed(REFUSED, now=0).fetched(token("two", asked=1))

    assert state == TokenState(token("two", asked=1))


def test_a_refused_token_is_dropped_if_it_is_the_one_held() -> None:
    state, again = TokenState(token()).refused("one", now=10)

    assert (state.token, again) == (None, True)


def test_an_older_token_that_is_refused_drops_nothing() -> None:
    before = TokenState(token("two"))

    state, again = before.refused("one", now=100)

    assert (state, again) == (before, True)


def test_a_second_refusal_of_the_same_token_changes_nothing_more() -> None:
    state, _ = TokenState(token()).refused("one", now=10)

    assert state.refused("one", now=10) == (state, True)


def test_a_token_younger_than_ten_seconds_is_kept() -> None:
    before = TokenState(token())

    assert before.refused("one", now=9.99) == (before, False)


def test_while_fetches_pause_a_refusal_leads_to_no_replay() -> None:
    held_back = TokenState(token()).failed(DOWN, now=3300)
    empty = TokenState().failed(REFUSED, now=0)

    assert held_back.refused("one", now=3301) == (held_back, False)
    assert empty.refused("one", now=1) == (empty, False)


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(TokenState(token("hunter2")))
