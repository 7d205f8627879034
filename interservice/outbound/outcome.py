"""What became of one try, told by facts of the wire and not by the type of the exception.

Types lie in both directions: a stalled TLS handshake, with nothing sent, surfaces as `requests.ReadTimeout`, and a timeout in the
body as `requests.ConnectionError`. Bytes written, connection reused and response begun do not. Everything here is pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection

#: Statuses that say "again later": RFC 9110 sections 15.6.3 to 15.6.5, RFC 6585 section 4.
RETRYABLE_STATUSES = (429, 502, 503, 504)
#: Request Timeout and Too Early (RFC 8470 section 5.2): once more, on another connection or after the handshake.
ONCE_MORE = frozenset({408, 425})

#: What a circuit is told of a try.
Verdict: TypeAlias = Literal["success", "failure", "ignore"]


class Outcome(StrEnum):
    """What became of one try: the word that logs, metrics and events use."""

    #: An answer that is final, whatever its status.
    OK = "ok"
    #: An answer whose status says that another try may do better.
    STATUS = "status"
    #: Not one byte of the request was written: name, connection, handshake or pool failed.
    NEVER_SENT = "never_sent"
    #: A connection used before was closed before any byte of the response: the keep-alive race.
    STALE = "stale"
    #: A fresh connection was closed or reset before any byte of the response.
    RESET = "reset"
    #: Time ran out on this try with the request at least partly written.
    READ_TIMEOUT = "read_timeout"
    #: The response began and did not come to its end.
    TRUNCATED = "truncated"
    #: Another try cannot do better: a certificate, a protocol or a coding that is wrong.
    FATAL = "fatal"
    #: The deadline of the whole call passed during this try.
    DEADLINE = "deadline"
    #: The caller gave up, or its own body raised: says nothing about the server.
    CANCELLED = "cancelled"
    #: A circuit, a bulkhead or a limit of ours refused: nothing was tried.
    REJECTED = "rejected"


@dataclass(slots=True)
class WireFacts:
    """What the connection saw of one try. The connection fills it in as it happens.

    Attributes:
        bytes_written: Bytes of the request handed to the socket, those of a proxy's CONNECT not counted.
        reused: Whether the connection had carried a request before.
        response_started: Whether any byte of the response came.
        body_started: Whether the response's head is complete.
        body_complete: Whether the body came to its end.
        replayable: Whether the request's body can be sent (again) from its beginning.
    """

    bytes_written: int = 0
    reused: bool = False
    response_started: bool = False
    body_started: bool = False
    body_complete: bool = False
    replayable: bool = True


def classify_status(status: int, retryable: Collection[int] = RETRYABLE_STATUSES) -> Outcome:
    """The outcome of a try that was answered; `retryable` are the statuses worth another try, 408 and 425 besides."""
    return Outcome.STATUS if status in retryable or status in ONCE_MORE else Outcome.OK


def classify_failure(  # noqa: PLR0911 - a table, one row each
    facts: WireFacts, *, timed_out: bool = False, fatal: bool = False, deadline: bool = False, cancelled: bool = False
) -> Outcome:
    """The outcome of a try that raised.

    Args:
        facts: What the connection saw.
        timed_out: A socket's timeout passed.
        fatal: The cause cannot go away: certificate verification, an invalid URL or header, undecodable content.
        deadline: The deadline of the whole call passed.
        cancelled: The caller gave up, or what it gave as the body raised.
    """
    if cancelled:
        return Outcome.CANCELLED
    if deadline:
        return Outcome.DEADLINE
    if fatal:
        return Outcome.FATAL
    if facts.bytes_written == 0:
        return Outcome.NEVER_SENT
    if timed_out:
        return Outcome.READ_TIMEOUT
    if facts.response_started:
        return Outcome.TRUNCATED
    return Outcome.STALE if facts.reused else Outcome.RESET


def verdict(outcome: Outcome, status: int | None = None, *, retry_after: float | None = None) -> Verdict:
    """What a circuit is to be told of a try.

    5xx of the retryable statuses, timeouts and transport failures are failures; 4xx and other answers successes. 429 and 503 with
    Retry-After are neither: they pause the endpoint. What the caller cancelled, or what was refused before it was tried, says
    nothing.
    """
    if outcome is Outcome.OK:
        return "success"
    if outcome is Outcome.STATUS and status is not None:
        if retry_after is not None and status in {429, 503}:
            return "ignore"
        return "failure" if status >= 500 else "success"  # noqa: PLR2004 - RFC 9110 section 15.6
    return "ignore" if outcome in {Outcome.CANCELLED, Outcome.REJECTED} else "failure"
