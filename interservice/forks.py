"""What belongs to one process: locks, threads and sockets that a fork copies are of no use to the child.

Each process makes its own when it first needs them. Nothing here locks: of two threads that come at once one wins, and what the
other made was never used.
"""

from __future__ import annotations

import os
import weakref
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Holds one thing for each process, which whoever finds none makes and has kept."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[int, T] = {}

    def known(self) -> T | None:
        """This process' own, or None before it has one."""
        return self._kept.get(os.getpid())

    def keep(self, made: T) -> T:
        """Keep what was made for this process, unless another thread was first; gives what is kept."""
        pid = os.getpid()
        kept = self._kept.setdefault(pid, made)
        self._kept = {pid: kept}  # nothing of an ancestor, whose process id may come round again
        return kept

    def forget(self) -> None:
        """Have the next one who asks find none."""
        self._kept = {}


class Forgetful(Protocol):
    """What has something to drop in a forked child."""

    def forget(self) -> None:
        """Drop what is the parent's."""


def forget_after_fork(owner: Forgetful) -> None:
    """Have `owner.forget()` called in every forked child, as long as there is an owner."""
    os.register_at_fork(after_in_child=_Forget(owner))


class _Forget:
    """The hook in a forked child. Holds the owner weakly: hooks cannot be taken back."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Forgetful) -> None:
        self._owner = weakref.ref(owner)

    def __call__(self) -> None:
        owner = self._owner()
        if owner is not None:
            owner.forget()
