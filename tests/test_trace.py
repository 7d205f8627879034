"""W3C Trace Context, to the letter."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interservice.trace import Trace, new_trace, parse_traceparent, parse_tracestate

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", 1),
        (f"00-{TRACE}-{SPAN}-03", 3),
        (f"00-{TRACE}-{SPAN}-ff", 3),
        (f"01-{TRACE}-{SPAN}-01-what-the-future-brings", 1),
        (f"cc-{TRACE}-{SPAN}-00", 0),
        (f" 00-{TRACE}-{SPAN}-01\t", 1),
    ],
)
def test_good_traceparent_is_read(value: str, flags: int) -> None:
    assert parse_traceparent(value) == (TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0١",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_anything_else_is_no_traceparent(value: str) -> None:
    assert parse_traceparent(value) is None


@pytest.mark.parametrize(
    ("value", "sent_on"),
    [
        ("foo=1,bar=2", "foo=1,bar=2"),
        (" foo=1 ,\t, bar=2 ", "foo=1,bar=2"),
        ("tenant@system=a b", "tenant@system=a b"),
        ("1start=x", "1start=x"),
        ("", ""),
        ("foo", ""),
        ("foo=1,bar=3,foo=2", "foo=1,bar=3"),
        ("Foo=1", ""),
        ("foo=a=b", ""),
        ("foo=é", ""),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        (",".join(f"k{number}=v" for number in range(33)), ""),
        (",".join(["k=v"] * 33), ""),
        ("k" * 257 + "=v", ""),
        ("k=" + "v" * 257, ""),
    ],
)
def test_tracestate_is_sent_on_or_dropped_whole(value: str, sent_on: str) -> None:
    assert parse_tracestate(value) == sent_on


@given(st.text())
def test_parsers_are_total(value: str) -> None:
    parse_traceparent(value)
    parse_tracestate(value)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_what_is_written_can_be_read(high: int, low: int) -> None:
    trace = new_trace(lambda bits: high if bits == 128 else low)
    assert parse_traceparent(trace.traceparent) == (trace.trace_id, trace.span_id, trace.flags)


def test_child_stays_in_the_trace() -> None:
    parent = Trace(TRACE, SPAN, None, 1, "a=1")
    child = parent.child(random.Random(1).getrandbits)
    assert (child.trace_id, child.parent_id, child.flags, child.state) == (TRACE, SPAN, 1, "a=1")
    assert child.span_id != SPAN
    assert parent.sampled
