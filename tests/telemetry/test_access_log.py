"""What a line says, for each kind of event and preset; when there is one; and where it goes."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest

from interservice.errors import ConfigurationError, InvalidToken
from interservice.events import Attempted, CircuitChanged, Shed
from interservice.http import Request
from interservice.telemetry import AccessLog
from interservice.testing import FakeClock
from interservice.trace import Trace
from tests.telemetry.material import TRACE, Headers, Principal, Sink, Version, called, exchange, raised, served


def record_of(event: object, **options: Any) -> dict[str, Any]:
    sink = Sink()
    AccessLog(stream=sink, **options)(event)
    return sink.one()


def test_an_exchange_is_one_line_under_opentelemetrys_names() -> None:
    record = record_of(served(), clock=FakeClock(time=1_700_000_000.5))
    del record["process.pid"]
    assert record == {
        "timestamp": "2023-11-14T22:13:20.500Z",
        "level": "info",
        "message": "GET /orders/{id} 200",
        "logger": "interservice.access",
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "url.path": "/orders/7",
        "url.query": "page=2",
        "url.scheme": "http",
        "http.request.body.size": 12,
        "client.address": "10.0.0.9",
        "network.peer.address": "10.0.0.9",
        "server.address": "orders",
        "server.port": 8000,
        "network.protocol.version": "1.1",
        "user_agent.original": "python-requests/2.34",
        "http.response.status_code": 200,
        "duration_ms": 12.5,
        "ttfb_ms": 10.0,
        "http.response.body.size": 512,
        "outcome": "ok",
        "trace_id": TRACE.trace_id,
        "span_id": TRACE.span_id,
        "parent_span_id": TRACE.parent_id,
        "trace_flags": "02",
        "request_id": "r-1",
        "service.name": "orders",
    }


def test_the_first_keys_are_timestamp_level_message() -> None:
    assert list(record_of(served()))[:4] == ["timestamp", "level", "message", "logger"]
    assert list(record_of(served(), preset="ecs"))[:3] == ["@timestamp", "log.level", "message"]


def test_ecs_has_nanoseconds_and_labels_without_dots() -> None:
    event = served()
    event.exchange.annotate(**{"a.b*c": 1, "nested": {"x": [1]}})
    record = record_of(event, preset="ecs")
    assert record["event.duration"] == 12_500_000
    assert record["event.outcome"] == "success"
    assert record["labels"] == {"a_b_c": 1, "nested": '{"x": [1]}'}


def test_a_call_that_ended_with_5xx_is_a_failure_in_ecs() -> None:
    assert record_of(called(500), preset="ecs")["event.outcome"] == "failure"
    assert record_of(called(404), preset="ecs")["event.outcome"] == "success"


def test_flat_names_have_no_dots_and_annotations_never_replace_them() -> None:
    event = served()
    event.exchange.annotate(order=7, status="mine")
    record = record_of(event, preset="flat")
    assert not [key for key in record if "." in key]
    assert (record["order"], record["status"], record["fields_status"]) == (7, 200, "mine")


def test_annotations_are_below_our_name_in_otel() -> None:
    event = served()
    event.exchange.annotate(order=7, password="hunter2", deep={"api_token": "x"})
    record = record_of(event)
    assert record["interservice.fields.order"] == 7
    assert record["interservice.fields.password"] == "REDACTED"
    assert record["interservice.fields.deep"] == {"api_token": "REDACTED"}


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (served(status=204), "info"),
        (served(status=302), "info"),
        (served(status=404), "warning"),
        (served(status=503), "error"),
        (served(status=200, outcome="client_disconnect"), "warning"),
        (served(status=None, outcome="aborted"), "warning"),
        (served(status=200, outcome="exception", error=ValueError("x")), "error"),
        (called(200), "info"),
        (called(404), "warning"),
        (called(500, "server_error"), "error"),
        (called(None, "timeout", error=TimeoutError("x")), "error"),
        (called(None, "cancelled", error=ValueError("x")), "warning"),
        (CircuitChanged("billing", "http://b", "closed", "open", {}), "warning"),
    ],
)
def test_the_level_follows_the_outcome(event: object, level: str) -> None:
    assert record_of(event)["level"] == level


def test_successes_of_health_checks_are_of_level_debug() -> None:
    event = served(exchange(Request("GET", "/healthz", Headers())))
    assert record_of(event)["level"] == "debug"
    assert record_of(served(event.exchange, status=503))["level"] == "error"
    sink = Sink()
    AccessLog(stream=sink, level="info")(event)
    assert sink.records() == []


def test_an_exception_has_type_message_and_stack_without_secrets() -> None:
    error = raised(RuntimeError("cannot reach http://me:hunter2@db/?token=abc with Bearer abcdef123456"))
    record = record_of(served(status=500, outcome="exception", error=error))
    assert record["error.type"] == record["exception.type"] == "RuntimeError"
    assert record["exception.stacktrace"].startswith("Traceback")
    for secret in ("hunter2", "abc", "abcdef123456"):
        assert secret not in record["exception.message"]
    assert "hunter2" not in record["exception.stacktrace"]
    assert "exception.stacktrace" not in record_of(served(status=500, outcome="exception", error=error), stacktrace=False)


def test_a_server_error_without_exception_has_the_status_as_type() -> None:
    assert record_of(served(status=503))["error.type"] == "503"
    assert "error.type" not in record_of(served(status=404))


def test_who_asked_which_version_and_why_it_was_refused() -> None:
    made = exchange(principal=Principal(), version=Version("1", "header", deprecated=True), refusal=InvalidToken("expired"))
    record = record_of(served(made, status=401))
    assert record["auth.subject"] == "ada"
    assert record["interservice.client_id"] == "shop"
    assert record["api.version"] == "1"
    assert record["api.version.source"] == "header"
    assert record["api.version.deprecated"] is True
    assert record["interservice.refusal.code"] == "invalid_token"
    assert record["interservice.refusal.reason"] == "expired"


def test_the_subject_may_be_hashed_or_left_out() -> None:
    event = served(exchange(principal=Principal()))
    hashed = record_of(event, subject="hash")["auth.subject"]
    assert hashed == record_of(event, subject="hash")["auth.subject"] != "ada"
    assert "auth.subject" not in record_of(event, subject="omit")


def test_an_unknown_method_is_other_with_the_original_beside_it() -> None:
    record = record_of(served(exchange(Request("BREW", "/pot", Headers()), route=None), status=405))
    assert (record["http.request.method"], record["http.request.method_original"]) == ("_OTHER", "BREW")
    assert "http.route" not in record
    assert record["message"] == "BREW /pot 405"


def test_a_response_that_was_not_started_has_no_status() -> None:
    record = record_of(served(status=None, outcome="client_disconnect", first_byte=None))
    assert "http.response.status_code" not in record
    assert "ttfb_ms" not in record
    assert record["message"] == "GET /orders/{id} -"


def test_the_mount_point_is_part_of_the_path() -> None:
    assert record_of(served(exchange(Request("GET", "/x", Headers(), mount="/shop"))))["url.path"] == "/shop/x"


def test_secrets_in_the_query_are_redacted() -> None:
    made = exchange(Request("GET", "/cb", Headers(), query="code=s3cret&state=1"))
    assert record_of(served(made))["url.query"] == "code=REDACTED&state=1"
    made = exchange(Request("GET", "/cb", Headers(), query="ssn=1&x=2"))
    assert record_of(served(made), redact=["SSN"])["url.query"] == "ssn=REDACTED&x=2"


def test_headers_are_written_on_request_and_never_credentials() -> None:
    made = exchange(Request("GET", "/", Headers([("X-Tenant", "a"), ("X-Tenant", "b"), ("Authorization", "Bearer abcdefgh")])))
    record = record_of(served(made), request_headers=["X-Tenant", "x-absent"])
    assert record["http.request.header.x-tenant"] == ["a", "b"]
    assert "abcdefgh" not in str(record)
    with pytest.raises(ConfigurationError, match="request_headers"):
        AccessLog(request_headers=["Authorization"])


def test_a_call_is_one_line_with_its_retries_and_ids() -> None:
    record = record_of(called(attempts=3, trace=TRACE, request_id="r-1"))
    assert record["logger"] == "interservice.call"
    assert record["url.full"] == "http://billing/invoices"
    assert record["interservice.call.service"] == "billing"
    assert record["http.request.resend_count"] == 2
    assert record["duration_ms"] == 250.0
    assert (record["trace_id"], record["request_id"]) == (TRACE.trace_id, "r-1")
    assert "http.request.resend_count" not in record_of(called())


def test_a_failed_call_names_its_error() -> None:
    record = record_of(called(None, "timeout", 3, TimeoutError("too late")))
    assert (record["outcome"], record["error.type"], record["exception.message"]) == ("timeout", "TimeoutError", "too late")
    assert record["message"] == "GET http://billing/invoices timeout"


def test_a_circuit_change_has_a_line_with_its_snapshot() -> None:
    record = record_of(CircuitChanged("billing", "http://b:1", "closed", "open", {"calls": 20, "failures": 11}))
    assert record["message"] == "circuit of billing at http://b:1: closed -> open"
    assert record["interservice.circuit.snapshot"] == {"calls": 20, "failures": 11}


def test_attempts_have_lines_only_when_asked_for() -> None:
    event = Attempted("billing", "http://b:1", 2, 0.1, "timeout", None, TimeoutError())
    sink = Sink()
    AccessLog(stream=sink)(event)
    assert sink.records() == []
    assert record_of(event, attempts=True)["interservice.call.attempt"] == 2


def test_other_events_and_anything_else_are_ignored() -> None:
    sink = Sink()
    log = AccessLog(stream=sink)
    for event in (Shed("orders", 4, 4), object(), None, "text"):
        log(event)
    assert sink.getvalue() == ""
    assert log.dropped == 0


def test_a_line_is_one_write_and_one_flush() -> None:
    class Counting(Sink):
        writes: list[str]

        def write(self, text: str, /) -> int:
            self.writes.append(text)
            return len(text)

    sink = Counting()
    sink.writes = []
    AccessLog(stream=sink)(served())
    (text,) = sink.writes
    assert text.endswith("}\n")


def test_stdout_is_looked_up_for_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog()
    log(served())
    assert capsys.readouterr().out.count("\n") == 1


class Broken(Sink):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_broken_or_closed_stream_is_counted_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    closed = Sink()
    closed.close()
    for stream in (Broken(), closed):
        caplog.clear()
        log = AccessLog(stream=stream)
        for _ in range(3):
            log(served())
        assert log.dropped == 3
        assert len(caplog.records) == 1


def test_an_event_that_cannot_be_told_is_counted_and_does_not_raise(caplog: pytest.LogCaptureFixture) -> None:
    event = served()
    event.exchange.principal = object()  # type: ignore[assignment]
    log = AccessLog(stream=Sink())
    log(event)
    log(event)
    assert log.dropped == 2
    assert len(caplog.records) == 1


def test_a_logger_gets_the_record_as_a_dict_with_its_level(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("shop.access")
    with caplog.at_level(logging.INFO, "shop.access"):
        AccessLog(logger=logger)(served(status=404))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert isinstance(record.msg, dict)
    assert record.msg["http.response.status_code"] == 404
    assert record.getMessage().startswith('{"timestamp"')


def test_a_log_that_is_dropped_is_collected() -> None:
    log = AccessLog(stream=Sink(), sample_rate=0.5)
    gone = weakref.ref(log)
    del log
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "xml"},
        {"level": "loud"},
        {"sample_rate": 1.5},
        {"sample_rate": float("nan")},
        {"slow": -1},
        {"subject": "rot13"},
        {"stream": object()},
        {"logger": "root"},
        {"stream": Sink(), "logger": logging.getLogger("x")},
        {"buffer": 0},
        {"quiet": "/healthz"},
        {"redact": "token"},
        {"service": ""},
        {"summary_every": 0},
    ],
)
def test_nonsense_is_refused_with_the_options_name(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="AccessLog." + next(iter(options))):
        AccessLog(**options)


UNSAMPLED = [Trace(f"{number:032x}", "b7ad6b7169203331", None, 2) for number in range(0, 2**56, 2**56 // 400)]


def test_the_rest_is_sampled_by_trace_id_alike_everywhere() -> None:
    def kept(rate: float) -> set[str]:
        sink = Sink()
        log = AccessLog(stream=sink, sample_rate=rate)
        for trace in UNSAMPLED:
            log(served(exchange(trace=trace)))
        return {record["trace_id"] for record in sink.records()}

    assert kept(0.0) == set()
    assert 30 <= len(kept(0.1)) <= 50
    assert kept(0.1) == kept(0.1) < kept(0.5) < kept(1.0)
    assert len(kept(1.0)) == len(UNSAMPLED)


@pytest.mark.parametrize(
    "event",
    [
        served(status=500),
        served(status=404),
        served(status=200, outcome="exception", error=ValueError()),
        served(status=200, outcome="client_disconnect"),
        served(seconds=1.0),
        served(exchange(version=Version(deprecated=True))),
        served(exchange(trace=Trace(TRACE.trace_id, TRACE.span_id, None, 3))),
    ],
    ids=["5xx", "4xx", "exception", "disconnect", "slow", "deprecated", "sampled"],
)
def test_what_matters_is_written_whatever_the_rate(event: object) -> None:
    assert "interservice.sampled_rate" not in record_of(event, sample_rate=0.0)


def test_client_errors_may_be_sampled_too() -> None:
    sink = Sink()
    AccessLog(stream=sink, sample_rate=0.0, client_errors=False)(served(status=404))
    assert sink.records() == []


def test_a_line_kept_by_chance_says_the_rate() -> None:
    high = Trace("f" * 32, TRACE.span_id, None, 2)
    assert record_of(served(exchange(trace=high)), sample_rate=0.25)["interservice.sampled_rate"] == 0.25


def test_what_sampling_left_out_is_summed_up() -> None:
    clock, sink = FakeClock(), Sink()
    log = AccessLog(stream=sink, sample_rate=0.0, summary_every=60.0, clock=clock)
    for seconds in (0.1, 0.3):
        log(served(seconds=seconds))
    log(served(exchange(route=None)))
    assert sink.records() == []
    clock.advance(60.0)
    log(served())
    (record,) = sink.records()
    assert record["logger"] == "interservice.sampling"
    assert record["interservice.summary.count"] == 3
    assert record["interservice.summary"][0] == {
        "method": "GET",
        "route": "/orders/{id}",
        "status": 200,
        "count": 2,
        "total_ms": 400.0,
        "max_ms": 300.0,
    }
    log.close()
    assert sink.records()[1]["interservice.summary.count"] == 1


def test_a_summary_has_a_bounded_number_of_rows() -> None:
    sink = Sink()
    log = AccessLog(stream=sink, sample_rate=0.0)
    for number in range(3000):
        log(served(exchange(route=f"/r{number}")))
    log.close()
    record = sink.one()
    assert record["interservice.summary.count"] == 3000


def test_a_buffered_log_writes_in_order_from_another_thread() -> None:
    sink = Sink()
    log = AccessLog(stream=sink, buffer=100)
    for number in range(20):
        log(served(exchange(request_id=f"r-{number}"), status=500 if number % 3 == 0 else 200))
    assert log.flush(10.0)
    log.close()
    assert [record["request_id"] for record in sink.records()] == [f"r-{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        (200, "ok", "ok"),
        (404, "ok", "client_error"),
        (500, "ok", "server_error"),
        (503, "status", "server_error"),
        (None, "reset", "reset"),
    ],
)
def test_outcome_of_a_call_says_what_its_status_says(status: int | None, outcome: str, told: str) -> None:
    assert record_of(called(status, outcome))["outcome"] == told
