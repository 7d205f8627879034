"""Work that a process does beside its requests: one daemon thread, started at the first need, woken early or at each interval.

An object of this class belongs to one process: whoever owns it makes another after a fork. Nothing here runs at import or
construction.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("interservice.telemetry")


class Background:
    """Repeats `task` every `every` seconds until stopped, and once more then.

    Args:
        task: What to do; an exception is logged once and changes nothing. Must not hold on to the owner of this object.
        every: Seconds between two runs.
        name: The thread's name.
        finish: What to do after the last run, in the same thread: closing what `task` opened.
    """

    __slots__ = (
        "_at_end",
        "_every",
        "_finish",
        "_name",
        "_reported",
        "_starting",
        "_stopping",
        "_task",
        "_thread",
        "_tickets",
        "_wake",
        "pid",
    )

    def __init__(
        self, task: Callable[[], object], *, every: float, name: str, finish: Callable[[], object] | None = None
    ) -> None:
        self.pid = os.getpid()
        self._task = task
        self._every = every
        self._name = name
        self._finish = finish
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tickets: deque[threading.Event] = deque()
        self._stopping = False
        self._reported = False
        self._at_end: Callable[[], object] | None = None

    @property
    def running(self) -> bool:
        """Whether the thread was started and not stopped."""
        return self._thread is not None and not self._stopping

    def start(self) -> None:
        """Start the thread, unless it runs or was stopped."""
        with self._starting:
            if self._thread is None and not self._stopping:
                thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is going down, or the machine is out of threads
                    self._stopping = True
                else:
                    self._thread = thread
                    self._at_end = _at_workers_end(self.stop)

    def wake(self) -> None:
        """Run now rather than at the end of the interval. A thread that was told and has not come round yet is not told again."""
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Have the task run once from its beginning, and wait at most `timeout` seconds for its end: True when it came."""
        thread = self._thread
        if thread is None or self.pid != os.getpid():
            return True
        if thread is threading.current_thread():
            return False
        ticket = threading.Event()
        self._tickets.append(ticket)
        self._wake.set()
        return ticket.wait(timeout)

    def stop(self, timeout: float = 1.0) -> None:
        """Have the task run a last time and wait at most `timeout` seconds for that. In another process than its own: nothing."""
        thread = self._thread
        if self.pid != os.getpid():
            return
        self._stopping = True
        if self._at_end is not None:
            self._at_end()
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _loop(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait(self._every)
            self._wake.clear()
            stopping = self._stopping
            tickets = [self._tickets.popleft() for _ in range(len(self._tickets))]
            self._safely(self._task)
            if stopping and self._finish is not None:
                self._safely(self._finish)
            for ticket in tickets:
                ticket.set()

    def _safely(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception:  # noqa: BLE001 - the thread goes on
            if not self._reported:
                self._reported = True
                _LOG.exception("%s failed; further failures of it are not logged", self._name)


def _at_workers_end(callback: Callable[[], object]) -> Callable[[], object] | None:
    """Have `callback` called at the end of a process that multiprocessing made, such as Granian's workers; None for others.

    Such processes run no atexit hooks. The result takes the call back.
    """
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is None or util is None or process.parent_process() is None:
        return None
    cancel: Callable[[], object] = util.Finalize(None, callback, exitpriority=0).cancel
    return cancel
