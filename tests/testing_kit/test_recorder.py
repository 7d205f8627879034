"""Recorder: keeps events, by kind, and waits for those of other threads."""

from __future__ import annotations

import threading

import pytest

from interservice.events import Listeners, Shed, TokenRefused
from interservice.testing import Recorder

SHED = Shed("orders", limit=1, in_flight=1)
REFUSED = TokenRefused("orders", "expired", public=False)


def test_events_are_kept_in_order_and_found_by_kind() -> None:
    recorder = Recorder()
    tell = Listeners([recorder])

    tell(SHED)
    tell(REFUSED)
    tell(SHED)

    assert recorder.events == [SHED, REFUSED, SHED]
    assert recorder.of(Shed) == [SHED, SHED]
    assert len(recorder) == 3


def test_a_copy_is_given_and_clear_forgets() -> None:
    recorder = Recorder()
    recorder(SHED)

    recorder.events.clear()
    assert recorder.events == [SHED]
    recorder.clear()
    assert recorder.events == []


def test_an_event_of_another_thread_is_waited_for() -> None:
    recorder = Recorder()
    thread = threading.Thread(target=lambda: list(map(recorder, [REFUSED, SHED])))
    thread.start()

    assert recorder.wait_for(Shed) == [SHED]
    thread.join()


def test_waiting_in_vain_says_what_came_instead() -> None:
    recorder = Recorder()
    recorder(REFUSED)

    with pytest.raises(TimeoutError, match=r"1 Shed expected .* 0 came: .*TokenRefused"):
        recorder.wait_for(Shed, timeout=0.01)
