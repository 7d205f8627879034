"""The formats before W3C: what they say is read as their specifications have it, and whatever else comes is no trace."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.trace import Trace
from interservice.trace_formats import READERS, WRITTEN, foreign_headers, read_b3, read_gcp, read_w3c, read_xray
from tests.telemetry.material import Headers

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SHORT = "a3ce929d0e0e4736"


def told(read: Any, *fields: tuple[str, str]) -> tuple[str, str | None, int] | None:
    trace = read(Headers(fields))
    return None if trace is None else (trace.trace_id, trace.parent_id, trace.flags)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{ID}-{SPAN}-1", (ID, SPAN, 1)),
        (f"{ID}-{SPAN}-0", (ID, SPAN, 0)),
        (f"{ID}-{SPAN}-d", (ID, SPAN, 1)),
        (f"{ID}-{SPAN}-1-05e3ac9a4f6e3b90", (ID, SPAN, 1)),
        (f"{ID}-{SPAN}", (ID, SPAN, 0)),
        (f"{SHORT}-{SPAN}-1", (SHORT.rjust(32, "0"), SPAN, 1)),
        (f" {ID.upper()}-{SPAN.upper()}-1", (ID, SPAN, 1)),
        (f"{ID}-{SPAN}-2", None),
        (f"{ID}-{SPAN}-1-05e3", None),
        (f"{ID}", None),
        (f"{'0' * 32}-{SPAN}-1", None),
        (f"{ID}-{'0' * 16}-1", None),
        (f"{ID[:-1]}-{SPAN}-1", None),
        (f"{ID}-{SPAN}-1\n", None),
        ("", None),
    ],
)
def test_b3_in_one_header(value: str, expected: tuple[str, str, int] | None) -> None:
    assert told(read_b3, ("b3", value)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"traceid": ID, "spanid": SPAN, "sampled": "1"}, (ID, SPAN, 1)),
        ({"traceid": ID, "spanid": SPAN, "sampled": "0"}, (ID, SPAN, 0)),
        ({"traceid": ID, "spanid": SPAN, "sampled": "true"}, (ID, SPAN, 1)),
        ({"traceid": ID, "spanid": SPAN, "flags": "1"}, (ID, SPAN, 1)),
        ({"traceid": ID, "spanid": SPAN, "parentspanid": SPAN}, (ID, SPAN, 0)),
        ({"traceid": SHORT, "spanid": SPAN}, (SHORT.rjust(32, "0"), SPAN, 0)),
        ({"traceid": ID}, None),
        ({"spanid": SPAN}, None),
        ({"traceid": ID, "spanid": "x"}, None),
        ({"traceid": "", "spanid": SPAN}, None),
    ],
)
def test_b3_in_several_headers(fields: dict[str, str], expected: tuple[str, str, int] | None) -> None:
    assert told(read_b3, *((f"x-b3-{name}", value) for name, value in fields.items())) == expected


def test_b3_in_one_header_goes_before_several() -> None:
    fields = [("x-b3-traceid", "1" * 32), ("x-b3-spanid", SPAN), ("b3", f"{ID}-{SPAN}-1")]
    assert told(read_b3, *fields) == (ID, SPAN, 1)


@pytest.mark.parametrize(
    ("field", "flags"),
    [(("b3", "0"), 2), (("b3", "1"), 3), (("b3", "d"), 3), (("x-b3-sampled", "1"), 3), (("x-b3-flags", "1"), 3)],
)
def test_b3_decision_without_ids_is_kept_on_a_new_trace(field: tuple[str, str], flags: int) -> None:
    trace = read_b3(Headers([field]))
    assert trace is not None
    assert (trace.parent_id, trace.flags) == (None, flags)


_ROOT = f"Root=1-{ID[:8]}-{ID[8:]}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{_ROOT};Parent={SPAN};Sampled=1", (ID, SPAN, 1)),
        (f"{_ROOT};Parent={SPAN};Sampled=0", (ID, SPAN, 0)),
        (f"{_ROOT};Parent={SPAN};Sampled=?", (ID, SPAN, 0)),
        (f"Self=1-67891234-12456789abcdef012345678;{_ROOT}", (ID, None, 0)),
        (f"sampled=1; parent={SPAN}; root=1-{ID[:8]}-{ID[8:]}; Lineage=a:0", (ID, SPAN, 1)),
        (f"{_ROOT};Parent=;Sampled=1", None),
        (f"{_ROOT};Parent={'0' * 16}", None),
        (f"Root=2-{ID[:8]}-{ID[8:]}", None),
        (f"Root=1-{ID}", None),
        (f"Root=1-{'0' * 8}-{'0' * 24}", None),
        (f"Parent={SPAN}", None),
        (";;==;", None),
    ],
)
def test_xray(value: str, expected: tuple[str, str | None, int] | None) -> None:
    assert told(read_xray, ("x-amzn-trace-id", value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{ID}/{int(SPAN, 16)};o=1", (ID, SPAN, 1)),
        (f"{ID}/{int(SPAN, 16)};o=0", (ID, SPAN, 0)),
        (f"{ID}/{int(SPAN, 16)};o=3", (ID, SPAN, 1)),
        (f"{ID}/{2**64 - 1}", (ID, "f" * 16, 0)),
        (f"{ID}/0;o=1", (ID, None, 1)),
        (f"{ID};o=1", (ID, None, 1)),
        (ID, (ID, None, 0)),
        (f"{ID}/{2**64}", None),
        (f"{ID}/-1", None),
        (f"{ID}/{SPAN}x", None),
        (f"{'0' * 32}/1", None),
        (f"{ID}/1;o={'9' * 5000}", (ID, "0" * 15 + "1", 1)),
        ("", None),
    ],
)
def test_gcp(value: str, expected: tuple[str, str | None, int] | None) -> None:
    assert told(read_gcp, ("x-cloud-trace-context", value)) == expected


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_without_headers_there_is_no_trace(read: Any) -> None:
    assert read(Headers()) is None


_NAMES = [
    "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "x-amzn-trace-id",
    "x-cloud-trace-context",
]  # fmt: skip
#: Text with what readers look for in it.
_values = st.text() | st.lists(st.sampled_from([ID, SHORT, SPAN, "-", "1", "d", ";", "/", "o=", "Root=1-", "Parent=", "٣"])).map(
    "".join
)


@given(st.lists(st.tuples(st.sampled_from(_NAMES), _values), max_size=6))
def test_whatever_comes_is_a_valid_trace_or_none(fields: list[tuple[str, str]]) -> None:
    for read in READERS.values():
        trace = read(Headers(fields))
        if trace is not None:
            again = read_w3c(Headers([("traceparent", trace.traceparent)]))
            assert again is not None
            assert (again.trace_id, again.parent_id, again.flags) == (trace.trace_id, trace.span_id, trace.flags)


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 3), st.sampled_from(WRITTEN))
def test_what_is_written_is_read_as_the_parent(trace_id: int, span_id: int, flags: int, name: str) -> None:
    trace = Trace(f"{trace_id:032x}", f"{span_id:016x}", None, flags)
    read = READERS[name.removesuffix("-multi")]
    assert told(read, *foreign_headers(trace, [name]).items()) == (trace.trace_id, trace.span_id, flags & 1)
