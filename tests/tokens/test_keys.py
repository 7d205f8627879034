"""The life of a key set, moved by hand: when it may be served, when it may be fetched, and how often."""

from __future__ import annotations

import pytest

from interservice.tokens.jwk import key_from_jwk
from interservice.tokens.keys import KeyMachine, State
from interservice.tokens.keyset import KeySet

from .minting import jwk

KEYS = KeySet([key_from_jwk(jwk("ed"))])
OTHER = KeySet([key_from_jwk(jwk("ed2"))])


def machine(ttl: float = 600.0, max_stale: float = 14400.0, random: float = 0.0) -> KeyMachine:
    return KeyMachine(ttl, max_stale, lambda: random)


def fetched(at: float = 0.0, max_age: float | None = None, **options: float) -> KeyMachine:
    made = machine(**options)
    made.started(at)
    made.succeeded(at, KEYS, max_age)
    return made


def test_nothing_is_served_before_the_first_fetch() -> None:
    empty = machine()
    assert empty.state(0.0) is State.EMPTY
    assert empty.lease(0.0) is None
    assert empty.refresh_due(0.0)


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (0.0, State.FRESH),
        (449.9, State.FRESH),
        (450.0, State.AGING),
        (599.9, State.AGING),
        (600.0, State.STALE),
        (14999.9, State.STALE),
        (15000.0, State.DEAD),
    ],
)
def test_keys_age_from_fresh_to_dead(age: float, state: State) -> None:
    keys = fetched()
    assert keys.state(age) is state
    assert (keys.lease(age) is not None) is (state is not State.DEAD)
    assert keys.refresh_due(age) is (state is not State.FRESH)


def test_fleet_does_not_refresh_in_step() -> None:
    assert fetched(random=0.0).state(455.0) is State.AGING
    assert fetched(random=0.999).state(455.0) is State.FRESH
    assert fetched(random=0.999).state(510.0) is State.AGING


@pytest.mark.parametrize(("max_age", "ttl"), [(None, 600.0), (300.0, 300.0), (0.0, 60.0), (-5.0, 60.0), (86400.0, 3600.0)])
def test_response_says_how_long_keys_are_fresh_within_bounds(max_age: float | None, ttl: float) -> None:
    keys = fetched(max_age=max_age)
    assert keys.state(ttl - 0.1) is State.AGING
    assert keys.state(ttl) is State.STALE


def test_stale_keys_are_not_served_when_that_is_off() -> None:
    keys = fetched(max_stale=0.0)
    assert keys.state(599.9) is State.AGING
    assert keys.state(600.0) is State.DEAD


def test_failing_source_is_asked_ever_more_rarely() -> None:
    keys, now, waits = machine(random=0.999999), 0.0, []
    for _ in range(9):
        assert keys.refresh_due(now)
        keys.started(now)
        keys.failed(now)
        wait = keys.retry_after(now)
        assert not keys.refresh_due(now + wait - 0.01)
        waits.append(round(wait))
        now += wait
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_failure_keeps_the_keys() -> None:
    keys = fetched()
    keys.started(500.0)
    keys.failed(500.0)
    lease = keys.lease(500.0)
    assert lease is not None
    assert lease.keyset is KEYS
    assert keys.generation == 1


def test_success_replaces_the_keys_and_forgets_failures() -> None:
    keys = fetched()
    keys.failed(500.0)
    keys.succeeded(501.0, OTHER, None)
    assert keys.keyset is OTHER
    assert keys.generation == 2
    assert keys.state(501.0) is State.FRESH
    keys.failed(1000.0)
    assert keys.retry_after(1000.0) == 1.0


def test_key_rotated_right_after_the_first_fetch_can_be_looked_for() -> None:
    assert fetched().may_look_for("new", 0.0)


def test_unknown_ids_start_two_fetches_in_thirty_seconds_at_most() -> None:
    keys, started = machine(), 0
    for tenth in range(300):
        now = tenth / 10
        if (keys.keyset is None and keys.refresh_due(now)) or (keys.keyset is not None and keys.may_look_for(f"k{tenth}", now)):
            started += 1
            keys.started(now)
            keys.succeeded(now, KEYS, None)
            keys.missed(f"k{tenth}", now)
    assert started == 2
    assert keys.may_look_for("later", 30.0)


def test_failed_attempts_are_paid_for_too() -> None:
    keys, started = fetched(), 0
    for second in range(30):
        if keys.may_look_for(f"k{second}", float(second)):
            started += 1
            keys.started(float(second))
            keys.failed(float(second))
    assert started == 1


def test_key_made_before_an_outage_is_looked_for_as_soon_as_it_is_over() -> None:
    keys, now = fetched(), 500.0
    for _ in range(9):  # refreshes fail, ever more rarely
        assert keys.refresh_due(now)
        keys.started(now)
        keys.failed(now)
        now += keys.retry_after(now)
    assert not keys.refresh_due(now - 30.0)
    assert keys.may_look_for("new", now - 30.0)


def test_id_that_was_just_looked_for_is_not_looked_for_again() -> None:
    keys = fetched()
    keys.missed("gone", 0.0)
    assert not keys.may_look_for("gone", 29.9)
    assert keys.may_look_for("other", 29.9)
    assert keys.may_look_for("gone", 30.0)


def test_remembered_ids_are_bounded() -> None:
    keys = fetched()
    for number in range(5000):
        keys.missed(str(number), 0.0)
    assert len(keys._unknown) == 1000
    assert not keys.may_look_for("4999", 1.0)


@pytest.mark.parametrize("age", [0.0, 449.0, 450.0, 599.0, 600.0, 14999.5])
def test_lease_never_outlives_what_it_promises(age: float) -> None:
    keys = fetched()
    lease = keys.lease(age)
    assert lease is not None
    assert age < lease.until <= 15000.0
    if keys.state(age) is State.FRESH:
        assert lease.until == 450.0
    else:
        assert lease.until <= age + 1.0
