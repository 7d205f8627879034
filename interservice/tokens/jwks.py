"""An issuer's keys over HTTP: a thread drives the state machine of `keys`.

At most one fetch is under way. It runs in a thread of its own, so that no request's end cancels it and no request waits longer
than `wait`; a request whose key is known never waits. The lock guards the machine alone: it is never held during I/O, a
callback or a log call. Locks and fetches belong to one process and are made anew after a fork; the keys themselves are kept.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Any

from interservice.clock import SYSTEM
from interservice.condition import PASS, Condition
from interservice.events import KeysFetched, KeysNoticed, Listeners
from interservice.exchange import current
from interservice.forks import PerProcess
from interservice.hosts import check_url
from interservice.options import number

from .fetch import Fetched, FetchFailed, fetch
from .jwk import UnusableKey
from .keys import KeyMachine, State
from .keyset import KeySet, keys_from_jwks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import requests

    from interservice.clock import Clock
    from interservice.events import Listener

    from .source import Lease

_LOG = logging.getLogger("interservice.tokens")
_LOG_EVERY = 60.0


class _Process:
    """What belongs to one process: the lock, and the event that ends the fetch under way."""

    __slots__ = ("flight", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.flight: threading.Event | None = None


class JWKS:
    """The keys that an issuer publishes (RFC 7517), fetched when needed, refreshed ahead of time and kept through outages.

    State is per object: share the object to share its keys. Making it does no I/O.

    Args:
        url: Where the key set is; https, or http on this machine.
        ttl: Seconds for which keys are fresh where the response has no Cache-Control; with one, its max-age within 60 to 3600 s.
        max_stale: Seconds for which keys that cannot be refreshed are served on after that; 0 for not at all.
        allow_http: Whether plain http beyond this machine is accepted.
        clock: Ages keys. Waiting for the network takes real time, whatever clock is given.
        session: A `requests.Session` to fetch through, such as one with a proxy or a private CA; by default one that takes
            nothing from the environment.
        timeout: Seconds that one fetch may take in all.
        wait: Seconds that one request may wait for a fetch.
        max_bytes: The largest document that is read.
        listeners: Are told `KeysFetched` and `KeysNoticed`.

    Raises:
        ConfigurationError: An option makes no sense, or the URL is plain http beyond this machine.
    """

    def __init__(
        self,
        url: str,
        *,
        ttl: float = 600.0,
        max_stale: float = 14400.0,
        allow_http: bool = False,
        clock: Clock = SYSTEM,
        session: requests.Session | None = None,
        timeout: float = 5.0,
        wait: float = 2.0,
        max_bytes: int = 262_144,
        listeners: Iterable[Listener] = (),
    ) -> None:
        name = type(self).__name__
        check_url(f"{name}.url", url, allow_http=allow_http)
        self.url = url
        number(f"{name}.ttl", ttl, above=0)
        number(f"{name}.max_stale", max_stale, at_least=0)
        number(f"{name}.timeout", timeout, above=0)
        number(f"{name}.wait", wait, at_least=0)
        number(f"{name}.max_bytes", max_bytes, at_least=1, integer=True)
        self.clock = clock
        self.lease: Lease | None = None
        #: Why the last fetch failed; None when it did not.
        self.last_error: str | None = None
        self._options: dict[str, Any] = {"session": session, "timeout": timeout, "max_bytes": max_bytes}
        self._wait = wait
        self._machine = KeyMachine(ttl, max_stale, random.random)
        self._etag: str | None = None
        self._processes = PerProcess[_Process]()
        self._processes.keep(_Process())
        self._logged_at: float | None = None
        self._listeners = Listeners(listeners, option=f"{name}.listeners")

    has_secret = False

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the usable keys at hand."""
        keyset = self._machine.keyset
        return frozenset() if keyset is None else keyset.kids

    @property
    def state(self) -> State:
        """empty, fresh, aging, stale or dead: ready to verify unless it is empty or dead."""
        return self._machine.state(self.clock.monotonic())

    def snapshot(self) -> dict[str, Any]:
        """Plain data for a status page: url, state, age in seconds, generation, key ids and the last error."""
        now = self.clock.monotonic()
        return {
            "url": self.url,
            "state": str(self._machine.state(now)),
            "age": self._machine.age(now),
            "generation": self._machine.generation,
            "kids": sorted(self.kids),
            "last_error": self.last_error,
        }

    def condition(self) -> Condition:
        """For `Health`: pass with keys that are fresh enough, warn while stale ones are served, fail when there are none."""
        state = self.state
        if state in {State.FRESH, State.AGING}:
            return PASS
        return Condition("warn" if state is State.STALE else "fail", f"keys are {state}")

    def warm(self) -> bool:
        """Fetch the keys now if there are none, waiting as a request would; whether there are keys then. Never raises."""
        if self.renew() is None:
            self._join(self._start(None))
        return self.renew() is not None

    def renew(self) -> Lease | None:
        """The keys to use now, having started a refresh in the background when one is due; None when there are none."""
        now = self.clock.monotonic()
        lease = self.lease
        if lease is not None and now < lease.until:
            return lease
        if self._machine.keyset is None:
            return None
        process = self._process()
        with process.lock:
            flight = self._take_off(process, None, now)
            lease = self.lease = self._machine.lease(now)
        if flight is not None:
            self._launch(process, flight)
        if self._machine.state(now) is State.STALE:
            self._listeners(KeysNoticed(self.url, "stale_served"))
            self._log_stale(now)
        return lease

    def work(self, kid: str | None, algorithm: str) -> Callable[[], object] | None:
        """Waiting for a fetch, where there are no keys or this id is unknown and may be asked for."""
        lease = self.renew()
        if lease is not None and (kid is None or lease.keyset.candidates(kid, algorithm) or kid in lease.keyset.kids):
            return None
        process = self._process()
        now = self.clock.monotonic()
        with process.lock:
            in_vain = lease is not None and kid is not None and self._machine.known_missing(kid, now)
            wanted = not in_vain and (process.flight is not None or self._may_start(kid, now))
        if lease is not None:
            self._listeners(KeysNoticed(self.url, "unknown_kid"))
            if not wanted:
                self._listeners(KeysNoticed(self.url, "refetch_suppressed"))
        return (lambda: self._seek(kid)) if wanted else None

    def retry_after(self) -> float:
        """Seconds until keys may be there."""
        return self._machine.retry_after(self.clock.monotonic())

    def _seek(self, kid: str | None) -> None:
        """Wait for a fetch that may bring `kid`; and for one more where the one under way may have been answered too early."""
        lease = self.lease
        self._join(self._start(kid))
        fetched = self.last_error is None
        if fetched and lease is not None and kid is not None and kid not in self.kids and self._may_still_come(kid):
            self._join(self._start(kid))

    def _may_still_come(self, kid: str) -> bool:
        process = self._process()
        with process.lock:
            return self._machine.may_look_for(kid, self.clock.monotonic())

    def _join(self, flight: threading.Event | None) -> None:
        if flight is not None:
            exchange = current()
            flight.wait(self._wait if exchange is None else min(self._wait, exchange.deadline.remaining()))

    def _start(self, kid: str | None) -> threading.Event | None:
        """The fetch under way, or a new one if one may start; None if not."""
        process = self._process()
        now = self.clock.monotonic()
        with process.lock:
            under_way = process.flight
            flight = None if under_way is not None else self._take_off(process, kid, now)
        if flight is not None:
            self._launch(process, flight, kid)
        return under_way or flight

    def _may_start(self, kid: str | None, now: float) -> bool:
        return self._machine.refresh_due(now) or (
            kid is not None and self._machine.keyset is not None and self._machine.may_look_for(kid, now)
        )

    def _take_off(self, process: _Process, kid: str | None, now: float) -> threading.Event | None:
        """With the lock held: claim the one fetch that may be under way."""
        if process.flight is not None or not self._may_start(kid, now):
            return None
        self._machine.started(now)
        process.flight = threading.Event()
        return process.flight

    def _launch(self, process: _Process, flight: threading.Event, kid: str | None = None) -> None:
        thread = threading.Thread(target=self._fly, args=(process, flight, kid), name="interservice-keys", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            self._land(process, flight, None, str(error), kid)

    def _fly(self, process: _Process, flight: threading.Event, kid: str | None) -> None:
        fetched: tuple[KeySet, float | None] | None = None
        problem: str | None = None
        started = SYSTEM.monotonic()
        try:
            fetched = self._fetch_keys()
        except (FetchFailed, UnusableKey) as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - logged in full; whoever waits must be told that the fetch has ended
            problem = f"{type(error).__name__} while fetching keys"
            _LOG.exception("fetching keys from %s failed in an unforeseen way", self.url)
        self._listeners(KeysFetched(self.url, SYSTEM.monotonic() - started, problem))
        self._land(process, flight, fetched, problem, kid)

    def _land(
        self,
        process: _Process,
        flight: threading.Event,
        fetched: tuple[KeySet, float | None] | None,
        problem: str | None,
        kid: str | None,
    ) -> None:
        """The fetch ended: tell the machine, then everybody who waits."""
        now = self.clock.monotonic()
        with process.lock:
            if fetched is None:
                self._machine.failed(now)
            else:
                self._machine.succeeded(now, *fetched)
                if kid is not None and kid not in fetched[0].kids:
                    self._machine.missed(kid, now)
            self.last_error = problem
            self.lease = self._machine.lease(now)
            process.flight = None
        flight.set()
        if problem is not None:
            _LOG.warning("keys could not be fetched from %s: %s", self.url, problem)

    def _fetch_keys(self) -> tuple[KeySet, float | None]:
        """Fetch and read the key set: it, and for how long the response says it may be kept."""
        return self._read_keys(fetch(self.url, etag=self._etag, **self._options))

    def _read_keys(self, fetched: Fetched) -> tuple[KeySet, float | None]:
        held = self._machine.keyset
        if fetched.document is None and held is not None:
            return held, fetched.max_age
        keyset = KeySet(keys_from_jwks(fetched.document, source=self.url))
        self._etag = fetched.etag
        return keyset, fetched.max_age

    def _process(self) -> _Process:
        """This process' lock and fetch. Copies made by a fork are useless: the lock may be held by a thread that is not here."""
        process = self._processes.known()
        if process is None:
            process = self._processes.keep(_Process())
            self._machine.spread()
        return process

    def _log_stale(self, now: float) -> None:
        if self._logged_at is None or now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            _LOG.warning("keys of %s are stale and still in use: %s", self.url, self.last_error)

    def __repr__(self) -> str:
        return f"<JWKS {self.url} {self.state}>"
