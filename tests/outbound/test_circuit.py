"""The circuit breaker on a fake clock: when it opens, what it lets through, and how it closes again."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interservice.errors import ConfigurationError
from interservice.outbound.circuit import Circuit, CircuitBreaker, Permit
from interservice.outbound.errors import CircuitOpen
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from interservice.events import CircuitChanged


def circuit(clock: FakeClock, listeners: Any = (), **options: Any) -> Circuit:
    choices = {"min_calls": 4, "open_for": 5.0, "probes": 3, **options}
    return Circuit(CircuitBreaker(**choices), name="billing", endpoint="http://a", clock=clock, listeners=listeners)


def take(circuit: Circuit) -> Permit:
    permit = circuit.try_acquire()
    assert permit is not None
    return permit


def fail(circuit: Circuit, times: int, error: BaseException | None = None) -> None:
    for _ in range(times):
        take(circuit).failure(0.1, error)


def succeed(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        take(circuit).success(0.1)


def state(circuit: Circuit) -> str:
    """The state as any string: a type checker takes a property of literals to stay what it was compared with."""
    return circuit.state


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


# Closed


def test_a_new_circuit_is_closed_and_lets_calls_through(clock: FakeClock) -> None:
    subject = circuit(clock)
    assert state(subject) == "closed"
    assert subject.try_acquire() is not None


def test_below_the_minimum_of_calls_nothing_opens_it_and_rates_are_unknown(clock: FakeClock) -> None:
    subject = circuit(clock)
    fail(subject, 3)
    assert state(subject) == "closed"
    assert subject.snapshot()["failure_rate"] is None
    assert subject.snapshot()["failures"] == 3


def test_a_rate_at_the_threshold_opens_it(clock: FakeClock) -> None:
    subject = circuit(clock, failure_rate=0.5)
    succeed(subject, 2)
    fail(subject, 1)
    assert state(subject) == "closed"
    fail(subject, 1)
    assert state(subject) == "open"
    assert subject.try_acquire() is None


def test_a_rate_below_the_threshold_does_not(clock: FakeClock) -> None:
    subject = circuit(clock, failure_rate=0.5)
    succeed(subject, 3)
    fail(subject, 2)
    assert state(subject) == "closed"
    assert subject.snapshot()["failure_rate"] == 0.4


@pytest.mark.parametrize(("rate", "calls", "failures"), [(0.1, 30, 3), (0.3, 10, 3), (0.7, 10, 7), (1.0, 3, 3), (0.29, 100, 29)])
def test_thresholds_are_not_missed_by_rounding(clock: FakeClock, rate: float, calls: int, failures: int) -> None:
    subject = circuit(clock, failure_rate=rate, min_calls=calls)
    succeed(subject, calls - failures)
    fail(subject, failures)
    assert state(subject) == "open"


def test_the_success_that_makes_the_minimum_can_open_it(clock: FakeClock) -> None:
    subject = circuit(clock)
    fail(subject, 3)
    succeed(subject, 1)
    assert state(subject) == "open"


def test_failures_older_than_the_window_do_not_count(clock: FakeClock) -> None:
    subject = circuit(clock, window=10.0)
    fail(subject, 3)
    clock.advance(11.0)
    fail(subject, 1)
    assert state(subject) == "closed"
    assert subject.snapshot()["calls"] == 1


def test_a_silent_circuit_forgets_when_it_is_read(clock: FakeClock) -> None:
    subject = circuit(clock, window=10.0)
    succeed(subject, 5)
    clock.advance(11.0)
    assert subject.snapshot()["calls"] == 0


def test_a_count_window_holds_the_last_calls_whatever_their_age(clock: FakeClock) -> None:
    subject = circuit(clock, count_window=4, min_calls=4)
    fail(subject, 1)
    clock.advance(1e6)
    succeed(subject, 2)
    fail(subject, 1)
    assert state(subject) == "open"


def test_min_calls_is_never_more_than_a_count_window_holds(clock: FakeClock) -> None:
    subject = circuit(clock, count_window=2, min_calls=100)
    fail(subject, 2)
    assert state(subject) == "open"


def test_ignored_calls_count_neither_way(clock: FakeClock) -> None:
    subject = circuit(clock)
    for _ in range(10):
        take(subject).ignore()
    assert subject.snapshot()["calls"] == 0


@pytest.mark.parametrize("second", ["success", "failure", "ignore"])
@pytest.mark.parametrize("first", ["success", "failure", "ignore"])
def test_a_permit_is_heard_once(clock: FakeClock, first: str, second: str) -> None:
    subject = circuit(clock)
    permit = take(subject)
    for word in (first, second):
        getattr(permit, word)(*(() if word == "ignore" else (0.1,)))
    facts = subject.snapshot()
    assert (facts["calls"], facts["failures"]) == {"success": (1, 0), "failure": (1, 1), "ignore": (0, 0)}[first]


# Slow calls


def test_slow_is_more_than_slow_after(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, slow_rate=0.5)
    take(subject).success(1.0)
    assert subject.snapshot()["slow"] == 0
    take(subject).success(1.001)
    assert subject.snapshot()["slow"] == 1


def test_slow_calls_open_it_though_they_succeed(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, slow_rate=0.5)
    succeed(subject, 2)
    take(subject).success(3.0)
    take(subject).success(3.0)
    assert state(subject) == "open"
    assert subject.snapshot()["slow_rate"] == 0.5


def test_slow_calls_below_their_rate_do_not_open_it(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, slow_rate=0.75)
    succeed(subject, 2)
    take(subject).success(3.0)
    take(subject).success(3.0)
    assert state(subject) == "closed"


def test_without_slow_after_nothing_is_slow(clock: FakeClock) -> None:
    subject = circuit(clock)
    for _ in range(10):
        take(subject).success(1e6)
    assert state(subject) == "closed"
    assert subject.snapshot()["slow"] == 0


def test_calls_that_hang_open_it_before_they_end(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, slow_rate=1.0)
    hanging = [take(subject) for _ in range(4)]
    clock.advance(1.5)
    assert subject.try_acquire() is None
    assert state(subject) == "open"
    assert subject.snapshot()["slow"] == 4
    for permit in hanging:
        permit.failure(2.0)
    assert subject.snapshot()["calls"] == 4, "late: counted in the phase before"


def test_a_call_seen_slow_under_way_counts_once_and_its_failure_still_does(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, min_calls=10)
    hanging = take(subject)
    clock.advance(1.5)
    take(subject).success(0.1)
    assert subject.snapshot()["slow"] == 1
    hanging.failure(2.0)
    facts = subject.snapshot()
    assert (facts["calls"], facts["slow"], facts["failures"]) == (2, 1, 1)


def test_a_call_seen_slow_under_way_that_succeeds_counts_once(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0, min_calls=10)
    hanging = take(subject)
    clock.advance(1.5)
    take(subject).ignore()
    hanging.success(2.0)
    facts = subject.snapshot()
    assert (facts["calls"], facts["slow"], facts["failures"]) == (1, 1, 0)


def test_a_call_as_long_as_slow_after_is_not_yet_seen_as_slow(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0)
    take(subject)
    clock.advance(1.0)
    assert subject.try_acquire() is not None
    assert subject.snapshot()["slow"] == 0


def test_calls_that_ended_are_not_kept_while_slow_ones_are_watched(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0)
    for _ in range(1000):
        clock.advance(0.01)
        take(subject).success(0.1)
    assert subject._phase.running is not None
    assert len(subject._phase.running) == 1


# A stream that fails after it began


def test_a_success_can_turn_into_a_failure_once(clock: FakeClock) -> None:
    subject = circuit(clock)
    permit = take(subject)
    permit.success(0.1)
    permit.fail_late(OSError())
    permit.fail_late(OSError())
    facts = subject.snapshot()
    assert (facts["calls"], facts["failures"], facts["last_failure"]) == (1, 1, "OSError")


@pytest.mark.parametrize("report", ["failure", "ignore", None])
def test_what_was_no_success_cannot_fail_late(clock: FakeClock, report: str | None) -> None:
    subject = circuit(clock)
    permit = take(subject)
    if report is not None:
        getattr(permit, report)(*((0.1,) if report == "failure" else ()))
    permit.fail_late()
    assert subject.snapshot()["failures"] == (report == "failure")


@pytest.mark.parametrize(("error", "word"), [("503", "503"), (TimeoutError("a secret"), "TimeoutError"), (None, None)])
def test_of_the_last_failure_a_word_is_kept(clock: FakeClock, error: Any, word: str | None) -> None:
    subject = circuit(clock)
    fail(subject, 1, OSError())
    fail(subject, 1, error)
    assert subject.snapshot()["last_failure"] == word


def test_late_failures_open_it(clock: FakeClock) -> None:
    subject = circuit(clock)
    permits = [take(subject) for _ in range(4)]
    for permit in permits:
        permit.success(0.1)
    permits[0].fail_late()
    assert state(subject) == "closed"
    permits[1].fail_late()
    assert state(subject) == "open"


# Open


def test_an_open_circuit_counts_what_it_refuses(clock: FakeClock) -> None:
    subject = circuit(clock)
    fail(subject, 4)
    for _ in range(7):
        assert subject.try_acquire() is None
    assert subject.snapshot()["not_permitted"] == 7


def test_the_rate_that_opened_it_stays_readable(clock: FakeClock) -> None:
    subject = circuit(clock, window=1.0, open_for=60.0)
    succeed(subject, 1)
    fail(subject, 3)
    clock.advance(50.0)
    assert subject.snapshot()["failure_rate"] == 0.75


def test_results_of_calls_admitted_before_it_opened_change_nothing(clock: FakeClock) -> None:
    subject = circuit(clock)
    late = [take(subject) for _ in range(3)]
    fail(subject, 4)
    late[0].success(0.1)
    late[1].failure(0.1)
    late[2].ignore()
    facts = subject.snapshot()
    assert (facts["calls"], facts["retry_after"]) == (4, 5.0)


def test_it_is_open_until_the_moment_comes(clock: FakeClock) -> None:
    subject = circuit(clock, open_for=5.0)
    fail(subject, 4)
    clock.advance(4.75)
    assert state(subject) == "open"
    assert subject.try_acquire() is None
    assert subject.snapshot()["retry_after"] == 0.25
    clock.advance(0.25)
    assert state(subject) == "half_open", "the state is that of the clock, not of the last call"
    assert subject.try_acquire() is not None


def test_the_refusal_says_why_and_when_to_come_back(clock: FakeClock) -> None:
    subject = circuit(clock)
    fail(subject, 4, TimeoutError("https://user:secret@host"))
    with pytest.raises(CircuitOpen) as first:
        subject.acquire()
    assert first.value.retry_after == 5.0
    assert first.value.state == "open"
    assert first.value.failure_rate == 1.0
    assert first.value.last_failure == "TimeoutError"
    assert "secret" not in repr(vars(first.value))
    with pytest.raises(CircuitOpen) as second:
        subject.acquire()
    assert second.value is not first.value


def test_acquire_gives_a_permit_while_closed(clock: FakeClock) -> None:
    subject = circuit(clock)
    subject.acquire().success(0.1)
    assert subject.snapshot()["calls"] == 1


# Half-open


def half_open(clock: FakeClock, **options: Any) -> Circuit:
    subject = circuit(clock, **options)
    fail(subject, 4)
    clock.advance(5.0)
    return subject


def test_as_many_probes_as_configured_are_let_through(clock: FakeClock) -> None:
    subject = half_open(clock, probes=3)
    assert [subject.try_acquire() is not None for _ in range(5)] == [True, True, True, False, False]


@pytest.mark.parametrize(("rate", "probes", "results", "after"), [
    (0.5, 3, "ss", "closed"),
    (0.5, 3, "s", "half_open"),
    (0.5, 3, "fs", "half_open"),
    (0.5, 3, "fss", "closed"),
    (0.5, 3, "ff", "open"),
    (0.5, 3, "fsf", "open"),
    (0.5, 4, "ff", "open"),
    (0.5, 4, "sfs", "half_open"),
    (0.5, 4, "sss", "closed"),
    (0.5, 1, "s", "closed"),
    (0.5, 1, "f", "open"),
    (1.0, 3, "s", "closed"),
    (1.0, 3, "ff", "half_open"),
    (0.1, 3, "f", "open"),
    (0.1, 3, "ss", "half_open"),
    (0.1, 3, "sss", "closed"),
])  # fmt: skip
def test_the_verdict_falls_as_soon_as_nothing_can_change_it(
    clock: FakeClock, rate: float, probes: int, results: str, after: str
) -> None:
    subject = half_open(clock, failure_rate=rate, probes=probes)
    permits = [take(subject) for _ in range(probes)]
    for permit, result in zip(permits, results, strict=False):
        if result == "s":
            permit.success(0.1)
        else:
            permit.failure(0.1)
    assert state(subject) == after


def test_slow_probes_open_it_again(clock: FakeClock) -> None:
    subject = half_open(clock, slow_after=1.0, slow_rate=0.5, probes=2)
    take(subject).success(3.0)
    assert state(subject) == "open"


def test_slow_probes_below_their_rate_do_not_open_it(clock: FakeClock) -> None:
    subject = half_open(clock, slow_after=1.0, slow_rate=0.75, failure_rate=1.0, probes=2)
    take(subject).success(3.0)
    take(subject).success(0.1)
    assert state(subject) == "closed"


def test_a_probe_that_reported_does_not_make_place_for_another(clock: FakeClock) -> None:
    subject = half_open(clock, probes=3)
    take(subject).success(0.1)
    assert [subject.try_acquire() is not None for _ in range(3)] == [True, True, False]


def test_one_fast_probe_is_no_verdict_while_the_others_may_be_slow(clock: FakeClock) -> None:
    subject = half_open(clock, slow_after=1.0, slow_rate=0.5, failure_rate=1.0, probes=3)
    take(subject).success(0.1)
    assert state(subject) == "half_open"
    take(subject).success(0.1)
    assert state(subject) == "closed"


def test_a_probe_whose_stream_fails_counts_as_a_failure(clock: FakeClock) -> None:
    subject = half_open(clock, probes=3, failure_rate=0.3)
    permit = take(subject)
    permit.success(0.1)
    permit.fail_late(OSError())
    assert state(subject) == "open"


def test_a_probe_that_is_ignored_gives_its_place_back_without_a_verdict(clock: FakeClock) -> None:
    subject = half_open(clock, probes=1)
    for _ in range(10):
        permit = take(subject)
        assert subject.try_acquire() is None
        permit.ignore()
        assert state(subject) == "half_open"
    take(subject).success(0.1)
    assert state(subject) == "closed"


def test_an_ignored_late_call_does_not_make_a_place_for_a_probe(clock: FakeClock) -> None:
    subject = circuit(clock, probes=1)
    late = take(subject)
    fail(subject, 4)
    clock.advance(5.0)
    take(subject)
    late.ignore()
    assert subject.try_acquire() is None


@pytest.mark.parametrize("word", ["success", "failure"])
def test_a_late_result_is_not_a_probe(clock: FakeClock, word: str) -> None:
    subject = circuit(clock, probes=1)
    late = take(subject)
    fail(subject, 4)
    clock.advance(5.0)
    take(subject)
    getattr(late, word)(0.1)
    assert state(subject) == "half_open"


def test_a_probe_of_an_earlier_episode_does_not_decide_a_later_one(clock: FakeClock) -> None:
    subject = half_open(clock, probes=2)
    early = take(subject)
    take(subject).failure(0.1)
    assert state(subject) == "open"
    clock.advance(5.0)
    take(subject)
    early.failure(0.1)
    assert state(subject) == "half_open"


def test_a_probe_that_never_reports_loses_its_place_when_its_lease_ends(clock: FakeClock) -> None:
    subject = half_open(clock, probes=1, probe_lease=2.0)
    take(subject)
    clock.advance(1.5)
    assert subject.try_acquire() is None
    assert subject.snapshot()["retry_after"] == 0.5
    clock.advance(0.5)
    assert subject.try_acquire() is not None
    assert subject.try_acquire() is None


def test_a_lease_lasts_as_long_as_it_was_open_by_default(clock: FakeClock) -> None:
    subject = half_open(clock, probes=1)
    take(subject)
    clock.advance(4.75)
    assert subject.try_acquire() is None
    clock.advance(0.25)
    assert subject.try_acquire() is not None


@pytest.mark.parametrize("open_for", [5.0, lambda _: 60.0])
def test_a_lease_of_a_circuit_half_opened_by_hand_ends_too(clock: FakeClock, open_for: Any) -> None:
    subject = circuit(clock, probes=1, open_for=open_for)
    subject.half_open()
    take(subject)
    assert subject.try_acquire() is None
    clock.advance(5.0)
    assert subject.try_acquire() is not None


def test_probes_that_all_outlive_their_leases_still_decide(clock: FakeClock) -> None:
    subject = half_open(clock, probes=2, probe_lease=1.0)
    slow = []
    for _ in range(3):
        slow += [take(subject), take(subject)]
        clock.advance(1.0)
    slow[0].success(3.0)
    slow[1].success(3.0)
    assert state(subject) == "closed"


def test_closing_starts_anew(clock: FakeClock) -> None:
    subject = half_open(clock, probes=1)
    take(subject).success(0.1)
    facts = subject.snapshot()
    assert (facts["state"], facts["calls"], facts["openings"], facts["retry_after"]) == ("closed", 0, 0, None)


# For how long


def test_a_callable_says_how_long_by_how_often_it_has_opened(clock: FakeClock) -> None:
    asked: list[int] = []

    def longer(openings: int) -> float:
        asked.append(openings)
        return 5.0 * 1.5 ** (openings - 1)

    subject = circuit(clock, open_for=longer, probes=1)
    fail(subject, 4)
    for wait in (5.0, 7.5, 11.25):
        assert subject.snapshot()["retry_after"] == wait
        clock.advance(wait)
        take(subject).failure(0.1)
    clock.advance(16.875)
    take(subject).success(0.1)
    fail(subject, 4)
    assert subject.snapshot()["retry_after"] == 5.0
    assert asked == [1, 2, 3, 4, 1]


@pytest.mark.parametrize("answer", [0.0, -1.0, float("inf"), float("nan"), "long", None])
def test_a_callable_that_answers_nonsense_does_not_keep_it_open_for_ever(
    clock: FakeClock, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    subject = circuit(clock, open_for=lambda _: answer)
    fail(subject, 4)
    assert subject.snapshot()["retry_after"] == 5.0
    assert "open_for" in caplog.text


def test_a_callable_may_use_the_circuit(clock: FakeClock) -> None:
    def ask(_: int) -> float:
        return 1.0 + len(state(subject))

    subject = circuit(clock, open_for=ask)
    fail(subject, 4)
    assert subject.snapshot()["retry_after"] == 5.0


# By hand


@pytest.mark.parametrize("before", ["reset", "open", "half_open", "force_open", "disable", "metrics_only"])
@pytest.mark.parametrize(("order", "after", "passes"), [
    ("reset", "closed", True),
    ("open", "open", False),
    ("half_open", "half_open", True),
    ("force_open", "forced_open", False),
    ("disable", "disabled", True),
    ("metrics_only", "metrics_only", True),
])  # fmt: skip
def test_every_state_can_be_ordered_from_every_other(clock: FakeClock, before: str, order: str, after: str, passes: bool) -> None:
    events: list[CircuitChanged] = []
    subject = circuit(clock, [events.append])
    getattr(subject, before)()
    was = state(subject)
    events.clear()
    late = subject.try_acquire()
    getattr(subject, order)()
    assert state(subject) == after
    assert subject.admits(clock.monotonic()) is passes
    if late is not None:
        late.failure(0.1)
        assert subject.snapshot()["failures"] == 0, "a permit of the phase before changes nothing"
    assert (subject.try_acquire() is not None) is passes
    assert [(event.before, event.after) for event in events] == ([] if was == after else [(was, after)])


def test_forced_open_has_no_end(clock: FakeClock) -> None:
    subject = circuit(clock)
    subject.force_open()
    clock.advance(1e9)
    assert subject.try_acquire() is None
    assert subject.snapshot()["retry_after"] is None
    subject.reset()
    assert subject.try_acquire() is not None


def test_disabled_records_nothing(clock: FakeClock) -> None:
    subject = circuit(clock)
    subject.disable()
    fail(subject, 20)
    assert state(subject) == "disabled"
    assert subject.snapshot()["calls"] == 0


def test_metrics_only_records_and_never_opens(clock: FakeClock) -> None:
    subject = circuit(clock, slow_after=1.0)
    subject.metrics_only()
    fail(subject, 20)
    assert state(subject) == "metrics_only"
    assert subject.snapshot()["failure_rate"] == 1.0


def test_open_for_a_time_does_not_count_as_an_opening(clock: FakeClock) -> None:
    subject = circuit(clock)
    subject.open(12.0)
    assert subject.snapshot()["retry_after"] == 12.0
    assert subject.snapshot()["openings"] == 0
    with pytest.raises(ConfigurationError, match=r"seconds\) must be more than 0, not -1"):
        subject.open(-1)


def test_opening_twice_by_hand_asks_for_the_first_opening(clock: FakeClock) -> None:
    subject = circuit(clock, open_for=lambda openings: {1: 3.0}[openings])
    subject.open(60.0)
    subject.open()
    subject.open()
    assert subject.snapshot()["retry_after"] == 3.0


# Listeners


def test_listeners_hear_each_change_in_order_with_its_facts(clock: FakeClock) -> None:
    events: list[CircuitChanged] = []
    subject = circuit(clock, [events.append], probes=1)
    fail(subject, 4)
    clock.advance(5.0)
    take(subject).success(0.1)
    assert [(event.before, event.after) for event in events] == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]
    assert (events[0].service, events[0].endpoint) == ("billing", "http://a")
    assert events[0].snapshot["failure_rate"] == 1.0


def test_a_listener_may_use_the_circuit_and_its_changes_are_told_in_order(clock: FakeClock) -> None:
    heard: list[str] = []

    def listener(event: CircuitChanged) -> None:
        if event.after == "open":
            subject.reset()
            assert subject.snapshot()["state"] == "closed"
        heard.append(event.after)

    subject = circuit(clock, [listener])
    fail(subject, 4)
    assert heard == ["open", "closed"]


def test_a_listener_that_raises_changes_nothing(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def broken(event: CircuitChanged) -> None:
        raise RuntimeError(event.after)

    subject = circuit(clock, [broken, lambda event: heard.append(event.after)])
    fail(subject, 4)
    assert state(subject) == "open"
    assert heard == ["open"]
    assert "broken" in caplog.text


def test_listeners_run_without_the_lock(clock: FakeClock) -> None:
    def listener(event: CircuitChanged) -> None:
        other = threading.Thread(target=look)
        other.start()
        other.join(5.0)

    def look() -> None:
        subject.snapshot()
        subject.try_acquire()
        done.set()

    done = threading.Event()
    subject = circuit(clock, [listener])
    fail(subject, 4)
    assert done.is_set()


# Threads


def together(count: int, work: Any) -> list[Any]:
    """Run `work` in many threads that start at once, and give what each returned."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def run() -> None:
        barrier.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def eager_switching() -> Any:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("probes", [1, 3])
def test_a_crowd_at_the_moment_of_half_opening_gets_exactly_the_probes(clock: FakeClock, probes: int) -> None:
    for _ in range(20):
        subject = half_open(clock, probes=probes)
        permits = together(16, subject.try_acquire)
        assert sum(permit is not None for permit in permits) == probes


@pytest.mark.usefixtures("eager_switching")
def test_a_crowd_that_ignores_its_probes_never_has_more_of_them_at_once(clock: FakeClock) -> None:
    subject = half_open(clock, probes=2)
    held: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(200):
            permit = subject.try_acquire()
            if permit is not None:
                held.append(1)
                most.append(len(held))
                held.pop()
                permit.ignore()

    together(8, work)
    assert max(most) <= 2
    assert [subject.try_acquire() is not None for _ in range(3)] == [True, True, False]


@pytest.mark.usefixtures("eager_switching")
def test_a_crowd_of_failures_opens_it_once(clock: FakeClock) -> None:
    events: list[CircuitChanged] = []
    subject = circuit(clock, [events.append], min_calls=8)
    permits = [take(subject) for _ in range(64)]

    def work() -> None:
        for _ in range(4):
            permits.pop().failure(0.1)

    together(16, work)
    assert [event.after for event in events] == ["open"]
    assert subject.snapshot()["openings"] == 1


@pytest.mark.usefixtures("eager_switching")
def test_no_count_is_lost_between_threads(clock: FakeClock) -> None:
    subject = circuit(clock, failure_rate=1.0)
    together(8, lambda: succeed(subject, 500))
    assert subject.snapshot()["calls"] == 4000


# Options


@pytest.mark.parametrize(("options", "message"), [
    ({"failure_rate": 0}, "CircuitBreaker.failure_rate must be more than 0, not 0"),
    ({"failure_rate": 1.5}, "CircuitBreaker.failure_rate must be at most 1, not 1.5"),
    ({"slow_rate": 0}, "CircuitBreaker.slow_rate must be more than 0, not 0"),
    ({"slow_after": 0}, "CircuitBreaker.slow_after must be more than 0, not 0"),
    ({"window": 0}, "CircuitBreaker.window must be more than 0, not 0"),
    ({"count_window": 0}, "CircuitBreaker.count_window must be at least 1, not 0"),
    ({"min_calls": 0}, "CircuitBreaker.min_calls must be at least 1, not 0"),
    ({"min_calls": 1.5}, "CircuitBreaker.min_calls must be a whole number, not 1.5"),
    ({"open_for": 0}, "CircuitBreaker.open_for must be more than 0, not 0"),
    ({"probes": 0}, "CircuitBreaker.probes must be at least 1, not 0"),
    ({"probe_lease": -1}, "CircuitBreaker.probe_lease must be more than 0, not -1"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CircuitBreaker(**options)
    assert str(caught.value) == message


def test_call_that_was_passed_over_counts_as_not_permitted() -> None:
    subject = Circuit(CircuitBreaker())
    subject.force_open()
    subject.passed_over()
    assert subject.snapshot()["not_permitted"] == 1
