"""Finding out where services run, in the background: one thread for all of a process, and a watch for each destination.

The thread starts with the first watch that is asked, and belongs to its process; it looks up what is due, and sleeps until the
next is. It holds no watch alive: that of an adapter that is gone is forgotten. What could not be found again is still used, for a
name server that is down says nothing about the service.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING

from interservice.clock import SYSTEM
from interservice.errors import ConfigurationError

from .discovery import Found, found

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from interservice.clock import Clock

    from .discovery import Discovery

_LOG = logging.getLogger("interservice")
#: Seconds between two lookups at least, however often a connection fails, and after a lookup that failed.
_AT_MOST_EVERY = 5.0
#: The share by which the time between two lookups varies, so that many processes do not ask at once.
_JITTER = 0.1
#: Seconds after which the thread looks at its watch at the latest: another clock than the machine's may have moved.
_LONGEST_SLEEP = 60.0


class Watch:
    """What is known of where one service runs, and when that is looked up again. Safe to use from many threads.

    Args:
        discovery: Looks it up; blocks.
        changed: Is told what was found, whenever something was; called in the background, one at a time.
        clock: What `refresh` is measured on.
        random: For jitter.
    """

    def __init__(
        self,
        discovery: Discovery,
        changed: Callable[[Sequence[Found]], object],
        *,
        clock: Clock = SYSTEM,
        random: Random,
    ) -> None:
        self._discovery = discovery
        self._changed = changed
        self._monotonic = clock.monotonic
        self._random = random
        self._ended = -_AT_MOST_EVERY
        self._once = threading.Event()
        #: When it is looked up next.
        self.due = clock.monotonic()
        #: Why the last lookup failed, in words; None when it did not.
        self.trouble: str | None = None

    def wait(self, seconds: float) -> None:
        """Have it looked up, and wait for the end of the first lookup, at most so long; the thread is started if need be."""
        BACKGROUND.add(self)
        self._once.wait(min(seconds, threading.TIMEOUT_MAX))

    def hasten(self) -> None:
        """A connection failed: look it up soon, unless that was done a moment ago."""
        now = self._monotonic()
        soon = max(now, self._ended + _AT_MOST_EVERY)
        if soon < self.due:
            self.due = soon
            BACKGROUND.add(self)

    def look(self) -> None:
        """Look it up now. Never raises; what is wrong is logged when it begins, and kept as `trouble`."""
        try:
            answer = found(self._discovery)
        except Exception as error:  # noqa: BLE001 - a resolver's or a caller's own: what was known stays
            self._failed(error)
        else:
            self.trouble = None
            self._changed(answer)
        refresh = self._discovery.refresh if self.trouble is None else min(self._discovery.refresh, _AT_MOST_EVERY)
        self._ended = self._monotonic()
        self.due = self._ended + refresh * (1.0 + _JITTER * (2.0 * self._random.random() - 1.0))
        self._once.set()

    def left(self) -> float:
        """Seconds until it is due."""
        return self.due - self._monotonic()

    def _failed(self, error: Exception) -> None:
        known, self.trouble = self.trouble, _words(error)
        if known is None:
            _LOG.warning("%s failed: %s; what was found before is used", type(self._discovery).__name__, self.trouble)


def _words(error: Exception) -> str:
    """What is said of an error. The text of one from a callable of yours may hold a secret, such as a registry's URL."""
    word = type(error).__name__
    told = isinstance(error, (OSError, LookupError, ConfigurationError)) or type(error).__module__.startswith("dns.")
    return f"{word}: {error}" if told else word


class _Round:
    """The thread of one process, and what it looks after."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._wake:
            self._watches.add(watch)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="interservice-discovery", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is going down
                    thread.start()
                    self._thread = thread
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                left = min((watch.left() for watch in self._watches), default=_LONGEST_SLEEP)
                if left > 0:
                    self._wake.wait(min(left, _LONGEST_SLEEP))
                due = [watch for watch in self._watches if watch.left() <= 0]
            while due:
                due.pop().look()


class Background:
    """The thread of whatever process this is. Nothing is made before it is needed, and everything anew after a fork."""

    def __init__(self) -> None:
        self._rounds: dict[int, _Round] = {}

    def add(self, watch: Watch) -> None:
        """Look after a watch from now on, and see at once whether it is due."""
        process = os.getpid()
        (self._rounds.get(process) or self._rounds.setdefault(process, _Round())).add(watch)


#: The one of this process.
BACKGROUND = Background()
