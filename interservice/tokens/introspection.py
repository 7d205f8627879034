"""Opaque tokens, introspected (RFC 7662): their issuer is asked once, and what it said is kept for a while.

Looking never blocks: a token that is not known says what work would tell. The same token is asked about once at a time, in a
thread of its own, so that no request's end cancels it and no request waits beyond its deadline. The lock guards a dict alone.
When the server cannot be asked the answer is 503, never 401 and never open.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from interservice.clock import SYSTEM
from interservice.condition import worst
from interservice.errors import ConfigurationError, IntrospectionUnavailable, InvalidToken
from interservice.events import Introspected, Listeners
from interservice.exchange import current
from interservice.forks import PerProcess
from interservice.hosts import check_url
from interservice.options import check, number, strings, text

from .cache import RecentlyUsed
from .claims import Expectations
from .fetch import Posted
from .introspected import Failed, Opinion, Refused, opinion
from .introspection_endpoint import IntrospectionEndpoint
from .principal import Principal
from .reason import Reason
from .sighting import Pending, Sighting, conclude, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import requests

    from interservice.clock import Clock
    from interservice.condition import Condition
    from interservice.events import Listener

    from .revocations import Revocations

_LOG = logging.getLogger("interservice.tokens")
#: RFC 6750 section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
#: How far the clock may go back before what was learnt is asked again.
_SLACK = 1.0
_LEAST_RETRY_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was learnt of a token, and within which time, in seconds since the epoch, it is believed."""

    opinion: Principal | Refused
    start: float
    end: float


class _Flight:
    """One question under way."""

    __slots__ = ("answer", "ended")

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.answer: Opinion | None = None


class _Process:
    """What belongs to one process: sockets, and the questions under way."""

    __slots__ = ("endpoint", "flights", "lock")

    def __init__(self, endpoint: IntrospectionEndpoint) -> None:
        self.endpoint = endpoint
        self.lock = threading.Lock()
        self.flights: dict[bytes, _Flight] = {}


class Unasked(Pending):
    """A token of which its issuer has not been asked yet."""

    __slots__ = ("_answer", "_digest", "_introspection", "_token")

    def __init__(self, introspection: Introspection, token: str, digest: bytes) -> None:
        self._introspection = introspection
        self._token = token
        self._digest = digest
        self._answer: Opinion | None = None

    def work(self) -> Callable[[], object] | None:
        """Asking, and reading the list of revocations where that comes first."""
        return self._ask

    def judge(self) -> Principal:
        """What was answered.

        Raises:
            InvalidToken: The token is not active, or not for us.
            IntrospectionUnavailable: There was no answer, or nobody asked.
            RevocationsUnavailable: The list of what was revoked cannot be had.
        """
        answer = self._answer
        if answer is None:
            sighting = self._introspection.look(self._token)
            if isinstance(sighting, InvalidToken):
                raise sighting
            answer = sighting if isinstance(sighting, Principal) else Failed("nobody asked")
        if isinstance(answer, Refused):
            raise InvalidToken(answer.reason, answer.detail)
        if isinstance(answer, Failed):
            later = max(_LEAST_RETRY_AFTER, answer.retry_after or 0.0)
            raise IntrospectionUnavailable("The server that knows the token cannot be asked now.", retry_after=later)
        if self._introspection.revocations is not None:
            self._introspection.revocations.check(answer)
        return answer

    def _ask(self) -> None:
        revocations = self._introspection.revocations
        if revocations is not None and (waiting := revocations.work()) is not None:
            waiting()
        self._answer = self._introspection.ask(self._token, self._digest)


class Introspection:
    """Verifies the opaque access tokens of one issuer by asking it (RFC 7662). Goes wherever a `Verifier` does.

    Args:
        issuer: Whose tokens. An answer that names another is refused.
        audience: Who we are: one of these must be in the answer's `aud`. None, said aloud, accepts tokens for anybody.
        client_id: Who we are to the issuer, which answers none but its clients.
        client_secret, private_key, auth_method: The proof of that, as for `ClientCredentials`.
        url: The introspection endpoint; by default the one in the issuer's metadata (RFC 8414).
        leeway: Seconds by which clocks may differ, at most 300.
        require: Claims that must be in the answer, whatever they say.
        max_token_bytes: Longer tokens are refused unread.
        cache_size: How many active tokens are kept, and how many others besides; 0 for none.
        active_ttl: Seconds for which an active token is believed without asking again, at most until it expires.
        inactive_ttl: Seconds for which one that is not active is refused without asking again.
        timeout: Seconds for an answer.
        max_bytes: The largest answer that is read.
        revocations: Tokens that are no longer believed, asked on every request; None for none.
        allow_http: Whether secrets and tokens may go over plain http beyond this machine.
        session: A `requests.Session` to ask through; by default one with a circuit breaker, that takes nothing from the
            environment. Its sockets are shared with forked processes.
        listeners: Are told `Introspected`, and `Attempted`, `Called` and `CircuitChanged` of the requests.
        clock: Where the time comes from. Waiting for the network takes real time, whatever clock is given.

    Raises:
        ConfigurationError: An option makes no sense, or they do not fit together.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Sequence[str] | None,
        *,
        client_id: str,
        client_secret: str | None = None,
        private_key: str | bytes | Mapping[str, Any] | None = None,
        auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] | None = None,
        url: str | None = None,
        leeway: float = 30.0,
        require: Collection[str] = (),
        max_token_bytes: int = 4096,
        cache_size: int = 4096,
        active_ttl: float = 60.0,
        inactive_ttl: float = 10.0,
        timeout: float = 3.0,
        max_bytes: int = 65536,
        revocations: Revocations | None = None,
        allow_http: bool = False,
        session: requests.Session | None = None,
        listeners: Iterable[Listener] = (),
        clock: Clock = SYSTEM,
    ) -> None:
        text("Introspection.issuer", issuer)
        if url is not None:
            check_url("Introspection.url", url, allow_http=allow_http)
        for name, value, least in (
            ("max_token_bytes", max_token_bytes, 1),
            ("cache_size", cache_size, 0),
            ("max_bytes", max_bytes, 1),
        ):
            number(f"Introspection.{name}", value, at_least=least, integer=True)
        number("Introspection.active_ttl", active_ttl, at_least=0)
        number("Introspection.inactive_ttl", inactive_ttl, at_least=0)
        number("Introspection.timeout", timeout, above=0)
        check(revocations is None or hasattr(revocations, "clears"), "Introspection.revocations", "a Revocations", revocations)
        self.issuer = issuer
        self.clock = clock
        self.revocations = revocations
        self._expected = _expectations(issuer, audience, leeway, require)
        self._max_token_bytes = max_token_bytes
        self._timeout = timeout
        self._active_ttl, self._inactive_ttl = active_ttl, inactive_ttl
        # Kept apart, so that a flood of made-up tokens pushes no good one out.
        self._active: RecentlyUsed[_Kept] = RecentlyUsed(cache_size)
        self._inactive: RecentlyUsed[_Kept] = RecentlyUsed(cache_size)
        self._listeners = Listeners(listeners, option="Introspection.listeners")
        self._endpoint = partial(
            IntrospectionEndpoint,
            _client(issuer, client_id, client_secret, private_key, auth_method, allow_http=allow_http),
            url=url,
            session=session,
            timeout=timeout,
            max_bytes=max_bytes,
            clock=clock,
            listeners=tuple(self._listeners),
        )
        self._processes = PerProcess[_Process]()

    def condition(self) -> Condition:
        """For `Health`: that of its revocations, or of the circuit to its issuer, which alone makes no instance unready."""
        process = self._processes.known()
        conditions = [] if process is None else [process.endpoint.condition()]
        return worst([*conditions, *([] if self.revocations is None else [self.revocations.condition()])])

    def warm(self) -> bool:
        """Have the list of revocations at hand, where there is one; the issuer is asked about tokens alone. Never raises."""
        return self.revocations is None or self.revocations.warm()

    def verify(self, token: str, *, certificate: str | None = None) -> Principal:
        """Who the token speaks for. May wait for the issuer to be asked.

        Args:
            token: As it came.
            certificate: As for `Verifier.verify`.

        Raises:
            InvalidToken: It is not active, or not for us; `.reason` says why, from the closed set `Reason`.
            IntrospectionUnavailable: The issuer cannot be asked now, or did not answer as it should.
            RevocationsUnavailable: The list of what was revoked cannot be had.
        """
        return conclude(self.look(token), wait=True, certificate=certificate)

    def wants(self, token: str) -> Callable[[], object] | None:
        """Asking the issuer, which should come before `check`; None where what it said is known."""
        return work_of(self.look(token))

    def check(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `verify`, without I/O: with what is known of the token."""
        return conclude(self.look(token), wait=False, certificate=certificate)

    def look(self, token: str) -> Sighting:
        """What can be said of a token at once, without raising or blocking."""
        if type(token) is not str or _TOKEN.fullmatch(token) is None:
            return InvalidToken(Reason.MALFORMED)
        if len(token) > self._max_token_bytes:
            return InvalidToken(Reason.TOO_LARGE)
        digest = sha256(token.encode()).digest()
        known = self._known(digest)
        if isinstance(known, Refused):
            return InvalidToken(known.reason, known.detail)
        if known is not None and (self.revocations is None or self.revocations.clears(known)):
            return known
        return Unasked(self, token, digest)

    def ask(self, token: str, digest: bytes) -> Opinion:
        """What the issuer thinks of a token: known, from the question under way, or by asking. Blocks."""
        process = self._process()
        launched = False
        with process.lock:
            known = self._known(digest)
            flight = process.flights.get(digest)
            if known is None and flight is None:
                flight = process.flights[digest] = _Flight()
                launched = True
        if known is not None or flight is None:
            return known or Failed("nobody asked")
        if launched:
            self._launch(process, flight, token, digest)
        exchange = current()
        flight.ended.wait(self._timeout if exchange is None else min(self._timeout, exchange.deadline.remaining()))
        return flight.answer or Failed("no answer in time")

    def _known(self, digest: bytes) -> Principal | Refused | None:
        kept = self._active.find(digest) or self._inactive.find(digest)
        return kept.opinion if kept is not None and kept.start <= self.clock.time() < kept.end else None

    def _launch(self, process: _Process, flight: _Flight, token: str, digest: bytes) -> None:
        arguments = (process, flight, token, digest)
        thread = threading.Thread(target=self._fly, args=arguments, name="interservice-introspection", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the interpreter is shutting down
            self._land(process, flight, digest, Failed(str(error)), 0.0)

    def _fly(self, process: _Process, flight: _Flight, token: str, digest: bytes) -> None:
        started = SYSTEM.monotonic()
        answer: Opinion
        try:
            said = process.endpoint.ask(token)
            now = self.clock.time()
            answer = opinion(said, self._expected, self.issuer, now) if isinstance(said, Posted) else said
        except Exception as error:  # noqa: BLE001 - logged in full; whoever waits must be told that it has ended
            answer = Failed(f"{type(error).__name__} while asking about a token")
            _LOG.exception("introspection at %s failed in an unforeseen way", self.issuer)
        self._land(process, flight, digest, answer, SYSTEM.monotonic() - started)

    def _land(self, process: _Process, flight: _Flight, digest: bytes, answer: Opinion, seconds: float) -> None:
        if isinstance(answer, Principal):
            self._active.keep(digest, self._for(answer, min(self._expected.ends(answer.claims), self._end(self._active_ttl))))
        elif isinstance(answer, Refused):
            self._active.drop(digest)
            self._inactive.keep(digest, self._for(answer, self._end(self._inactive_ttl)))
        flight.answer = answer
        with process.lock:
            process.flights.pop(digest, None)
        flight.ended.set()
        outcome = "failed" if isinstance(answer, Failed) else "inactive" if isinstance(answer, Refused) else "active"
        if isinstance(answer, Failed):
            _LOG.warning("%s could not be asked about a token: %s", self.issuer, answer.problem)
        self._listeners(Introspected(self.issuer, outcome, seconds))

    def _end(self, ttl: float) -> float:
        return self.clock.time() + ttl

    def _for(self, answer: Principal | Refused, end: float) -> _Kept:
        return _Kept(answer, self.clock.time() - _SLACK, end)

    def _process(self) -> _Process:
        """This process' sockets and questions; those of the one it was forked from are of no use."""
        process = self._processes.known()
        return self._processes.keep(_Process(self._endpoint())) if process is None else process

    def __repr__(self) -> str:
        return f"<Introspection {self.issuer!r}>"


def _expectations(issuer: str, audience: str | Sequence[str] | None, leeway: float, require: Collection[str]) -> Expectations:
    number("Introspection.leeway", leeway, at_least=0, at_most=300)
    named = (audience,) if isinstance(audience, str) else audience
    audiences = None if named is None else frozenset(strings("Introspection.audience", named))
    if audiences is not None and not audiences:
        raise ConfigurationError("Introspection.audience must name at least one; None, said aloud, is anybody")
    return Expectations(
        issuers=frozenset({issuer}),
        audiences=audiences,
        leeway=leeway,
        rfc9068=False,
        require=strings("Introspection.require", require),
        reject_id_tokens=False,
    )


def _client(
    issuer: str,
    client_id: str,
    client_secret: str | None,
    private_key: str | bytes | Mapping[str, Any] | None,
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] | None,
    *,
    allow_http: bool,
) -> Any:
    from interservice.outbound import ClientCredentials  # noqa: PLC0415 - loads requests: when needed only

    try:
        return ClientCredentials(
            client_id=client_id,
            client_secret=client_secret,
            private_key=private_key,
            auth_method=auth_method,
            issuer=issuer,
            allow_http=allow_http,
        )
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("ClientCredentials", "Introspection")) from None
