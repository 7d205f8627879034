"""The end of a streamed call: what it held goes back when its body ends, is closed, breaks, or is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .outcome import Outcome

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from .call import Call, Destination, Lease


class StreamEnding:
    """The end of one streamed call, which happens once. Holds nothing that leads back to the response, which would keep it alive.

    Args:
        call: The call.
        to: Where it went.
        lease: What it holds.
        tell: Tells the listeners that the call ended.
        orphans: Where forgotten calls wait to be cleaned up, as a garbage collector's thread may hold any lock.
    """

    __slots__ = ("_call", "_lease", "_orphans", "_tell", "_to")

    def __init__(
        self,
        call: Call,
        to: Destination,
        lease: Lease,
        tell: Callable[[Outcome, int | None, BaseException | None], None],
        orphans: deque[StreamEnding],
    ) -> None:
        self._call = call
        self._to = to
        self._lease = lease
        self._tell = tell
        self._orphans = orphans

    def ended(self, error: BaseException | None) -> None:
        """The body was read or closed, or broke with `error`, which the circuit then hears of although the head was good."""
        last = self._call.attempts[-1]
        if error is not None and self._lease.permit is not None:
            self._lease.permit.fail_late(error)
        self._lease.release(self._to.clock.monotonic(), last.seconds, failed=error is not None)
        self._tell(last.outcome if error is None else Outcome.TRUNCATED, last.status, error)

    def forgotten(self) -> None:
        """Nobody holds the response any more: cleaned up at the next call. Takes no lock."""
        self._orphans.append(self)

    def expired(self, error: BaseException) -> BaseException:  # noqa: ARG002 - the protocol's; the raiser chains it
        """The call's deadline passed inside the body."""
        now = self._to.clock.monotonic()
        return self._call.exceeded(self._to.service, now, "body", self._lease.endpoint.url)


def clean_up(orphans: deque[StreamEnding]) -> None:
    """End the calls whose responses were forgotten."""
    while orphans:
        try:
            orphan = orphans.popleft()
        except IndexError:  # another thread was faster
            return
        orphan.ended(None)
