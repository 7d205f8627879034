"""What can go wrong on the wire, and what must become of a call that meets it: the table behind `test_fault_matrix`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import requests

from interservice.faultserver import Reply
from interservice.outbound import BodyReadTimeout, DeadlineExceeded

SMALL = b"body" * 8
#: More than the buffers of a loopback connection take.
LARGE = b"b" * (24 << 20)
SLOW = b"x" * 400


class Kind(NamedTuple):
    """A kind of request."""

    method: str
    #: bytes, generator, or None
    body: str | None
    #: Whether it may be sent again after it may have been processed.
    repeatable: bool
    headers: Mapping[str, str] = MappingProxyType({})

    def data(self, whole: bytes) -> Any:
        if self.body == "generator":
            return pieces(whole)
        return whole if self.body == "bytes" else None


def pieces(whole: bytes) -> Iterator[bytes]:
    step = max(1, len(whole) // 4)
    for position in range(0, len(whole), step):
        yield whole[position : position + step]


KINDS = {
    "GET": Kind("GET", None, True),
    "PUT": Kind("PUT", "bytes", True),
    "PUT-generator": Kind("PUT", "generator", False),
    "POST": Kind("POST", "bytes", False),
    "POST-keyed": Kind("POST", "bytes", True, {"Idempotency-Key": '"k"'}),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, met once; the next try is answered.

    Attributes:
        reply: What becomes of the request.
        server: What becomes of the server instead: "refuses", "stalls" (TLS), "tarpit".
        again: Which requests are sent again: "all" (nothing was sent), "repeatable", or "none".
        outcome: What the first try is found to be, on a fresh connection.
        stale: The same on one that was used before.
        error: What is raised where it is not tried again; None where an answer is returned.
        also: Further bases of the error, as callers may catch it.
        status: Of the answer that is returned where it is not tried again.
        large: Whether the body is more than the connection takes at once; not for requests without.
        whole: Whether the server read the whole of each request.
        only: The one scheme it is for.
    """

    again: Literal["all", "repeatable", "none"]
    outcome: str
    reply: Reply | None = None
    server: str = ""
    stale: str = ""
    error: type[Exception] | None = None
    also: tuple[type[Exception], ...] = ()
    status: int = 200
    large: bool = False
    whole: bool = True
    only: str = ""


_CUT = requests.exceptions.ChunkedEncodingError
_GONE = requests.ConnectionError

FAULTS = {
    "refused": Fault(server="refuses", again="all", outcome="never_sent"),
    "tarpit": Fault(server="tarpit", again="all", outcome="never_sent"),
    "tls-stall": Fault(server="stalls", again="all", outcome="never_sent", only="https"),
    "rst": Fault(reply=Reply.reset(), again="repeatable", outcome="reset", stale="stale", error=_GONE),
    "fin": Fault(reply=Reply.drop(), again="repeatable", outcome="reset", stale="stale", error=_GONE),
    "fin-in-status": Fault(reply=Reply(cut=7, end="close"), again="repeatable", outcome="truncated", error=_CUT),
    "fin-in-headers": Fault(reply=Reply.cut_head(), again="repeatable", outcome="truncated", error=_CUT),
    "fin-before-empty-line": Fault(reply=Reply(cut=36, end="close"), again="repeatable", outcome="truncated", error=_CUT),
    "header-stall": Fault(reply=Reply.stall(), again="none", outcome="read_timeout", error=requests.ReadTimeout),
    "header-stall-inside": Fault(reply=Reply.stall(20), again="none", outcome="read_timeout", error=requests.ReadTimeout),
    "short-length": Fault(reply=Reply.truncated(), again="repeatable", outcome="truncated", error=_CUT),
    "short-chunks": Fault(reply=Reply.truncated(chunked=True), again="repeatable", outcome="truncated", error=_CUT),
    "chunk-cut": Fault(
        reply=Reply(chunked=True, body=SLOW, cut=150, end="close"), again="repeatable", outcome="truncated", error=_CUT
    ),
    "rst-in-body": Fault(reply=Reply(body=SLOW, cut=150, end="reset"), again="repeatable", outcome="truncated", error=_CUT),
    "body-stall": Fault(
        reply=Reply(body=SLOW, cut=150, end="stall"), again="none", outcome="read_timeout", error=BodyReadTimeout,
        also=(requests.ReadTimeout, requests.ConnectionError),
    ),
    "trickle": Fault(
        reply=Reply.trickle(0.02, SLOW), again="none", outcome="deadline", error=DeadlineExceeded, also=(requests.Timeout,)
    ),
    "trickle-head": Fault(
        reply=Reply.trickle(0.02, SLOW, from_head=True), again="none", outcome="deadline", error=DeadlineExceeded
    ),
    "upload-unread": Fault(
        reply=Reply(unread=True, cut=0, end="stall"), again="none", outcome="read_timeout", error=_GONE, large=True, whole=False
    ),
    "early-413": Fault(reply=Reply(status=413, unread=True), again="none", outcome="ok", status=413, large=True, whole=False),
    "503": Fault(reply=Reply(status=503), again="repeatable", outcome="status", status=503),
    "502": Fault(reply=Reply(status=502), again="repeatable", outcome="status", status=502),
    "504": Fault(reply=Reply(status=504), again="repeatable", outcome="status", status=504),
    "500": Fault(reply=Reply(status=500), again="none", outcome="ok", status=500),
    "408": Fault(
        reply=Reply(status=408, headers={"Connection": "close"}, end="close"), again="repeatable", outcome="status", status=408
    ),
}  # fmt: skip

_DATE = "Fri, 15 Jan 2027 08:00:00 GMT"

#: Retry-After in every form, with the Date beside it: seconds that are asked for, or None where nobody can tell.
RETRY_AFTER: dict[str, tuple[dict[str, str], float | None]] = {
    "missing": ({}, None),
    "zero": ({"Retry-After": "0"}, 0.0),
    "seconds": ({"Retry-After": "2"}, 2.0),
    "list": ({"Retry-After": "1, 3"}, 3.0),
    "imf-date": ({"Date": _DATE, "Retry-After": "Fri, 15 Jan 2027 08:00:04 GMT"}, 4.0),
    "rfc850-date": ({"Date": _DATE, "Retry-After": "Friday, 15-Jan-27 08:00:04 GMT"}, 4.0),
    "asctime-date": ({"Date": _DATE, "Retry-After": "Fri Jan 15 08:00:04 2027"}, 4.0),
    "date-by-our-clock": ({"Retry-After": "Fri, 15 Jan 2027 08:00:05 GMT"}, 5.0),
    "past-date": ({"Date": _DATE, "Retry-After": "Thu, 14 Jan 2027 08:00:00 GMT"}, 0.0),
    "beyond-cap": ({"Retry-After": "31"}, 31.0),
    "endless": ({"Retry-After": "9" * 40}, 1e9),
    "negative": ({"Retry-After": "-5"}, None),
    "nonsense": ({"Retry-After": "soon"}, None),
}
