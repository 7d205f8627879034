"""How serious a line is, and which lines are kept: both decided at the end, when everything is known, and without side effects.

Kept always: what went wrong, what was slow, deprecated versions, and traces that the caller sampled. The rest is kept by the
trace id, so that every service on the path of a request decides alike (OpenTelemetry's consistent probability sampling: the
last 56 bits against a threshold).
"""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

from interservice.options import number

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.events import Called, Served

#: Names of levels and the numbers that `logging` gives them.
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
DEBUG, INFO, WARNING, ERROR = LEVELS.values()
LEVEL_NAMES = {number: name for name, number in LEVELS.items()}

#: Of exchanges: info for success, warning for 4xx, disconnects and aborted ones, error for 5xx, exceptions and all else.
LEVEL_OF_OUTCOME = {
    "ok": INFO,
    "client_error": WARNING,
    "server_error": ERROR,
    "exception": ERROR,
    "client_disconnect": WARNING,
    "aborted": WARNING,
}
_SERVER_ERRORS = 500
_CLIENT_ERRORS = 400


def level_of_called(event: Called) -> int:
    """Error when the call failed or ended with 5xx, warning for 4xx and for what the caller gave up, info otherwise."""
    status = event.status
    if event.outcome == "cancelled":
        return WARNING
    if event.error is not None or (status is not None and status >= _SERVER_ERRORS):
        return ERROR
    if status is None:
        return INFO if event.outcome == "ok" else ERROR
    return WARNING if status >= _CLIENT_ERRORS else INFO


class Sampler:
    """Decides which lines of successful, quick exchanges are written.

    Args:
        rate: The share of them that is, between 0 and 1.
        slow: Seconds from which an exchange is slow and always written; None: none is.
        client_errors: Whether 4xx are always written.
        draw: A number in [0, 1), for exchanges that have neither trace nor request id.
    """

    __slots__ = ("_client_errors", "_draw", "_slow", "rate")

    def __init__(
        self, rate: float, slow: float | None, *, client_errors: bool = True, draw: Callable[[], float] = random.random
    ) -> None:
        number("AccessLog.sample_rate", rate, at_least=0, at_most=1)
        number("AccessLog.slow", slow, at_least=0, optional=True)
        self.rate = rate
        self._slow = float("inf") if slow is None else slow
        self._client_errors = client_errors
        self._draw = draw

    def always(self, event: Served) -> bool:
        """Whether the exchange is written whatever the rate."""
        outcome = event.outcome
        if event.error is not None or (outcome != "ok" and (self._client_errors or outcome != "client_error")):
            return True
        exchange = event.exchange
        if event.seconds >= self._slow or (exchange.version is not None and exchange.version.deprecated):
            return True
        trace = exchange.trace
        return trace is not None and trace.sampled

    def by_chance(self, event: Served) -> bool:
        """Whether the exchange is among the share that is written: the same answer for the same trace everywhere."""
        exchange = event.exchange
        trace = exchange.trace
        if trace is not None:
            return share(trace.trace_id) < self.rate
        if exchange.request_id is not None:
            return zlib.crc32(exchange.request_id.encode("utf-8", "replace")) / 2**32 < self.rate
        return self._draw() < self.rate


def share(trace_id: str) -> float:
    """Where a trace id stands in [0, 1), by its last 56 bits, which are random in every kind of trace id in use.

    OpenTelemetry keeps a trace when these bits are at or above (1 - rate) * 2**56; counted from above, that is `share < rate`.
    """
    return 1.0 - (int(trace_id[-14:], 16) + 1) / 2**56
