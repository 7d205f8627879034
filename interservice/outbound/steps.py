"""The words between the flow that decides and the driver that does: what is asked for, and what it is answered. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .bulkhead import Slots
    from .endpoint import Endpoint
    from .outcome import Outcome, WireFacts
    from .watch import Watch


class Auth(Protocol):
    """What an adapter needs of credentials; `ClientCredentials` has it."""

    def token(self, timeout: float, /) -> str:
        """A bearer token, which may take up to that long to fetch. Raises TokenUnavailable."""

    def refused(self, token: str, /) -> bool:
        """The service answered 401 to `token`. Whether trying once more with another makes sense."""

    def permits(self, url: str, /) -> bool:
        """Whether a token may be sent to `url`: over TLS, to loopback, or where that was allowed."""


class Send(NamedTuple):
    """Send the request once. The driver answers with `Sent`."""

    endpoint: Endpoint
    number: int
    token: str | None
    deadline: float


class Wait(NamedTuple):
    """Let `seconds` pass."""

    seconds: float


class AcquireSlot(NamedTuple):
    """Wait up to `timeout` seconds for a place. The driver answers with a `Slot` or None."""

    slots: Slots
    timeout: float


class FetchToken(NamedTuple):
    """A bearer token, within `seconds`. The driver answers with it, or raises TokenUnavailable."""

    auth: Auth
    seconds: float


class Discover(NamedTuple):
    """Wait up to `seconds` for the service to be found, where it runs is not known yet."""

    watch: Watch
    seconds: float


class Discard(NamedTuple):
    """Let go of a streamed response that will be tried again: its body is not wanted."""

    sent: Sent


Step: TypeAlias = Send | Wait | AcquireSlot | FetchToken | Discover | Discard


def _no_fields(_name: str) -> Sequence[str]:
    return ()


class Sent:
    """What became of one `Send`.

    Attributes:
        response: What the driver makes of the answer; the flow hands it on and looks at none of it.
        status: Of the answer, or None where there was none.
        fields: The values of a header field by its name.
        error: The exception that ended it, or None.
        outcome: What became of it, for a failure; answers are classified by the flow.
        facts: What the connection saw.
        phase: What it was doing when it failed.
        streaming: Whether the body is still to come.
        asked: Seconds that a Retry-After asked to wait; the flow reads it.
    """

    __slots__ = ("asked", "error", "facts", "fields", "outcome", "phase", "response", "status", "streaming")

    def __init__(
        self,
        facts: WireFacts,
        *,
        response: Any = None,
        status: int | None = None,
        fields: Callable[[str], Sequence[str]] = _no_fields,
        error: BaseException | None = None,
        outcome: Outcome | None = None,
        phase: str = "body",
        streaming: bool = False,
    ) -> None:
        self.facts = facts
        self.response = response
        self.status = status
        self.fields = fields
        self.error = error
        self.outcome = outcome
        self.phase = phase
        self.streaming = streaming
        self.asked: float | None = None
