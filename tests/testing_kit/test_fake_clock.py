"""FakeClock: time passes when the test says so."""

from __future__ import annotations

import threading

import pytest

from interservice.errors import ConfigurationError
from interservice.testing import FakeClock


def test_time_stands_still() -> None:
    clock = FakeClock(monotonic=5.0, time=100.0)

    assert [clock.monotonic(), clock.time()] == [clock.monotonic(), clock.time()] == [5.0, 100.0]


def test_advance_moves_both_scales() -> None:
    clock = FakeClock(monotonic=5.0, time=100.0)

    clock.advance(2.5)

    assert (clock.monotonic(), clock.time()) == (7.5, 102.5)


def test_sleep_returns_at_once_and_is_noted() -> None:
    clock = FakeClock(monotonic=0.0)

    clock.sleep(3600.0)
    clock.sleep(-1.0)

    assert clock.monotonic() == 3600.0
    assert clock.slept == [3600.0, -1.0]


def test_jump_moves_the_wall_clock_alone() -> None:
    clock = FakeClock(monotonic=5.0, time=100.0)

    clock.jump(-50.0)

    assert (clock.monotonic(), clock.time()) == (5.0, 50.0)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), "1"])
def test_nonsense_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=r"FakeClock\.advance"):
        FakeClock().advance(seconds)


def test_no_second_is_lost_between_threads() -> None:
    clock = FakeClock(monotonic=0.0)

    def walk() -> None:
        for _ in range(500):
            clock.advance(1)

    threads = [threading.Thread(target=walk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.monotonic() == 4000.0
