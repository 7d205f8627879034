"""Revoked tokens, from Redis: each process follows the list in a thread, so that a request asks memory and no network.

The list in memory is complete up to a moment that is never more than `staleness` seconds ago; when it cannot be, `on_error` says
what follows. Threads and connections belong to one process and are made on first use, anew after a fork. No lock is held during
I/O or a log call.
"""

from __future__ import annotations

import logging
import random
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

from interservice.clock import SYSTEM
from interservice.condition import PASS, Condition
from interservice.errors import ConfigurationError, InvalidToken, RevocationsUnavailable
from interservice.events import Listeners, RevocationsChanged
from interservice.exchange import current
from interservice.forks import PerProcess
from interservice.options import number, one_of, text

from .reason import Reason
from .revocation import Kind, Revocation, RevocationList
from .revoked_stream import Reader, append, connector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from interservice.clock import Clock
    from interservice.events import Listener

    from .principal import Principal

_LOG = logging.getLogger("interservice.tokens")
_LOG_EVERY = 60.0
#: How often a request looks whether the list is still followed; in between it looks at the list alone.
_RECHECK = 1.0
_PRUNE_EVERY = 60.0
#: Seconds between attempts to reach Redis.
_LEAST_PAUSE, _MOST_PAUSE = 0.1, 2.0
#: The most by which a verifier's leeway lets a token outlive its exp.
_LEEWAY = 300.0


class _Process:
    """What belongs to one process: the thread that follows, and what it has come to."""

    __slots__ = ("following", "lock", "stopped", "thread", "tried")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        #: Set once the list was read, or that failed.
        self.tried = threading.Event()
        self.stopped = threading.Event()
        self.following = False
        self.thread: threading.Thread | None = None


class Revocations:
    """Tokens that are no longer to be believed, though they have not expired; for `Verifier(revocations=...)`.

    One object may serve any number of verifiers. Making it does no I/O.

    Args:
        redis: Where the list is: a URL (`rediss://` with a password beyond this machine).
        key: The key of the stream in Redis. Services that share it share their revocations.
        on_error: What becomes of tokens while the list cannot be followed: "deny" refuses them with 503, "allow" believes them
            unless the list at hand holds them, and says so in the log.
        staleness: Seconds by which the list in memory may be behind before that is an error.
        wait: Seconds that a request may wait for the list to be read for the first time.
        lifetime: Seconds for which any token lives at most; what was revoked is forgotten after that.
        require_jti: Whether tokens without `jti`, which cannot be revoked one by one, are refused.
        timeout: Seconds that Redis may take to answer.
        listeners: Are told `RevocationsChanged`.
        clock: Ages the list.

    Raises:
        ConfigurationError: An option makes no sense, or redis-py is not installed (the extra `redis`).
    """

    def __init__(
        self,
        redis: str,
        *,
        key: str = "interservice:revocations",
        on_error: Literal["deny", "allow"] = "deny",
        staleness: float = 5.0,
        wait: float = 2.0,
        lifetime: float = 86400.0,
        require_jti: bool = True,
        timeout: float = 2.0,
        listeners: Iterable[Listener] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        if not isinstance(redis, str) or not redis:
            raise ConfigurationError("Revocations.redis must be a URL: redis://, rediss:// or unix://")
        text("Revocations.key", key)
        one_of("Revocations.on_error", on_error, ("deny", "allow"))
        number("Revocations.staleness", staleness, above=0)
        number("Revocations.wait", wait, at_least=0)
        number("Revocations.lifetime", lifetime, above=0)
        number("Revocations.timeout", timeout, above=0)
        self.clock = clock
        self._block = min(1.0, staleness / 4)
        self._connect = connector(redis, timeout=timeout, block=self._block)
        self._key = key
        self._allows = on_error == "allow"
        self._staleness = staleness
        self._wait = wait
        self._lifetime = lifetime
        self._require_jti = require_jti
        self._listeners = Listeners(listeners, option="Revocations.listeners")
        self._list = RevocationList()
        #: Up to when the list is known to be complete, and until when nobody needs to ask that; on the monotonic clock.
        self._complete: float | None = None
        self._until: float | None = None
        self._error: str | None = None
        self._available: bool | None = None
        self._logged_at: float | None = None
        self._processes = PerProcess[_Process]()

    # What verifiers ask

    def clears(self, principal: Principal) -> bool:
        """Whether the list is followed and the token not on it; `check` says what is wrong where this is False. Never blocks."""
        until = self._until
        if (until is None or self.clock.monotonic() >= until) and not self._renew():
            return False
        return not self._list.covers(principal) and (principal.token_id is not None or not self._require_jti)

    def check(self, principal: Principal) -> None:
        """As `clears`, and says what is wrong.

        Raises:
            InvalidToken: The token was revoked, or has no `jti` by which it could be.
            RevocationsUnavailable: The list cannot be followed, and `on_error` is "deny".
        """
        if not self._renew():
            raise RevocationsUnavailable("Whether the token was revoked cannot be told now.", retry_after=_RECHECK)
        if self._require_jti and principal.token_id is None:
            raise InvalidToken(Reason.MISSING_CLAIM)
        if self._list.covers(principal):
            raise InvalidToken(Reason.REVOKED, "The access token was revoked")

    def work(self) -> Callable[[], object] | None:
        """Waiting for the list to be read for the first time in this process; None when there is nothing to wait for."""
        if self._is_followed(self.clock.monotonic()):
            return None
        process = self._process()
        self._ensure_following(process)
        return None if process.tried.is_set() else lambda: self._await(process)

    def condition(self) -> Condition:
        """For `Health`: pass while the list is followed; otherwise fail, or warn where tokens are believed without it."""
        if self._is_followed(self.clock.monotonic()):
            return PASS
        why = "revocations are not followed" + ("" if self._error is None else f": {self._error}")
        return Condition("warn" if self._allows else "fail", why)

    def warm(self) -> bool:
        """Read the list now if need be, waiting as long as a request would; whether it is followed. Never raises."""
        if (work := self.work()) is not None:
            work()
        return self._is_followed(self.clock.monotonic())

    # What operators ask

    def revoke(
        self,
        issuer: str,
        *,
        token_id: str | None = None,
        subject: str | None = None,
        client_id: str | None = None,
        before: float | None = None,
        expires_at: float | None = None,
    ) -> None:
        """Revoke one token, or all that were issued to a subject or a client before a moment. Asks Redis, so it may block.

        This process knows at once, the others as soon as Redis has told them, as a rule within milliseconds.

        Args:
            issuer: Whose tokens: their `iss`.
            token_id: The `jti` of one token; or
            subject: a `sub`, all of whose tokens are meant; or
            client_id: a client, all of whose tokens are meant.
            before: Tokens issued before this are meant, in seconds since the epoch; now by default. `iat` is in whole seconds as
                a rule, so that a token issued within the same second is meant too.
            expires_at: When the one token expires, so that it is forgotten then.

        Raises:
            ConfigurationError: Not exactly one of `token_id`, `subject` and `client_id` is given, or a moment makes no sense.
            RevocationsUnavailable: Redis did not take it. Nothing is revoked for others then.
        """
        entry = self._entry(issuer, {"token": token_id, "subject": subject, "client": client_id}, before, expires_at)
        try:
            with closing(self._connect()) as client:
                append(client, self._key, entry, lifetime=self._lifetime + _LEEWAY)
        except Exception as error:
            raise RevocationsUnavailable("The revocation could not be written down.", retry_after=_RECHECK) from error
        self._take(self._process(), [entry])

    def snapshot(self) -> dict[str, Any]:
        """Plain data for a status page: whether it is followed, entries, seconds behind, and the last error's type."""
        now = self.clock.monotonic()
        return {
            "followed": self._is_followed(now),
            "entries": len(self._list),
            "behind": None if self._complete is None else now - self._complete,
            "last_error": self._error,
        }

    def close(self) -> None:
        """Stop following, in this process; what is verified after that begins anew."""
        process = self._processes.known()
        if process is None:
            return
        process.stopped.set()
        if process.thread is not None and process.thread is not threading.current_thread():
            process.thread.join(self._block + 1.0)
        self._processes.forget()
        self._until = self._complete = None

    # How it is followed

    def _is_followed(self, now: float) -> bool:
        return self._complete is not None and now - self._complete <= self._staleness

    def _renew(self) -> bool:
        """Whether tokens may be looked up, having seen to it that the list is followed; asked once a second."""
        now = self.clock.monotonic()
        if self._until is not None and now < self._until:
            return True
        process = self._process()
        self._ensure_following(process)
        complete = self._complete
        if complete is not None and now - complete <= self._staleness:
            self._until = min(now + _RECHECK, complete + self._staleness)
            return True
        if self._allows and process.tried.is_set():
            self._log_allowing(now)
            return True
        return False

    def _process(self) -> _Process:
        process = self._processes.known()
        return self._processes.keep(_Process()) if process is None else process

    def _ensure_following(self, process: _Process) -> None:
        if process.following:
            return
        with process.lock:
            if process.following:
                return
            process.following = True
        thread = threading.Thread(target=self._follow, args=(process,), name="interservice-revocations", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            process.following = False
            self._failed(process, error)
        else:
            process.thread = thread

    def _follow(self, process: _Process) -> None:
        pause = _LEAST_PAUSE
        while not process.stopped.is_set():
            try:
                with closing(self._connect()) as client:
                    for _ in self._read(process, Reader(client, self._key)):
                        pause = _LEAST_PAUSE
            except Exception as error:  # noqa: BLE001 - whatever it is, the list is no longer followed; it is logged below
                self._failed(process, error)
                process.stopped.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                pause = min(2 * pause, _MOST_PAUSE)

    def _read(self, process: _Process, reader: Reader) -> Iterable[None]:
        """Follow over one connection, from the start: a Redis that came back may have lost or renumbered entries."""
        caught_up, pruned = False, self.clock.monotonic()
        while not process.stopped.is_set():
            asked = self.clock.monotonic()
            entries = reader.read(self._block if caught_up else None)
            if entries is not None:
                self._take(process, entries)
            caught_up = caught_up or entries is None
            if caught_up:
                # Complete as of when it was asked, not of when the answer came: that may have been long on its way.
                self._complete = asked
                self._succeeded(process)
            if asked - pruned > _PRUNE_EVERY:
                with process.lock:
                    self._list.prune(self.clock.time())
                pruned = asked
            yield

    def _take(self, process: _Process, entries: Iterable[Revocation]) -> None:
        with process.lock:
            for entry in entries:
                self._list.add(entry)

    def _await(self, process: _Process) -> None:
        exchange = current()
        process.tried.wait(self._wait if exchange is None else min(self._wait, exchange.deadline.remaining()))

    def _succeeded(self, process: _Process) -> None:
        if self._available is not True:
            self._available, self._error = True, None
            process.tried.set()
            self._listeners(RevocationsChanged(available=True, error=None))
        process.tried.set()

    def _failed(self, process: _Process, error: Exception) -> None:
        # A message could hold the URL, and with it a password.
        self._error = type(error).__name__
        process.tried.set()
        if self._available is not False:
            self._available = False
            _LOG.warning("the list of revoked tokens cannot be followed: %s", self._error)
            self._listeners(RevocationsChanged(available=False, error=self._error))

    def _log_allowing(self, now: float) -> None:
        if self._logged_at is None or now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _LOG.warning("tokens are believed though it cannot be told whether they were revoked: %s", self._error)

    def _entry(self, issuer: str, names: dict[Kind, str | None], before: float | None, expires_at: float | None) -> Revocation:
        text("Revocations.revoke(issuer)", issuer)
        number("Revocations.revoke(before)", before, at_least=0, optional=True)
        number("Revocations.revoke(expires_at)", expires_at, at_least=0, optional=True)
        given = [(kind, name) for kind, name in names.items() if name is not None]
        if len(given) != 1 or not isinstance(given[0][1], str):
            raise ConfigurationError("Revocations.revoke must be given exactly one of token_id, subject and client_id")
        (kind, name), now = given[0], self.clock.time()
        before = now if before is None or kind == "token" else before
        until = max(now, before) + self._lifetime
        if kind == "token" and expires_at is not None:
            if expires_at > until:
                raise ConfigurationError(f"Revocations.lifetime must be at least that of the token, not {self._lifetime!r}")
            until = expires_at
        return Revocation(kind, issuer, name, before, until + _LEEWAY)

    def __repr__(self) -> str:
        return f"<Revocations {self._key!r} {self.snapshot()}>"
