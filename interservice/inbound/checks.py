"""What an instance's readiness hangs on: checks that say their state at once, and checks that ask somebody.

Nothing here blocks a request but `work`, which a policy hands to the binding. Whatever asks somebody runs in a thread of its own,
one at a time for each check: one that hangs holds up nobody beyond its timeout, and is not asked again before it has returned.
Locks and flights belong to one process and are made anew after a fork.
"""

from __future__ import annotations

import inspect
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast, runtime_checkable

from interservice.clock import SYSTEM
from interservice.condition import PASS, Condition
from interservice.forks import PerProcess
from interservice.options import check, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from interservice.clock import Clock

    from .policy import Work

_LOG = logging.getLogger("interservice")
_LONGEST_OUTPUT: Final = 200


@runtime_checkable
class Conditioned(Protocol):
    """What can say at once how it does: `Verifier`, `Issuers`, `JWKS`, `Introspection`, `Revocations`, `ServiceAdapter`."""

    def condition(self) -> Condition:
        """How it does now, without blocking."""


#: Something with a condition; or a callable that may block, and gives None or True, or False, a text saying why not, or a
#: `Condition`, or raises.
Target: TypeAlias = "Conditioned | Callable[[], Condition | str | bool | None]"


@dataclass(frozen=True)
class Check:
    """Something that readiness hangs on, with how it is to be asked.

    Args:
        target: What is asked: something with a `condition()`, or a plain callable, which may block. That holds when it gives
            None or True, and does not when it gives False or a text saying why, or raises.
        critical: Whether an instance for which it fails is not ready; otherwise it is ready, with a warning. None: as the target
            says; a callable is critical, a `ServiceAdapter` is not.
        every: Seconds for which an answer is kept before the callable is called again; None: as `Health` says.
        timeout: Seconds that it may take; None: as `Health` says.

    Raises:
        ConfigurationError: An option makes no sense, or the target is a coroutine function.
    """

    target: Target
    critical: bool | None = field(default=None, kw_only=True)
    every: float | None = field(default=None, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        usable = isinstance(self.target, Conditioned) or callable(self.target)
        check(usable and not isinstance(self.target, type), "Check.target", "a callable, or have a condition()", self.target)
        waits = inspect.iscoroutinefunction(self.target)
        check(not waits, "Check.target", "a plain function: it is called in a thread, where it may block", self.target)
        number("Check.every", self.every, at_least=0, optional=True)
        number("Check.timeout", self.timeout, above=0, optional=True)


class _Process:
    """What belongs to one process: the lock, the event that ends the flight under way, and when it took off."""

    __slots__ = ("asked_at", "flight", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.flight: threading.Event | None = None
        self.asked_at: float | None = None


class Watched:
    """One check, and what is known of it in this process."""

    __slots__ = ("_critical", "_every", "_processes", "_result", "_target", "_timeout", "name")

    def __init__(self, name: str, options: Check, *, every: float, timeout: float) -> None:
        self.name = name
        self._target = options.target
        self._critical = options.critical
        self._every = every if options.every is None else options.every
        self._timeout = timeout if options.timeout is None else options.timeout
        self._result: Condition | None = None
        self._processes = PerProcess[_Process]()

    def condition(self) -> Condition:
        """How it does, as far as is known. Never blocks, never raises."""
        if isinstance(self._target, Conditioned):
            found = _asked(self._target.condition)
        else:
            found = self._result or Condition("fail", "was not asked yet")
        critical = found.critical if self._critical is None else self._critical
        status = "warn" if found.status == "fail" and not critical else found.status
        return Condition(status, found.output and found.output[:_LONGEST_OUTPUT], critical)

    def is_due(self, now: float) -> bool:
        """Whether somebody should be asked now: never had an answer, or it is old, and nobody is asking who has had one."""
        if self._asking() is None:
            return False
        process = self._process()
        if process.flight is not None:
            return self._result is None and not isinstance(self._target, Conditioned)
        return process.asked_at is None or now - process.asked_at >= self._every

    def ask(self, clock: Clock) -> tuple[threading.Event, float]:
        """Ask in a thread, unless that is under way: the event that ends it, and how many seconds it may take."""
        process = self._process()
        flight = threading.Event()
        with process.lock:
            under_way = process.flight
            if under_way is None:
                process.flight = flight
                process.asked_at = clock.monotonic()
        if under_way is not None:
            return under_way, self._timeout
        thread = threading.Thread(target=self._fly, args=(process, flight), name="interservice-health", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            self._land(process, flight, Condition("fail", str(error)))
        return flight, self._timeout

    def late(self, flight: threading.Event) -> None:
        """It took too long; what it says in the end will count when it comes."""
        process = self._process()
        with process.lock:
            if process.flight is flight:
                self._result = Condition("fail", f"no answer within {self._timeout:g} s")

    def _asking(self) -> Callable[[], object] | None:
        """What is to be called in a thread: the callable; or what may better a condition that is not as it should be."""
        target = self._target
        if not isinstance(target, Conditioned):
            return target
        warm = getattr(target, "warm", None)
        return warm if callable(warm) and _asked(target.condition).status != "pass" else None

    def _fly(self, process: _Process, flight: threading.Event) -> None:
        found = Condition("fail", "ended without an answer")
        try:
            asking = self._asking()
            found = PASS if asking is None else _asked(cast("Callable[[], Any]", asking))
        finally:
            self._land(process, flight, found)

    def _land(self, process: _Process, flight: threading.Event, found: Condition) -> None:
        with process.lock:
            self._result = found
            process.flight = None
        flight.set()

    def _process(self) -> _Process:
        process = self._processes.known()
        return self._processes.keep(_Process()) if process is None else process


def watched(checks: Sequence[tuple[str, Check]], *, every: float, timeout: float) -> tuple[Watched, ...]:
    """The checks, ready to be asked."""
    return tuple(Watched(name, options, every=every, timeout=timeout) for name, options in checks)


def work(all_watched: Sequence[Watched], clock: Clock) -> Work | None:
    """Asking those that are due, all at once, and waiting for them; None when all is known."""
    now = clock.monotonic()
    due = [one for one in all_watched if one.is_due(now)]
    return (lambda: _ask_all(due, clock)) if due else None


def _ask_all(due: Sequence[Watched], clock: Clock) -> None:
    # Waiting takes real time, whatever clock is given.
    started = SYSTEM.monotonic()
    flights = [(one, *one.ask(clock)) for one in due]
    for one, flight, timeout in flights:
        if not flight.wait(max(0.0, started + timeout - SYSTEM.monotonic())):
            one.late(flight)


def _asked(ask: Callable[[], Any]) -> Condition:
    """What somebody answers, as a condition. A message of an exception may hold a URL with a password: its type must do."""
    try:
        answer = ask()
    except Exception as error:  # noqa: BLE001 - whatever it is, the check does not hold; it is told below and in the answer
        _LOG.debug("a health check raised", exc_info=True)
        return Condition("fail", type(error).__name__)
    if isinstance(answer, Condition):
        return answer
    if answer is None or answer is True:
        return PASS
    if answer is False:
        return Condition("fail")
    if isinstance(answer, str):
        return Condition("fail", answer)
    return Condition("fail", f"gave a {type(answer).__name__}, not None, True, False, a text or a Condition")
