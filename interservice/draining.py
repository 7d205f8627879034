"""Draining by SIGTERM: first the instance says that it is not ready, and only then the server gets to know of the signal.

Nothing happens at import, and nothing is started before the signal has come, so that a fork takes nothing along. The handler
itself takes no lock and logs nothing.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .clock import SYSTEM
from .errors import ConfigurationError
from .inbound.health import Health
from .options import check, number

if TYPE_CHECKING:
    from .clock import Clock

#: What shells and orchestrators make of an end by SIGTERM.
_TERMINATED: Final = 128 + signal.SIGTERM
#: Where the placeholders come from that event loops leave for signals which they read elsewhere.
_EVENT_LOOPS: Final = ("asyncio", "uvloop")


class _Handler:
    """What SIGTERM calls: drains, and once it drains hands on to whoever was there before."""

    __slots__ = ("_before", "_clock", "_health", "_seconds")

    def __init__(self, health: Health, seconds: float, clock: Clock, before: Any) -> None:
        self._health = health
        self._seconds = seconds
        self._clock = clock
        self._before = before

    def is_for(self, health: Health) -> bool:
        """Whether it drains that one."""
        return self._health is health

    def __call__(self, number: int, frame: Any) -> None:
        """The signal has come."""
        if not self._health.draining and self._seconds > 0:
            self._health.drain()
            # Not threading.Thread: its start takes locks that the interrupted code may hold.
            _thread.start_new_thread(self._again, (os.getpid(),))
            return
        self._health.drain()
        if callable(self._before):
            self._before(number, frame)
        elif self._before != signal.SIG_IGN:
            _leave()

    def _again(self, process: int) -> None:
        """Wait, then send the signal once more: servers expect it in the main thread, where handlers run."""
        self._clock.sleep(self._seconds)
        os.kill(process, signal.SIGTERM)


def drain_on_sigterm(health: Health, *, seconds: float = 5.0, clock: Clock = SYSTEM) -> None:
    """Have SIGTERM drain for `seconds` before the server gets to know of it; one that comes meanwhile goes straight through.

    To be called in the process that serves, once the server has installed its own handler: at the start of an ASGI lifespan under
    uvicorn, in a module that gunicorn's workers import or in its `post_worker_init`, before `waitress.serve`. Where nothing
    handles the signal the process ends by `SystemExit`, which waitress takes as an order to finish. Called again for the same
    `Health` it does nothing.

    Args:
        health: Is drained.
        seconds: How long the server goes on serving: longer than load balancers take to notice. The time that the orchestrator
            gives (`terminationGracePeriodSeconds`, `TimeoutStopSec`, gunicorn's `graceful_timeout`) must be longer still.
        clock: What waits.

    Raises:
        ConfigurationError: `seconds` makes no sense; it is not called in the main thread, where alone Python handles signals; or
            an event loop reads the signal itself, as under granian and Hypercorn, where a drain file does it.
    """
    check(isinstance(health, Health), "drain_on_sigterm(health)", "a Health", health)
    number("drain_on_sigterm(seconds)", seconds, at_least=0)
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError("drain_on_sigterm must be called in the main thread: signals are handled nowhere else")
    before = signal.getsignal(signal.SIGTERM)
    if isinstance(before, _Handler) and before.is_for(health):
        return
    if (getattr(before, "__module__", None) or "").startswith(_EVENT_LOOPS):
        raise ConfigurationError(
            "drain_on_sigterm cannot hold back an event loop that reads signals itself: use Health.drain_file"
        )
    signal.signal(signal.SIGTERM, _Handler(health, seconds, clock, before))


def _leave() -> NoReturn:
    """As by SIGTERM, but in order: `finally` blocks and exit handlers run."""
    raise SystemExit(_TERMINATED)
