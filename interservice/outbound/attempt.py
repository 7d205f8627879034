"""One try of a call, as it is kept in `Response.attempts` and in errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .outcome import Outcome


class Attempt(NamedTuple):
    """One try of a call.

    Attributes:
        endpoint: Where it was sent, as a URL without a path.
        started: Seconds on the adapter's monotonic clock.
        seconds: To the end of the body; to the end of the head where the body is streamed.
        outcome: What became of it.
        status: The HTTP status, or None where none came.
        error: The exception that ended it, or None.
    """

    endpoint: str | None
    started: float
    seconds: float
    outcome: Outcome
    status: int | None
    error: BaseException | None
