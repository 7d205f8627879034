"""What a call carries on from the request that it is made for, and how long that lets it take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from interservice.deadline import Deadline
from interservice.errors import ConfigurationError
from interservice.exchange import Exchange, enter
from interservice.faultserver import FaultServer, Reply
from interservice.http import Request
from interservice.outbound import Backoff, DeadlineExceeded, Retry, ServiceAdapter, ServiceSession, mount
from interservice.trace import Trace

TRACE = Trace("ab" * 16, "cd" * 8, None, 1, "vendor=1")


class NoHeaders:
    """The headers of a request that has none."""

    def get(self, name: str) -> str | None:
        return None

    def all(self, name: str) -> list[str]:
        return []

    def items(self) -> list[tuple[str, str]]:
        return []


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    made = Exchange(Request("GET", "/orders", NoHeaders()), 0.0, "orders")
    made.trace, made.request_id, made.deadline = TRACE, "request-1", Deadline.after(5.0)
    before = enter(made)
    yield made
    enter(before)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def session_for(server: FaultServer) -> ServiceSession:
    retry = Retry(backoff=Backoff(base=0.0), overload_backoff=Backoff(base=0.0))
    return ServiceSession({"billing": ServiceAdapter("billing", endpoints=[server.url], retry=retry)})


@pytest.mark.usefixtures("exchange")
def test_each_try_is_a_span_of_its_own_in_the_same_trace(server: FaultServer) -> None:
    server.expect(Reply(status=503))
    with session_for(server) as session:
        session.get("http://billing/")
    parents = [request.headers["traceparent"].split("-") for request in server.requests]
    assert {parent[1] for parent in parents} == {TRACE.trace_id}
    assert {parent[3] for parent in parents} == {"01"}
    assert len({parent[2] for parent in parents} | {TRACE.span_id}) == 3
    assert {request.headers["tracestate"] for request in server.requests} == {"vendor=1"}
    assert {request.headers["x-request-id"] for request in server.requests} == {"request-1"}


@pytest.mark.usefixtures("exchange")
def test_the_time_left_is_the_callers_and_shrinks(server: FaultServer) -> None:
    server.expect(Reply(status=503, delay=0.05))
    with session_for(server) as session:
        session.get("http://billing/")
    first, second = (int(request.headers["x-request-timeout-ms"]) for request in server.requests)
    assert 0 < second < first <= 5000


def test_a_passed_deadline_of_the_caller_sends_nothing(exchange: Exchange, server: FaultServer) -> None:
    exchange.deadline = Deadline.after(-1.0)
    with session_for(server) as session, pytest.raises(DeadlineExceeded):
        session.get("http://billing/")
    assert server.connections == 0


def test_the_callers_deadline_holds_although_timeouts_are_opted_out_of(exchange: Exchange, server: FaultServer) -> None:
    exchange.deadline = Deadline.after(0.3)
    server.expect(Reply.stall())
    with session_for(server) as session, pytest.raises(DeadlineExceeded) as caught:
        session.get("http://billing/", timeout=(None, None))
    assert caught.value.phase == "headers"


@pytest.mark.usefixtures("exchange")
def test_headers_that_the_caller_set_stay(server: FaultServer) -> None:
    own = {"Traceparent": "mine", "x-request-id": "mine", "X-Request-Timeout-Ms": "7"}
    with session_for(server) as session:
        session.get("http://billing/", headers=own)
    headers = server.requests[0].headers
    assert (headers["traceparent"], headers["x-request-id"], headers["x-request-timeout-ms"]) == ("mine", "mine", "7")
    assert "tracestate" not in headers


def test_a_drop_in_adds_no_header_outside_a_request(server: FaultServer) -> None:
    with requests.Session() as session:
        session.mount("http://", ServiceAdapter())
        session.get(server.url)
    assert {"traceparent", "x-request-id", "x-request-timeout-ms"}.isdisjoint(server.requests[0].headers)


@pytest.mark.usefixtures("exchange")
def test_a_host_that_it_was_not_mounted_for_learns_nothing(server: FaultServer) -> None:
    with FaultServer() as other, requests.Session() as session:
        adapter = ServiceAdapter()
        mount(session, server.url, adapter)
        session.mount("http://", adapter)
        session.get(server.url)
        session.get(other.url)
        assert "traceparent" in server.requests[0].headers
        assert {"traceparent", "x-request-id", "x-request-timeout-ms"}.isdisjoint(other.requests[0].headers)


@pytest.mark.usefixtures("exchange")
def test_trace_is_told_in_further_formats_where_they_are_wanted(server: FaultServer) -> None:
    adapter = ServiceAdapter("billing", endpoints=[server.url], trace_formats=["b3", "gcp"])
    with ServiceSession({"billing": adapter}) as session:
        session.get("http://billing/", headers={"X-Cloud-Trace-Context": "the caller's own"})
    (request,) = server.requests
    _, trace_id, span_id, _ = request.headers["traceparent"].split("-")
    assert request.headers["b3"].startswith(f"{trace_id}-{span_id}-1")
    assert request.headers["x-cloud-trace-context"] == "the caller's own"
    assert "x-amzn-trace-id" not in request.headers


def test_unknown_trace_format_is_refused_when_made() -> None:
    with pytest.raises(ConfigurationError, match=r"ServiceAdapter\.trace_formats"):
        ServiceAdapter("billing", trace_formats=["zipkin"])


def test_task_behind_the_answer_has_the_trace_of_its_request_and_not_its_time(exchange: Exchange, server: FaultServer) -> None:
    exchange.finished = True
    exchange.deadline = Deadline.after(0.0)
    with session_for(server) as session:
        assert session.get("http://billing/").status_code == 200
    (request,) = server.requests
    assert request.headers["x-request-id"] == "request-1"
    assert TRACE.trace_id in request.headers["traceparent"]
