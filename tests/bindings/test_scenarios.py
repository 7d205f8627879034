"""What every binding must do, whatever serves the application."""

from __future__ import annotations

import gc
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from interservice.errors import KeysUnavailable, Rejection
from interservice.exchange import Exchange, current
from interservice.http import Head, Reply
from interservice.inbound.deadlines import Deadlines
from interservice.inbound.policy import Answer, Policy
from interservice.inbound.tracing import Tracing

from .script import Script, here

#: Django's ASGI handler does not close the request's temporary file when sending fails.
django_leaves_its_body_file_open = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@dataclass
class Refusing(Policy):
    rejection: Exception

    def admit(self, exchange: Exchange) -> None:
        raise self.rejection


class Preparing(Policy):
    """Wants work before it admits, and remembers the order of things."""

    def __init__(self, work: Any = None) -> None:
        self.order: list[str] = []
        self.work = work

    def prepare(self, exchange: Exchange) -> Any:
        self.order.append("prepare")

        def work() -> None:
            self.order.append("work")
            if self.work is not None:
                self.work()

        return work

    def admit(self, exchange: Exchange) -> None:
        self.order.append("admit")


class Mounting(Policy):
    """Takes "/v1" off the path, as a version policy does."""

    def admit(self, exchange: Exchange) -> None:
        exchange.mount += "/v1"
        exchange.path = exchange.path.removeprefix("/v1")


def test_an_answer_passes_unchanged_and_is_one_event(serve: Any) -> None:
    serving = serve(Script(headers=[("X-Own", "1")]))
    answer = serving.ask(path="/things?a=b")
    assert (answer.status, answer.body, answer.header("X-Own")) == (200, b"hello", "1")
    served = serving.served
    assert (served.status, served.bytes_sent, served.outcome, served.error) == (200, 5, "ok", None)
    request = served.exchange.request
    assert (request.method, request.path, request.query, request.peer) == ("GET", "/things", "a=b", "127.0.0.1")


@pytest.mark.parametrize(("status", "outcome"), [(204, "ok"), (304, "ok"), (404, "client_error"), (503, "server_error")])
def test_outcome_follows_the_status(serve: Any, status: int, outcome: str) -> None:
    serving = serve(Script(status=status, parts=[]))
    assert serving.ask().status == status
    assert (serving.served.status, serving.served.outcome) == (status, outcome)


def test_request_id_of_the_caller_is_kept_and_given_back(serve: Any) -> None:
    serving = serve(Script(before=lambda: str(here().request_id).encode()), Tracing())
    answer = serving.ask(headers={"X-Request-ID": "abc-1"})
    assert (answer.header("X-Request-ID"), answer.body) == ("abc-1", b"abc-1")


@pytest.mark.parametrize("hostile", ["a b", "x" * 129, "a;b", "é", ""])
def test_unfit_request_id_is_replaced(serve: Any, hostile: str) -> None:
    answer = serve(Script(), Tracing()).ask(headers={"X-Request-ID": hostile})
    assert re.fullmatch("[0-9a-f]{32}", answer.header("X-Request-ID") or "")


def test_trace_is_continued_with_a_span_of_our_own(serve: Any) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    serving = serve(Script(), Tracing())
    serving.ask(headers={"traceparent": parent, "tracestate": "a=1, b=2"})
    trace = serving.served.exchange.trace
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.flags, trace.state) == (parent[3:35], parent[36:52], 1, "a=1,b=2")
    assert trace.span_id != trace.parent_id


def test_untrusted_caller_starts_a_trace_and_an_id_of_ours(serve: Any) -> None:
    serving = serve(Script(), Tracing(trust=["10.0.0.0/8"]))
    answer = serving.ask(
        headers={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "X-Request-ID": "theirs"}
    )
    trace = serving.served.exchange.trace
    assert trace is not None
    assert trace.parent_id is None
    assert answer.header("X-Request-ID") != "theirs"


def test_deadline_is_what_the_caller_grants(serve: Any) -> None:
    serving = serve(Script(before=lambda: str(here().deadline.remaining()).encode()), Deadlines(maximum=5))
    assert serving.ask(headers={"X-Request-Timeout-Ms": "1500"}).body == b"1.5"


def test_refusal_is_a_problem_document_and_the_application_is_not_asked(serve: Any) -> None:
    script = Script()
    serving = serve(
        script, Tracing(), Refusing(Rejection('No "entry"\n', status=409, code="closed", retry_after=1.2, extra={"open": "9"}))
    )
    answer = serving.ask(headers={"X-Request-ID": "r1"})
    assert answer.status == 409
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Retry-After") == "2"
    assert answer.header("X-Request-ID") == "r1"
    assert json.loads(answer.body) == {
        "type": "about:blank", "title": "Conflict", "status": 409, "detail": 'No "entry"\n', "instance": "urn:request:r1",
        "code": "closed",
        "open": "9",
    }  # fmt: skip
    assert script.calls == 0
    assert (serving.served.status, serving.served.outcome, serving.served.error) == (409, "client_error", None)
    assert serving.served.bytes_sent == len(answer.body)


def test_refusal_of_head_has_no_body(serve: Any) -> None:
    serving = serve(Script(), Refusing(Rejection(status=403)))
    answer = serving.ask("HEAD")
    assert (answer.status, answer.body, serving.served.bytes_sent) == (403, b"", 0)
    assert int(answer.header("Content-Length") or 0) > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_broken_policy_is_a_500_and_never_lets_through(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    script = Script()
    serving = serve(script, Tracing(), Refusing(ZeroDivisionError("secret detail")))
    answer = serving.ask(headers={"X-Request-ID": "r2"})
    assert (answer.status, script.calls) == (500, 0)
    assert json.loads(answer.body)["code"] == "internal_error"
    assert b"secret" not in answer.body
    assert isinstance(serving.served.error, ZeroDivisionError)
    assert "r2" in caplog.text


def test_broken_policy_on_the_response_is_a_500(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Breaking(Policy):
        def respond(self, exchange: Exchange, head: Head) -> None:
            raise ZeroDivisionError

    serving = serve(Script(), Breaking())
    assert serving.ask().status == 500
    assert serving.served.outcome == "exception"
    assert "a policy failed" in caplog.text


def test_work_comes_before_admission(serve: Any) -> None:
    policy = Preparing()
    serving = serve(Script(), policy)
    assert serving.ask().status == 200
    assert policy.order == ["prepare", "work", "admit"]


def test_work_of_a_later_policy_is_not_done_for_a_request_refused_before(serve: Any) -> None:
    policy = Preparing()
    serve(Script(), Refusing(Rejection()), policy).ask()
    assert policy.order == []


def test_policy_may_answer_in_the_applications_place(serve: Any) -> None:
    class Answering(Policy):
        def admit(self, exchange: Exchange) -> None:
            raise Answer(Reply(200, [("Content-Type", "text/plain"), ("Content-Length", "4")], b"mine"))

    script, after = Script(), Preparing()
    serving = serve(script, Tracing(), Answering(), after)
    answer = serving.ask(headers={"X-Request-ID": "r3"})
    assert (answer.status, answer.body, answer.header("X-Request-ID")) == (200, b"mine", "r3")
    assert (script.calls, after.order, serving.served.outcome) == (0, [], "ok")


def test_dependency_that_is_down_is_503_with_retry_after(serve: Any) -> None:
    def down() -> None:
        raise KeysUnavailable("The issuer's keys cannot be had.", retry_after=3)

    script = Script()
    answer = serve(script, Preparing(down)).ask()
    assert (answer.status, answer.header("Retry-After"), script.calls) == (503, "3", 0)
    assert json.loads(answer.body)["code"] == "keys_unavailable"


def test_work_that_takes_longer_than_the_deadline_is_504(serve: Any) -> None:
    script, policy = Script(), Preparing()
    serving = serve(script, Deadlines(default=1), policy)
    policy.work = lambda: serving.clock.advance(2)
    assert (serving.ask().status, script.calls) == (504, 0)


def test_current_is_the_exchange_inside_and_none_afterwards(serve: Any) -> None:
    seen: list[Any] = []
    serving = serve(Script(stream=True, before=lambda: seen.append(current()), between=lambda _: seen.append(current())))
    serving.ask()
    assert seen == [serving.served.exchange, serving.served.exchange]
    assert current() is None


def test_handler_that_requires_a_scope_gets_the_refusal_of_a_rule(serve: Any) -> None:
    @dataclass
    class Known(Policy):
        principal: Any

        def admit(self, exchange: Exchange) -> None:
            exchange.principal = self.principal

    class Somebody:
        scopes = frozenset({"orders:read"})

    def handler() -> None:
        here().require("orders:write")

    serving = serve(Script(before=handler), Tracing(), Known(Somebody()))
    answer = serving.ask()
    assert answer.status == 403
    assert answer.header("WWW-Authenticate") == (
        'Bearer realm="orders", error="insufficient_scope", '
        'error_description="The token does not carry the scopes that this needs", scope="orders:write"'
    )
    assert json.loads(answer.body)["error"] == "insufficient_scope"
    assert (serving.served.outcome, serving.served.error) == ("client_error", None)
    anonymous = serve(Script(before=handler), Tracing()).ask()
    assert (anonymous.status, anonymous.header("WWW-Authenticate")) == (401, 'Bearer realm="orders"')


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_exception_of_the_application_is_not_hidden_and_one_event(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    serving = serve(Script(before=broken), Tracing())
    answer = serving.ask()
    assert answer.status in (None, 500)  # bare WSGI and ASGI leave it to the server; Django answers
    assert answer.status == 500 or isinstance(answer.error, ZeroDivisionError)
    assert serving.served.outcome == "exception"
    assert isinstance(serving.served.error, ZeroDivisionError)


def test_stream_ends_at_its_last_byte(serve: Any) -> None:
    script = Script(stream=True, parts=[b"one", b"two", b"three"])
    serving = serve(script)
    script.between = lambda _: serving.clock.advance(0.25)
    answer = serving.ask()
    assert answer.body == b"onetwothree"
    served = serving.served
    assert (served.seconds, served.first_byte, served.bytes_sent, served.outcome) == (0.75, 0.25, 11, "ok")


@django_leaves_its_body_file_open
def test_client_that_leaves_is_seen(serve: Any) -> None:
    serving = serve(Script(stream=True, parts=[b"x"] * 40))
    serving.ask(leave_after=2)
    assert serving.served.outcome == "client_disconnect"
    assert serving.served.status == 200
    assert serving.served.bytes_sent < 40
    gc.collect()


@django_leaves_its_body_file_open
def test_stream_that_breaks_is_an_exception(serve: Any) -> None:
    def broken(position: int) -> None:
        if position == 1:
            raise ZeroDivisionError

    serving = serve(Script(stream=True, parts=[b"one", b"two"], between=broken))
    answer = serving.ask()
    assert isinstance(answer.error, ZeroDivisionError)
    assert (serving.served.status, serving.served.outcome, serving.served.bytes_sent) == (200, "exception", 3)
    gc.collect()


def test_head_counts_no_bytes(serve: Any) -> None:
    serving = serve(Script())
    assert serving.ask("HEAD").status == 200
    assert (serving.served.bytes_sent, serving.served.outcome) == (0, "ok")


def test_listener_that_raises_changes_nothing_and_is_logged_once(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    serving = serve(Script(), listeners=(broken,))
    assert [serving.ask().status for _ in range(3)] == [200, 200, 200]
    assert caplog.text.count("further errors of it are not logged") == 1


@pytest.mark.parametrize("mount", ["", "/shop"])
def test_stripped_prefix_becomes_the_mount_point(serve: Any, mount: str) -> None:
    script = Script()
    serve(script, Mounting()).ask(path="/v1/orders/7", mount=mount)
    assert script.seen == [(mount + "/v1", "/orders/7")]


def test_what_a_policy_holds_is_given_back_once_at_the_end(serve: Any) -> None:
    given_back: list[int] = []

    class Holding(Policy):
        def admit(self, exchange: Exchange) -> None:
            exchange.defer(lambda: given_back.append(exchange.bytes_sent))

    serve(Script(stream=True, parts=[b"ab", b"c"]), Holding()).ask()
    assert given_back == [3]


def test_annotations_of_the_handler_are_on_the_exchange(serve: Any) -> None:
    serving = serve(Script(before=lambda: here().annotate(order=7)))
    serving.ask()
    assert serving.served.exchange.fields == {"order": 7}
