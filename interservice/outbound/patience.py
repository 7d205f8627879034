"""The timeouts of one call, out of what `requests` was told and what the adapter has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from urllib3.util import Timeout

if TYPE_CHECKING:
    from .timeouts import Timeouts


class Patience(NamedTuple):
    """How long one call may take.

    Attributes:
        connect: Seconds for a connection, per try; None for no limit.
        read: Seconds for one read or write, per try; None for no limit.
        total: Seconds for the whole call; None for no limit.
        timeout: The first two as urllib3 takes them.
    """

    connect: float | None
    read: float | None
    total: float | None
    timeout: Timeout


class _Fixed(Timeout):
    """A timeout without a total, which has nothing to count down: every request takes it as it is, and not a copy."""

    def clone(self) -> Timeout:
        """Itself."""
        return self

    def start_connect(self) -> float:
        """There is nothing to start."""
        return 0.0


def default_patience(timeouts: Timeouts) -> Patience:
    """What holds where the caller gave no timeout."""
    return Patience(timeouts.connect, timeouts.read, timeouts.total, _Fixed(connect=timeouts.connect, read=timeouts.read))


def patience(timeout: Any, default: Patience) -> Patience:
    """What holds for a call.

    Args:
        timeout: None for the adapter's; `(None, None)` for none at all; a number or a pair for connect and read, still within the
            adapter's total; or urllib3's `Timeout`, whose total bounds the call as well.
        default: The adapter's.

    Raises:
        ValueError: what `requests` refuses as well.
    """
    if timeout is None:
        return default
    if isinstance(timeout, Timeout):
        return _of_urllib3(timeout, default)
    if isinstance(timeout, tuple):
        try:
            connect, read = timeout
        except ValueError:
            msg = f"Invalid timeout {timeout}. Pass a (connect, read) timeout tuple, or a single float to set both."
            raise ValueError(msg) from None
    else:
        connect = read = timeout
    total = None if connect is None and read is None else default.total
    return Patience(connect, read, total, _Fixed(connect=connect, read=read))


def _of_urllib3(timeout: Timeout, default: Patience) -> Patience:
    begun = timeout.clone()
    begun.start_connect()
    connect = Timeout.resolve_default_timeout(begun.connect_timeout)
    read = Timeout.resolve_default_timeout(begun.read_timeout)
    totals = [total for total in (timeout.total, default.total) if isinstance(total, (int, float))]
    return Patience(connect, read, min(totals, default=None), _Fixed(connect=connect, read=read))
