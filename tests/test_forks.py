"""What belongs to one process is kept once, and is not a child's."""

from __future__ import annotations

import os
import threading

from interservice.forks import PerProcess, forget_after_fork


def in_child(answer: object) -> bool:
    """Whether `answer()` is true in a forked child."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if callable(answer) and answer() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_nothing_is_known_before_something_is_kept() -> None:
    mine = PerProcess[str]()
    assert mine.known() is None
    assert mine.keep("first") == "first"
    assert mine.known() == "first"


def test_what_was_kept_first_stays() -> None:
    mine = PerProcess[str]()
    mine.keep("first")
    assert mine.keep("second") == "first"


def test_all_threads_that_come_at_once_get_the_same() -> None:
    mine, barrier, got = PerProcess[object](), threading.Barrier(8), []

    def come() -> None:
        barrier.wait()
        got.append(mine.keep(object()))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, got))) == 1


def test_what_was_forgotten_is_made_anew() -> None:
    mine = PerProcess[str]()
    mine.keep("first")
    mine.forget()
    assert mine.known() is None
    assert mine.keep("second") == "second"


def test_child_has_nothing_of_its_parents() -> None:
    mine = PerProcess[str]()
    mine.keep("parent's")
    assert in_child(lambda: mine.known() is None and mine.keep("child's") == "child's")
    assert mine.known() == "parent's"


class Owner:
    def __init__(self) -> None:
        self.forgot = False

    def forget(self) -> None:
        self.forgot = True


def test_owner_forgets_in_the_child_alone() -> None:
    owner = Owner()
    forget_after_fork(owner)
    assert in_child(lambda: owner.forgot)
    assert not owner.forgot


def test_hook_does_not_keep_its_owner() -> None:
    told: list[Owner] = []

    class Telling(Owner):
        def forget(self) -> None:
            told.append(self)

    forget_after_fork(Telling())
    assert in_child(lambda: not told)
