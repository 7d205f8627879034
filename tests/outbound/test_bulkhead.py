"""The bulkhead: places, those who wait for them, and that none is ever lost."""

from __future__ import annotations

import random
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from interservice.errors import ConfigurationError
from interservice.outbound.bulkhead import Bulkhead, Slot, Slots
from interservice.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals that interrupt a thread are POSIX's")


def slots(limit: int) -> Slots:
    return Slots(Bulkhead(max_concurrent=limit, newest_first_after=None))


def take(subject: Slots) -> Slot:
    slot = subject.try_acquire()
    assert slot is not None
    return slot


class Waiting:
    """A thread that asks for a place, and what it got."""

    def __init__(self, subject: Slots, timeout: float = float("inf"), then: Callable[[Any], None] = lambda _: None) -> None:
        self.slot: Slot | None = None
        self._before = subject.queued
        self._subject = subject
        self._thread = threading.Thread(target=self._run, args=(timeout, then))
        self._thread.start()

    def _run(self, timeout: float, then: Callable[[Any], None]) -> None:
        self.slot = self._subject.acquire(timeout)
        then(self)

    def until_queued(self) -> Waiting:
        while self._subject.queued == self._before:
            assert self._thread.is_alive()
        return self

    def result(self) -> Slot | None:
        self._thread.join(30.0)
        assert not self._thread.is_alive()
        return self.slot


def test_as_many_calls_as_places() -> None:
    subject = slots(2)
    assert [subject.try_acquire() is not None for _ in range(4)] == [True, True, False, False]
    assert subject.in_flight == 2


def test_a_released_place_is_free() -> None:
    subject = slots(1)
    take(subject).release()
    assert subject.in_flight == 0
    assert subject.try_acquire() is not None


def test_a_place_is_released_once() -> None:
    subject = slots(2)
    first, _second = take(subject), take(subject)
    for _ in range(3):
        first.release()
    assert subject.in_flight == 1


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_without_time_nobody_waits(timeout: float) -> None:
    subject = slots(1)
    take(subject)
    assert subject.acquire(timeout) is None
    assert subject.queued == 0


def test_a_wait_that_was_in_vain_leaves_nothing_behind() -> None:
    subject = slots(1)
    slot = take(subject)
    assert subject.acquire(0.001) is None
    assert (subject.queued, subject.in_flight) == (0, 1)
    slot.release()
    assert subject.try_acquire() is not None


def test_a_released_place_goes_to_the_one_who_waits() -> None:
    subject = slots(1)
    slot = take(subject)
    waiting = Waiting(subject).until_queued()
    slot.release()
    assert subject.try_acquire() is None, "nobody overtakes"
    assert waiting.result() is not None
    assert (subject.in_flight, subject.queued) == (1, 0)


def test_places_are_given_in_the_order_of_asking() -> None:
    subject, order = slots(1), list[int]()
    slot = take(subject)

    def note(number: int) -> Callable[[Waiting], None]:
        def then(waiting: Waiting) -> None:
            assert waiting.slot is not None
            order.append(number)
            waiting.slot.release()

        return then

    queue = [Waiting(subject, then=note(number)).until_queued() for number in range(5)]
    slot.release()
    for waiting in queue:
        waiting.result()
    assert order == [0, 1, 2, 3, 4]
    assert subject.in_flight == 0


@pytest.mark.parametrize(("seconds", "served"), [(0.5, ["first", "last"]), (0.6, ["last", "first"])])
def test_in_a_queue_that_stands_the_newest_is_served_first(seconds: float, served: list[str]) -> None:
    clock = FakeClock(monotonic=0.0)
    subject = Slots(Bulkhead(max_concurrent=1, newest_first_after=0.5), clock=clock)
    held = take(subject)
    order: list[str] = []

    def note(name: str) -> Callable[[Waiting], None]:
        def then(waiting: Waiting) -> None:
            order.append(name)
            assert waiting.slot is not None
            waiting.slot.release()

        return then

    queue = [Waiting(subject, then=note(name)).until_queued() for name in ("first", "last")]
    clock.advance(seconds)
    held.release()
    for waiting in queue:
        waiting.result()
    assert order == served


def test_more_places_let_those_in_who_wait() -> None:
    subject = slots(1)
    take(subject)
    queue = [Waiting(subject).until_queued() for _ in range(2)]
    subject.limit = 3
    assert all(waiting.result() is not None for waiting in queue)
    assert subject.in_flight == 3


def test_fewer_places_than_calls_admit_nobody_until_enough_have_ended() -> None:
    subject = slots(3)
    held = [take(subject) for _ in range(3)]
    subject.limit = 1
    assert (subject.limit, subject.in_flight) == (1, 3)
    waiting = Waiting(subject).until_queued()
    held[0].release()
    held[1].release()
    assert (subject.in_flight, subject.queued) == (1, 1)
    held[2].release()
    assert waiting.result() is not None


def test_a_place_released_with_nobody_who_could_take_it_is_not_lost() -> None:
    subject = slots(2)
    held = [take(subject) for _ in range(2)]
    subject.limit = 1
    for slot in held:
        slot.release()
    assert [subject.try_acquire() is not None for _ in range(2)] == [True, False]


class Interrupted(BaseException):
    """What a signal's handler raises in the middle of a wait."""


def interrupted(subject: Slots, before: Callable[[], None] = lambda: None) -> None:
    """Wait in this thread for a place, until a signal's handler runs `before` and raises."""
    handled = threading.Event()

    def handler(*_: object) -> None:
        if not handled.is_set():
            handled.set()
            before()
            raise Interrupted

    def send() -> None:
        while not subject.queued or subject._lock.locked():
            pass
        while not handled.wait(0.01):  # again: one that comes just before the thread begins to wait does not wake it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(Interrupted):
            subject.acquire(float("inf"))
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, previous)


@needs_signals
def test_an_interrupted_wait_leaves_the_queue() -> None:
    subject = slots(1)
    slot = take(subject)
    interrupted(subject)
    assert (subject.queued, subject.in_flight) == (0, 1)
    slot.release()
    assert subject.try_acquire() is not None


@needs_signals
def test_a_wait_interrupted_when_its_place_had_come_passes_it_on() -> None:
    subject = slots(1)
    slot = take(subject)
    interrupted(subject, before=slot.release)
    assert (subject.queued, subject.in_flight) == (0, 0)


def test_under_a_storm_of_waits_that_time_out_no_place_is_lost_or_made() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    subject, over, lock, now = slots(3), list[int](), threading.Lock(), [0]

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(100):
            slot = subject.acquire(chance.choice([0.0, 1e-6, 1e-4, 1e-3]))
            if slot is not None:
                with lock:
                    now[0] += 1
                    over.append(now[0])
                with lock:
                    now[0] -= 1
                slot.release()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert max(over) <= 3
    assert (subject.in_flight, subject.queued) == (0, 0)
    assert [subject.try_acquire() is not None for _ in range(4)] == [True, True, True, False]


def test_the_snapshot_says_how_long_the_first_has_waited() -> None:
    clock = FakeClock()
    subject = Slots(Bulkhead(max_concurrent=1), clock=clock)
    slot = take(subject)
    assert subject.snapshot() == {"in_flight": 1, "limit": 1, "queued": 0, "waited": 0.0}
    waiting = Waiting(subject).until_queued()
    clock.advance(2.5)
    assert subject.snapshot() == {"in_flight": 1, "limit": 1, "queued": 1, "waited": 2.5}
    slot.release()
    waiting.result()


@pytest.mark.parametrize(("options", "message"), [
    ({"max_concurrent": 0}, "Bulkhead.max_concurrent must be at least 1, not 0"),
    ({"max_concurrent": 2.5}, "Bulkhead.max_concurrent must be a whole number, not 2.5"),
    ({"max_wait": -1}, "Bulkhead.max_wait must be at least 0, not -1"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Bulkhead(**options)
    assert str(caught.value) == message


def test_a_limit_is_checked_when_set() -> None:
    with pytest.raises(ConfigurationError, match=r"Slots\.limit must be at least 1, not 0"):
        slots(1).limit = 0
