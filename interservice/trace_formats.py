"""How a trace is written on the wire: W3C Trace Context, and the formats before it, which services and clouds still send.

Pure and total: whatever a header holds, a reader gives a Trace or None. What is no W3C is read with either case of hexadecimal
digits, as its own systems do, and never to the point of inventing an id: a part that is malformed makes the whole unusable.
Sources: W3C Trace Context level 2; openzipkin/b3-propagation; AWS X-Ray "tracing header"; Google Cloud "X-Cloud-Trace-Context".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .trace import RANDOM, SAMPLED, Trace, new_span_id, new_trace, parse_traceparent, parse_tracestate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .http import HeaderLookup

_B3 = re.compile(r"([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?", re.ASCII | re.IGNORECASE)
_B3_TRACE_ID = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}", re.ASCII | re.IGNORECASE)
_SPAN_ID = re.compile(r"[0-9a-f]{16}", re.ASCII | re.IGNORECASE)
_XRAY_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})", re.ASCII | re.IGNORECASE)
_GCP = re.compile(r"([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;o=([0-9]+))?", re.ASCII | re.IGNORECASE)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_MAX_SPAN = 2**64
#: B3's words for "recorded" and "not recorded"; "d" is debug, and true and false were written before there was a specification.
_B3_SAMPLED = {"1": SAMPLED, "d": SAMPLED, "true": SAMPLED, "0": 0, "false": 0}


def read_w3c(headers: HeaderLookup) -> Trace | None:
    """Our span below the caller's `traceparent`, with its `tracestate`.

    None when there is none, or it is repeated or malformed: the trace starts anew (level 2, section 3.2).
    """
    given = headers.get("traceparent")
    parsed = parse_traceparent(given) if given else None
    if parsed is None:
        return None
    trace_id, parent_id, flags = parsed
    state = headers.get("tracestate")
    return Trace(trace_id, new_span_id(), parent_id, flags, parse_tracestate(state) if state else "")


def read_b3(headers: HeaderLookup) -> Trace | None:
    """Our span below the caller's of `b3`, or else of the `X-B3-` headers.

    A decision without ids (`b3: 0`, `X-B3-Sampled: 1`) is kept on a trace that starts here.
    """
    single = headers.get("b3")
    if single is None:
        return _b3_multi(headers)
    value = single.strip(" \t")
    if value.lower() in _B3_SAMPLED:
        return _decided(value)
    match = _B3.fullmatch(value)
    return None if match is None else _below(match[1].rjust(32, "0"), match[2], _B3_SAMPLED.get((match[3] or "0").lower(), 0))


def read_xray(headers: HeaderLookup) -> Trace | None:
    """Our span in the trace of `X-Amzn-Trace-Id`: below its Parent, or below none, as a load balancer begins one."""
    given = headers.get("x-amzn-trace-id")
    if given is None:
        return None
    parts = {key.strip().lower(): value.strip() for key, _, value in (part.partition("=") for part in given.split(";"))}
    root = _XRAY_ROOT.fullmatch(parts.get("root", ""))
    parent = parts.get("parent")
    if root is None or (parent is not None and _SPAN_ID.fullmatch(parent) is None):
        return None
    return _below(root[1] + root[2], parent, SAMPLED if parts.get("sampled") == "1" else 0)


def read_gcp(headers: HeaderLookup) -> Trace | None:
    """Our span in the trace of `X-Cloud-Trace-Context`, whose span id is a decimal number."""
    given = headers.get("x-cloud-trace-context")
    match = None if given is None else _GCP.fullmatch(given.strip(" \t"))
    if match is None:
        return None
    span = int(match[2] or 0)
    if span >= _MAX_SPAN:
        return None
    return _below(match[1], f"{span:016x}" if span else None, SAMPLED if int((match[3] or "0")[-4:]) & SAMPLED else 0)


#: By the names that options have for them.
READERS: Mapping[str, Callable[[HeaderLookup], Trace | None]] = {
    "w3c": read_w3c,
    "b3": read_b3,
    "xray": read_xray,
    "gcp": read_gcp,
}


def _write_b3(trace: Trace) -> dict[str, str]:
    return {"b3": f"{trace.trace_id}-{trace.span_id}-{trace.flags & SAMPLED}"}


def _write_b3_multi(trace: Trace) -> dict[str, str]:
    return {"X-B3-TraceId": trace.trace_id, "X-B3-SpanId": trace.span_id, "X-B3-Sampled": str(trace.flags & SAMPLED)}


def _write_xray(trace: Trace) -> dict[str, str]:
    root = f"1-{trace.trace_id[:8]}-{trace.trace_id[8:]}"
    return {"X-Amzn-Trace-Id": f"Root={root};Parent={trace.span_id};Sampled={trace.flags & SAMPLED}"}


def _write_gcp(trace: Trace) -> dict[str, str]:
    return {"X-Cloud-Trace-Context": f"{trace.trace_id}/{int(trace.span_id, 16)};o={trace.flags & SAMPLED}"}


_WRITERS: Mapping[str, Callable[[Trace], dict[str, str]]] = {
    "b3": _write_b3,
    "b3-multi": _write_b3_multi,
    "xray": _write_xray,
    "gcp": _write_gcp,
}
#: The formats besides W3C that can be written.
WRITTEN = tuple(_WRITERS)


def foreign_headers(trace: Trace, formats: Iterable[str]) -> dict[str, str]:
    """The headers that say, in each of these formats (of `WRITTEN`), that the trace's span is the parent."""
    headers: dict[str, str] = {}
    for name in formats:
        headers.update(_WRITERS[name](trace))
    return headers


def _b3_multi(headers: HeaderLookup) -> Trace | None:
    trace_id, sampled = headers.get("x-b3-traceid"), headers.get("x-b3-sampled")
    debug = headers.get("x-b3-flags")
    if trace_id is None and sampled is None and debug is None:
        return None
    decision = "d" if debug == "1" else (sampled or "0").lower()
    if trace_id is None:
        return _decided(decision)
    span_id = headers.get("x-b3-spanid") or ""
    if _B3_TRACE_ID.fullmatch(trace_id) is None or _SPAN_ID.fullmatch(span_id) is None:
        return None
    return _below(trace_id.rjust(32, "0"), span_id, _B3_SAMPLED.get(decision, 0))


def _decided(word: str) -> Trace:
    """A trace that starts here, recorded if the caller wants it so."""
    return new_trace()._replace(flags=RANDOM | _B3_SAMPLED.get(word.lower(), 0))


def _below(trace_id: str, parent_id: str | None, flags: int) -> Trace | None:
    """A new span in a trace; None when an id is all zero. That the trace's id is random is not said by these formats."""
    trace_id, parent_id = trace_id.lower(), parent_id and parent_id.lower()
    return None if trace_id == _NO_TRACE or parent_id == _NO_SPAN else Trace(trace_id, new_span_id(), parent_id, flags)
