"""What happened, as values. Logs, metrics and status pages are listeners: callables that take an event.

A listener that raises is logged once and changes nothing; events are made once and never changed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .exchange import Exchange
    from .trace import Trace

Listener: TypeAlias = "Callable[[Any], object]"

_LOG = logging.getLogger("interservice")


class Served(NamedTuple):
    """An inbound exchange came to its end: exactly one for each, refusals and websockets included.

    Attributes:
        exchange: The exchange, whose values no longer change.
        status: The HTTP status, or None when no response was started.
        bytes_sent: Bytes of body handed to the server.
        seconds: From the request's arrival to the last byte.
        first_byte: Seconds to the first byte of the body or the head, or None.
        outcome: ok, client_error, server_error, exception, client_disconnect or aborted.
        error: The exception that ended it, or None.
    """

    exchange: Exchange
    status: int | None
    bytes_sent: int
    seconds: float
    first_byte: float | None
    outcome: str
    error: BaseException | None


class Attempted(NamedTuple):
    """One try of an outbound call ended. Attempt numbers start at 1; `outcome` is a word of `outbound.outcome`."""

    service: str | None
    endpoint: str | None
    attempt: int
    seconds: float
    outcome: str
    status: int | None
    error: BaseException | None


class Called(NamedTuple):
    """An outbound call ended, with all its attempts. `url` holds no query string and no credentials.

    `trace` and `request_id` are those of the call, where there are any: its line in the log is found by them.
    """

    service: str | None
    method: str
    url: str
    attempts: int
    seconds: float
    outcome: str
    status: int | None
    error: BaseException | None
    trace: Trace | None = None
    request_id: str | None = None


class CircuitChanged(NamedTuple):
    """A circuit went from one state to another; `snapshot` is its plain data at that moment."""

    service: str | None
    endpoint: str | None
    before: str
    after: str
    snapshot: Mapping[str, Any]


class Shed(NamedTuple):
    """A request or call was turned away because `limit` were under way."""

    service: str | None
    limit: int
    in_flight: int


class TokenFetched(NamedTuple):
    """A token was asked for at a token endpoint, on behalf of a client of ours.

    Attributes:
        client: The client id that asked.
        outcome: "ok" or "fail".
        early: Whether the token in hand had not expired yet, so that nobody waited.
        seconds: How long it took, tries included.
        error: The OAuth error of a refusal (RFC 6749 section 5.2), or None.
    """

    client: str
    outcome: str
    early: bool
    seconds: float
    error: str | None


class TokenReplayed(NamedTuple):
    """A service answered 401 to our token, and the call was made again with another one."""

    service: str | None


class EndpointEjected(NamedTuple):
    """An endpoint did worse than its siblings and is left out of balancing for `seconds`.

    `reason` is consecutive, success_rate, failure_rate, or probe when it was to come back and failed again.
    """

    service: str | None
    endpoint: str
    reason: str
    seconds: float


class RetryBudgetExhausted(NamedTuple):
    """A retry was due and the budget would not pay for it; the call ended with what it had."""

    service: str | None
    balance: float


class TokenRefused(NamedTuple):
    """A token was not believed. `reason` is from a closed set; `public` when the request went on without it."""

    service: str | None
    reason: str
    public: bool


class TokenVerified(NamedTuple):
    """A token that was not known from an earlier request was verified, or introspected; `seconds` without waiting for that."""

    service: str | None
    seconds: float


class KeysFetched(NamedTuple):
    """A fetch of an issuer's keys ended. `error` says why it brought none; None when it did."""

    url: str
    seconds: float
    error: str | None


class KeysNoticed(NamedTuple):
    """Something about an issuer's keys that operators should see.

    Attributes:
        url: Where the keys are fetched from.
        what: `stale_served`, keys that cannot be refreshed are still used (told once a second at most); `unknown_kid`, a token
            named a key that the set does not hold; `refetch_suppressed`, and it was too early to look for it.
    """

    url: str
    what: str


class Introspected(NamedTuple):
    """An introspection of a token ended: `outcome` is active, inactive (or not for us) or failed."""

    issuer: str
    outcome: str
    seconds: float


class RevocationsChanged(NamedTuple):
    """The list of revoked tokens is followed again, or no longer is; `error` is the type of what went wrong."""

    available: bool
    error: str | None


class ReadinessChanged(NamedTuple):
    """This instance is ready for requests, or no longer is: told when a probe is answered otherwise than the one before.

    Attributes:
        service: The name of the service, from the gate.
        ready: Whether the answer is 200.
        draining: Whether it is not ready because it drains.
        failing: The critical checks that fail.
    """

    service: str | None
    ready: bool
    draining: bool
    failing: tuple[str, ...]


class DeprecatedCall(NamedTuple):
    """An answer said that what was called is deprecated (RFC 9745), or will go (RFC 8594).

    Attributes:
        service: The service that was called, where the adapter has a name.
        url: What was called, without query string and credentials.
        version: The version that the adapter asks for, or None.
        deprecated: Whether it is deprecated by now.
        since: When it was or will be, in seconds since the epoch; None where that was not said.
        sunset: When it may be gone, in seconds since the epoch, or None.
        links: Absolute URLs by relation: deprecation, sunset, successor-version, latest-version.
    """

    service: str | None
    url: str
    version: str | None
    deprecated: bool
    since: float | None
    sunset: float | None
    links: Mapping[str, str]


class Listeners:
    """An ordered set of listeners, called in isolation from the request and from each other."""

    __slots__ = ("_all", "_reported")

    def __init__(self, listeners: Iterable[Listener] = (), *, option: str = "listeners") -> None:
        if callable(listeners):
            msg = f"{option} must be a list of callables, not {listeners!r}"
            raise ConfigurationError(msg)
        self._all = tuple(listeners)
        for listener in self._all:
            if not callable(listener):
                msg = f"{option} must be callables that take an event, not {listener!r}"
                raise ConfigurationError(msg)
        self._reported: set[int] = set()

    def __call__(self, event: object) -> None:
        """Tell every listener."""
        for listener in self._all:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a listener's fault must never become the request's
                self._report(listener)

    def _report(self, listener: Listener) -> None:
        if id(listener) not in self._reported:
            self._reported.add(id(listener))
            _LOG.exception("listener %r raised; further errors of it are not logged", listener)

    def __iter__(self) -> Any:
        return iter(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)
