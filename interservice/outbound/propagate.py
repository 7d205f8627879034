"""What a call carries on from the request that it is made for: its trace, its id, and the time that is left.

Relative time beats absolute time between machines whose clocks differ; it is worked out anew for each try. The caller's own stay.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interservice.trace_formats import foreign_headers

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from interservice.exchange import Exchange

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
REQUEST_ID = "X-Request-ID"
TIMEOUT = "X-Request-Timeout-Ms"


def propagated(
    exchange: Exchange | None, remaining: float, present: Container[str], formats: Sequence[str] = ()
) -> dict[str, str]:
    """The headers for one try.

    Args:
        exchange: The inbound request under way, or None. Its span becomes the parent of a new one for each try.
        remaining: Seconds left of the call; inf sends no time.
        present: The names of the headers that the caller set, which are left alone.
        formats: Those in which the trace is told besides W3C Trace Context.
    """
    headers: dict[str, str] = {}
    if exchange is not None:
        trace = exchange.trace
        if trace is not None and TRACEPARENT not in present:
            child = trace.child()
            headers[TRACEPARENT] = child.traceparent
            if formats:
                foreign = foreign_headers(child, formats)
                headers.update((name, value) for name, value in foreign.items() if name not in present)
            if trace.state and TRACESTATE not in present:
                headers[TRACESTATE] = trace.state
        if exchange.request_id and REQUEST_ID not in present:
            headers[REQUEST_ID] = exchange.request_id
    if remaining != math.inf and TIMEOUT not in present:
        headers[TIMEOUT] = str(max(1, int(remaining * 1000)))
    return headers
