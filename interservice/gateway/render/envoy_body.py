"""How long a body may be at Envoy: by what it says of itself, and counted where it says nothing.

Counting means keeping: the buffer filter waits until it has the whole body. What lay waiting while the gate was asked must be
less than half of its limit, or it would never read on (seen with 1.40); so short limits go with lengths that are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .envoy_types import extension

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge

BODY: Final = "edge.body"
#: Bytes of a body that are read ahead while something else must be done first.
READ_AHEAD: Final = 65_536
#: Envoy reads up to 128 KiB at once; half of this must be more than that and what was read ahead.
_LEAST: Final = 2 * (READ_AHEAD + 131_072)


def body_filter(edge: Edge) -> list[dict[str, Any]]:
    """The filter that counts, where the limit is long enough for it."""
    if edge.max_body < _LEAST:
        return []
    message = "filters.http.buffer.v3.Buffer"
    return [{**extension("envoy.filters.http.buffer", message, max_request_bytes=edge.max_body), "name": BODY}]


def body_routes(edge: Edge) -> list[dict[str, Any]]:
    """Refusals of a body that says it is too long, and under a short limit of one that does not say how long it is."""
    beyond = {"name": "content-length", "range_match": {"start": edge.max_body + 1, "end": 2**63 - 1}}
    found = [{"match": {"prefix": "/", "headers": [beyond]}, "direct_response": {"status": 413}}]
    if edge.max_body < _LEAST:
        chunked = {"name": "transfer-encoding", "present_match": True}
        found.append({"match": {"prefix": "/", "headers": [chunked]}, "direct_response": {"status": 411}})
    return found
