"""One tree of errors: what is wrong with a configuration, and why a request was refused.

Nothing here knows a server, a framework or `requests`; the errors of outbound calls add `requests`' classes in `outbound.errors`.
Each class has a stable `code`: the same word in the response body, the log line and the metric name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class InterserviceError(Exception):
    """The root of every error that interservice raises on purpose."""

    #: The stable word for this kind of error.
    code: str = "error"


class ConfigurationError(InterserviceError, ValueError):
    """An option has a value that cannot work; raised when the object is made, never during a request."""

    code = "configuration"


class Rejection(InterserviceError):
    """A request is refused: raised by a policy, or by a handler, and sent to the client as problem+json (RFC 9457).

    Args:
        detail: One sentence for the client. Must hold nothing secret and nothing unescaped of the attacker's.
        status: The HTTP status; the class has a default.
        code: The stable word for logs, metrics and the body; the class has a default.
        title: A short summary of the kind; by default the status' reason phrase.
        headers: Further response headers, such as a challenge.
        retry_after: Seconds after which a retry makes sense; sent rounded up as Retry-After.
        extra: Further members of the problem document.
    """

    code = "rejected"
    #: The HTTP status when none is given.
    status: int = 400

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int | None = None,
        code: str | None = None,
        title: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        retry_after: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or code or self.code)
        self.detail = detail
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code
        self.title = title
        self.headers: list[tuple[str, str]] = list(headers)
        self.retry_after = retry_after
        self.extra: dict[str, Any] = dict(extra or {})


class InvalidToken(Rejection):
    """A token that must not be believed (RFC 6750 section 3.1: invalid_token).

    `reason` says why, from a closed set, for logs and metrics; the response stays generic until the signature was proven.
    """

    code = "invalid_token"
    status = 401

    def __init__(self, reason: str, detail: str | None = None, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail, headers=headers)
        #: Why, from a closed set of words.
        self.reason = reason


class InsufficientScope(Rejection):
    """The token is good, but does not carry what the request needs (RFC 6750 section 3.1: insufficient_scope)."""

    code = "insufficient_scope"
    status = 403


class Unavailable(Rejection):
    """Something the decision depends on is down, so the request is refused rather than let through (fail closed)."""

    code = "unavailable"
    status = 503


class KeysUnavailable(Unavailable):
    """The issuer's keys cannot be had now: the answer is 503 with Retry-After, never 401, never open."""

    code = "keys_unavailable"


class IntrospectionUnavailable(Unavailable):
    """The server that knows opaque tokens cannot be asked now, or does not answer as it should (RFC 7662)."""

    code = "introspection_unavailable"


class RevocationsUnavailable(Unavailable):
    """The list of revoked tokens cannot be followed, and the service is configured to refuse rather than to guess."""

    code = "revocations_unavailable"


class CallError(InterserviceError):
    """An outbound call failed or was not made; `outbound.errors` mixes this into `requests`' own classes.

    Attributes are evidence: which service and endpoint, every attempt made, and when a retry makes sense (seconds), where known.
    """

    code = "call_failed"
    service: str | None = None
    endpoint: str | None = None
    attempts: Sequence[Any] = ()
    retry_after: float | None = None
