"""One token for many threads: whoever needs a fetch starts it or joins the one under way, and nobody holds a lock meanwhile.

A fetch runs in a thread of its own, so that neither the deadline nor the death of the call that started it ends it for others.
Waits are real time, whatever clock was given.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from .errors import TokenUnavailable
from .token_state import Failure, Held, TokenState

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.clock import Clock

_LOG: Final = logging.getLogger("interservice")
#: Nobody waits longer for a token, whatever the deadline.
_MAX_WAIT: Final = 10.0
_UNEXPECTED_PAUSE: Final = 5.0


class TokenSource:
    """The live state of one set of credentials in one process.

    Args:
        fetch: Gets a token or says why not; may block, may raise.
        clock: Its `monotonic()` is the scale of the tokens that `fetch` gives.
        name: For messages: which credentials these are.
        fetched: Is told of each fetch that ended: how, whether the token in hand was still good, and the seconds it took.
    """

    __slots__ = ("_clock", "_fetch", "_fetched", "_flight", "_lock", "_name", "_state")

    def __init__(
        self,
        fetch: Callable[[], Held | Failure],
        *,
        clock: Clock,
        name: str,
        fetched: Callable[[Held | Failure, bool, float], object] | None = None,
    ) -> None:
        self._fetched = fetched
        self._fetch = fetch
        self._clock = clock
        self._name = name
        self._lock = threading.Lock()
        self._state = TokenState()
        self._flight: threading.Event | None = None

    def token(self, timeout: float) -> str:
        """A token that has not expired.

        Args:
            timeout: Seconds to wait for a fetch, if one is needed; never more than ten.

        Raises:
            TokenUnavailable: None could be had in time.
        """
        now = self._clock.monotonic()
        with self._lock:
            state, flight, started = self._state, self._flight, False
            if flight is None and state.wants_fetch(now):
                self._flight = flight = threading.Event()
                started = True
        if started and flight is not None:
            self._start(flight)
        if flight is not None and state.must_wait(now):
            in_time = flight.wait(max(0.0, min(timeout, _MAX_WAIT)))
            state = self._state
        else:
            in_time = True
        value = state.usable(self._clock.monotonic())
        if value is None:
            raise self._unavailable(state, in_time=in_time)
        return value

    def refused(self, token: str) -> bool:
        """A service answered 401 to `token`: drop it if it is still the one held; whether a replay with another makes sense."""
        with self._lock:
            self._state, again = self._state.refused(token, self._clock.monotonic())
        return again

    def _start(self, flight: threading.Event) -> None:
        try:
            threading.Thread(target=self._fly, args=(flight,), name="interservice-token", daemon=True).start()
        except RuntimeError:  # the interpreter is ending, or there are no more threads
            self._fly(flight)

    def _fly(self, flight: threading.Event) -> None:
        started = self._clock.monotonic()
        try:
            outcome = self._fetch()
        except Exception as error:  # noqa: BLE001 - the flight must end for those who wait, whatever happened
            _LOG.exception("fetching a token for %s failed unexpectedly", self._name)
            outcome = Failure(f"{type(error).__name__} while fetching a token", _UNEXPECTED_PAUSE)
        now = self._clock.monotonic()
        with self._lock:
            before = self._state
            self._state = before.fetched(outcome) if isinstance(outcome, Held) else before.failed(outcome, now)
            self._flight = None
        flight.set()
        early = before.usable(now) is not None
        if self._fetched is not None:
            self._fetched(outcome, early, now - started)
        if isinstance(outcome, Failure) and early:
            _LOG.warning("refreshing the token of %s failed, the current one is still used: %s", self._name, outcome.reason)

    def _unavailable(self, state: TokenState, *, in_time: bool) -> TokenUnavailable:
        failure = state.failure
        if failure is None or not in_time:
            return TokenUnavailable(f"no token for {self._name}: the token endpoint did not answer in time")
        pause = max(0.0, state.next_attempt - self._clock.monotonic())
        error = TokenUnavailable(f"no token for {self._name}: {failure.reason}", retry_after=pause)
        error.oauth_error = failure.oauth_error
        return error
