"""What an outbound call may raise besides `requests`' own exceptions. Each is one of them too, so `except` clauses keep working.

A call that used up its tries or its budget raises the last real exception of `requests`, or returns the last response. These are
for calls that a policy ended or refused: each says which service and endpoint, carries the attempts made, and can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from interservice.errors import CallError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .attempt import Attempt


def _remake(kind: type[OutboundError], message: str, state: dict[str, Any]) -> OutboundError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class OutboundError(CallError, requests.RequestException):
    """The root of the errors here.

    Args:
        message: One sentence for people.
        service: The name of the service called.
        endpoint: The endpoint concerned, where it is one.
        attempts: Every try made before.
        retry_after: Seconds after which a retry makes sense, where known.
        request: The `requests.PreparedRequest`; left out when the error is pickled, as bodies and hooks often cannot be.
    """

    def __init__(
        self,
        message: str = "",
        *,
        service: str | None = None,
        endpoint: str | None = None,
        attempts: Sequence[Attempt] = (),
        retry_after: float | None = None,
        request: requests.PreparedRequest | None = None,
    ) -> None:
        super().__init__(message, request=request)
        self.service = service
        self.endpoint = endpoint
        self.attempts = list(attempts)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        state = {key: value for key, value in self.__dict__.items() if key not in {"request", "response"}}
        state["attempts"] = [attempt._replace(error=None) for attempt in self.attempts]
        return _remake, (type(self), str(self), state)


class DeadlineExceeded(OutboundError, requests.Timeout):
    """The time of the whole call was up: the caller's deadline, `Timeouts.total`, whichever came first.

    Attributes:
        phase: What the call was doing: start, pool, dns, connect, tls, send, headers, body, backoff or token.
        elapsed: Seconds since the call began.
        budget: Seconds it was given.
    """

    code = "deadline_exceeded"

    def __init__(
        self, message: str = "", *, phase: str = "start", elapsed: float = 0.0, budget: float = 0.0, **evidence: Any
    ) -> None:
        super().__init__(message, **evidence)
        self.phase = phase
        self.elapsed = elapsed
        self.budget = budget


class CircuitOpen(OutboundError, requests.ConnectionError):
    """Nothing was sent: the circuit of every endpoint is open. `retry_after` says when the first lets a probe through.

    Attributes:
        state: open, half_open (every probe is under way), forced_open, or paused (the endpoint sent Retry-After).
        failure_rate: Failures for each call when it opened, or None where unknown.
        slow_rate: Slow calls for each call when it opened, or None where unknown.
        last_failure: The name of the type of the last exception the circuit was told of, or None.
    """

    code = "circuit_open"

    def __init__(
        self,
        message: str = "",
        *,
        state: str = "open",
        failure_rate: float | None = None,
        slow_rate: float | None = None,
        last_failure: str | None = None,
        **evidence: Any,
    ) -> None:
        super().__init__(message, **evidence)
        self.state = state
        self.failure_rate = failure_rate
        self.slow_rate = slow_rate
        self.last_failure = last_failure


class BulkheadFull(OutboundError, requests.ConnectionError):
    """Nothing was sent: as many calls as the bulkhead allows were under way, and none ended in time.

    Attributes:
        in_flight: Calls under way.
        limit: Calls allowed.
        queued: Calls that were waiting besides this one.
        waited: Seconds this one waited.
    """

    code = "bulkhead_full"

    def __init__(
        self, message: str = "", *, in_flight: int = 0, limit: int = 0, queued: int = 0, waited: float = 0.0, **evidence: Any
    ) -> None:
        super().__init__(message, **evidence)
        self.in_flight = in_flight
        self.limit = limit
        self.queued = queued
        self.waited = waited


class NoEndpoint(OutboundError, requests.ConnectionError):
    """Nothing was sent: there is no endpoint, or the adapter was asked for a host that it was not mounted for."""

    code = "no_endpoint"


class TokenUnavailable(OutboundError, requests.ConnectionError):
    """Nothing was sent: the token that the call needs could not be had.

    Attributes:
        oauth_error: The error code of the token endpoint's answer (RFC 6749 section 5.2), or None.
    """

    code = "token_unavailable"
    oauth_error: str | None = None


class BodyReadTimeout(requests.ReadTimeout, requests.ConnectionError):
    """The server stopped in the middle of the body for longer than the read timeout.

    `requests` raises ConnectionError here and ReadTimeout before the body; this is both, so either clause catches it.
    """
