"""Whose trace and id are believed, what they are read from, and what the caller is told."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import Exchange
from interservice.http import Head
from interservice.inbound.gate import Gate
from interservice.inbound.policy import Policy
from interservice.inbound.tracing import Tracing
from interservice.trace import Trace, new_trace
from tests.telemetry.material import Principal

from .requests import request

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{ID}-{SPAN}-01"}
SENT = {**PARENT, "tracestate": "a=1", "x-request-id": "theirs"}


class Verified(Policy):
    """Believes whoever has a header, as an authenticating policy would."""

    def admit(self, exchange: Exchange) -> None:
        if exchange.request.headers.get("authorization") is None:
            raise Rejection("No.", status=401, code="unauthenticated")
        exchange.principal = Principal()


def asked(*policies: Any, headers: dict[str, str] = SENT, peer: str | None = None) -> Exchange:
    gate = Gate(policies)
    made = request("GET", "/", *headers.items())
    made.peer = peer
    exchange = gate.open(made)
    assert gate.prepare(exchange) is None
    gate.admit(exchange)
    assert exchange.trace is not None
    return exchange


def continued(exchange: Exchange) -> bool:
    """Whether the caller's trace goes on; its id and trace are believed together, or neither is."""
    assert exchange.trace is not None
    both = {exchange.trace.trace_id == ID, exchange.request_id == "theirs", exchange.trace.state == "a=1"}
    assert len(both) == 1
    return both == {True}


@pytest.mark.parametrize(
    ("trust", "peer", "believed"),
    [
        ("always", None, True),
        ("never", "10.0.0.1", False),
        (["10.0.0.0/8", "fd00::/8"], "10.1.2.3", True),
        (["10.0.0.0/8", "fd00::/8"], "fd00::1%eth0", True),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], "192.0.2.1", False),
        (["10.0.0.0/8"], "unix:", False),
        (["10.0.0.0/8"], None, False),
        ([], "10.0.0.1", False),
        ("authenticated", "10.0.0.1", False),
    ],
)
def test_trace_and_id_are_believed_of_whom_the_option_says(trust: Any, peer: str | None, believed: bool) -> None:
    assert continued(asked(Tracing(trust=trust), peer=peer)) is believed


def test_authenticated_callers_are_believed_behind_the_policy_that_verifies_them() -> None:
    exchange = asked(Tracing(trust="never"), Verified(), Tracing(trust="authenticated"), headers={**SENT, "authorization": "x"})
    assert continued(exchange)


def test_refusal_in_front_of_it_still_has_ids_of_our_own() -> None:
    exchange = asked(Tracing(trust="never"), Verified(), Tracing(trust="authenticated"))
    assert exchange.refusal is not None
    assert not continued(exchange)
    assert exchange.request_id


class Noting(Policy):
    """Notes the ids that there are in the middle."""

    def __init__(self) -> None:
        self.ids: list[Any] = []

    def admit(self, exchange: Exchange) -> None:
        self.ids.append((exchange.request_id, exchange.trace))


def test_second_policy_that_does_not_trust_leaves_the_ids_alone() -> None:
    noting = Noting()
    exchange = asked(Tracing(trust="never"), noting, Tracing(trust="authenticated"))
    assert noting.ids == [(exchange.request_id, exchange.trace)]


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a\nb", "é", "a;b", "a,b"])
def test_request_id_that_could_forge_a_line_is_replaced(given: str) -> None:
    exchange = asked(Tracing(), headers={"x-request-id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", exchange.request_id or "")


B3 = {"b3": f"{'1' * 32}-{SPAN}-1"}
XRAY = {"x-amzn-trace-id": f"Root=1-{'2' * 8}-{'2' * 24};Parent={SPAN};Sampled=1"}
GCP = {"x-cloud-trace-context": f"{'3' * 32}/1;o=1"}


@pytest.mark.parametrize(
    ("options", "headers", "trace_id"),
    [
        ({}, {**GCP, **XRAY, **B3, **PARENT}, ID),
        ({}, {**GCP, **XRAY, **B3}, "1" * 32),
        ({}, {**GCP, **XRAY}, "2" * 32),
        ({}, GCP, "3" * 32),
        ({}, {**B3, "traceparent": "nonsense"}, "1" * 32),
        ({}, {**XRAY, "b3": "nonsense"}, "2" * 32),
        ({"formats": ["b3", "w3c"]}, {**B3, **PARENT}, "1" * 32),
        ({"formats": ["w3c"]}, {**PARENT, **B3}, ID),
    ],
)
def test_first_format_that_is_there_and_valid_counts(options: Any, headers: dict[str, str], trace_id: str) -> None:
    exchange = asked(Tracing(**options), headers=headers)
    assert exchange.trace is not None
    assert exchange.trace.trace_id == trace_id


@pytest.mark.parametrize("formats", [["w3c"], ["gcp", "xray"], []])
def test_format_that_is_not_listed_is_not_read(formats: list[str]) -> None:
    exchange = asked(Tracing(formats=formats), headers=B3)
    assert exchange.trace is not None
    assert exchange.trace.parent_id is None
    assert exchange.trace.trace_id != "1" * 32


def test_state_of_a_trace_that_is_not_continued_is_dropped() -> None:
    exchange = asked(Tracing(), headers={"tracestate": "a=1", **B3})
    assert exchange.trace is not None
    assert exchange.trace.state == ""


class Counted:
    """Headers that note what they are asked for."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields
        self.asked: list[str] = []

    def get(self, name: str) -> str | None:
        self.asked.append(name)
        return self.fields.get(name)

    def all(self, name: str) -> list[str]:
        raise NotImplementedError

    def items(self) -> list[tuple[str, str]]:
        raise NotImplementedError


def test_other_formats_are_not_looked_for_beside_a_traceparent() -> None:
    headers = Counted(SENT)
    made = request("GET", "/")
    made.headers = headers
    gate = Gate([Tracing()])
    exchange = gate.open(made)
    gate.prepare(exchange)
    assert exchange.trace is not None
    assert headers.asked == ["x-request-id", "traceparent", "tracestate"]


def test_trace_that_nobody_asks_for_is_not_read_and_otherwise_once() -> None:
    headers = Counted(SENT)
    made = request("GET", "/")
    made.headers = headers
    gate = Gate([Tracing()])
    exchange = gate.open(made)
    gate.prepare(exchange)
    gate.respond(exchange, Head(200, []))
    assert headers.asked == ["x-request-id"]
    assert exchange.trace is exchange.trace


def test_threads_that_ask_at_once_get_one_trace() -> None:
    exchange = Gate([]).open(request("GET", "/"))
    inside = threading.Barrier(2)

    def read(_: Exchange) -> Trace:
        inside.wait(5)
        return new_trace()

    exchange.trace_later(read)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: exchange.trace, range(2))
    assert one is other is exchange.trace


def head_of(tracing: Tracing) -> tuple[Exchange, list[tuple[str, str]]]:
    exchange = asked(tracing)
    head = Head(200, [("Server-Timing", "db;dur=1")])
    tracing.respond(exchange, head)
    return exchange, head.headers


def test_caller_is_told_the_id_and_nothing_else_by_default() -> None:
    _, headers = head_of(Tracing())
    assert headers == [("Server-Timing", "db;dur=1"), ("X-Request-ID", "theirs")]


def test_caller_is_told_our_span_where_that_is_wanted() -> None:
    exchange, headers = head_of(Tracing(respond_with=["traceresponse", "server-timing"]))
    assert exchange.trace is not None
    ours = f"00-{ID}-{exchange.trace.span_id}-01"
    assert headers[2:] == [("traceresponse", ours), ("Server-Timing", f"trace;desc={ours}")]
    assert headers[0] == ("Server-Timing", "db;dur=1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trust": "sometimes"}, "Tracing.trust"),
        ({"trust": ["10.0.0.1/8"]}, "Tracing.trust"),
        ({"trust": 7}, "Tracing.trust"),
        ({"request_id_header": "X Id"}, "Tracing.request_id_header"),
        ({"request_id_header": ""}, "Tracing.request_id_header"),
        ({"formats": "w3c"}, "Tracing.formats"),
        ({"formats": ["w3c", "jaeger"]}, "Tracing.formats"),
        ({"respond_with": ["b3"]}, "Tracing.respond_with"),
    ],
)
def test_nonsense_is_refused(options: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Tracing(**options)
