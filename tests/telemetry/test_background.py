"""The thread beside the requests: started once, woken early, stopped with a last run, and never of another process."""

from __future__ import annotations

import threading

import pytest

from interservice.telemetry.background import Background


def test_flush_waits_for_a_whole_run() -> None:
    runs: list[int] = []
    background = Background(lambda: runs.append(1), every=3600.0, name="b")
    assert background.flush(1.0)
    assert runs == []
    background.start()
    assert background.flush(10.0)
    assert runs == [1]
    background.stop(10.0)
    assert runs == [1, 1]
    assert not background.running


def test_flush_gives_up_when_the_task_hangs() -> None:
    release = threading.Event()
    background = Background(release.wait, every=3600.0, name="b")
    background.start()
    assert not background.flush(0.01)
    release.set()
    background.stop(10.0)


def test_what_was_opened_is_closed_in_the_thread_after_the_last_run() -> None:
    seen: list[str] = []
    background = Background(lambda: seen.append("run"), every=3600.0, name="b", finish=lambda: seen.append("finish"))
    background.start()
    background.stop(10.0)
    assert seen == ["run", "finish"]


def test_started_by_many_it_is_one_thread() -> None:
    background = Background(lambda: None, every=3600.0, name="only-one")
    starters = [threading.Thread(target=background.start) for _ in range(16)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert sum(thread.name == "only-one" for thread in threading.enumerate()) == 1
    background.stop(10.0)


def test_a_task_that_fails_goes_on_and_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[int] = []

    def task() -> None:
        runs.append(1)
        raise RuntimeError("no")

    background = Background(task, every=3600.0, name="b")
    background.start()
    for _ in range(3):
        assert background.flush(10.0)
    background.stop(10.0)
    assert len(runs) == 4
    assert len(caplog.records) == 1


def test_stopped_it_does_not_start_again() -> None:
    background = Background(lambda: None, every=3600.0, name="b")
    background.stop()
    background.start()
    assert not background.running
