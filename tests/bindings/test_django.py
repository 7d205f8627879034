"""What is Django's own: the setting, the checks, files, nesting, reversed URLs, exceptions of middleware."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse
from django.test.utils import override_settings
from django.urls import path, reverse

from interservice.asgi import Middleware as ASGIMiddleware
from interservice.django.checks import check_setup
from interservice.events import Served
from interservice.exchange import Exchange, current
from interservice.http import Head
from interservice.inbound.gate import Gate
from interservice.inbound.policy import Policy
from interservice.inbound.tracing import Tracing
from interservice.testing import Recorder
from interservice.wsgi import Middleware as WSGIMiddleware

from . import asgi_side, wsgi_side
from .django_side import Urls
from .test_scenarios import Mounting

MIDDLEWARE = "interservice.django.Middleware"
NOT_A_GATE = object()


class Twice(Policy):
    """Adds a field twice and takes one away, which Django's response has other means for."""

    def respond(self, exchange: Exchange, head: Head) -> None:
        head.add("Link", "<a>")
        head.add("Link", "<b>")
        head.headers[:] = [pair for pair in head.headers if pair[0] != "X-Gone"]


class Named(Urls):
    def __init__(self, view: Any) -> None:
        self.urlpatterns = [path("orders/<int:id>/", view, name="order")]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def gate(recorder: Recorder) -> Gate:
    return Gate([Tracing(), Mounting()], [recorder])


def test_response_is_amended_within_what_django_can_say(recorder: Recorder) -> None:
    def view(request: Any) -> HttpResponse:
        assert request.exchange is current()
        return HttpResponse("x", headers={"X-Gone": "1", "X-Kept": "1"})

    with override_settings(INTERSERVICE_GATE=Gate([Twice()], [recorder]), ROOT_URLCONF=Urls(view)):
        answer = wsgi_side.ask(WSGIHandler(), "GET", "/", {})
    assert (answer.header("Link"), answer.header("X-Gone"), answer.header("X-Kept")) == ("<a>, <b>", None, "1")


def test_route_is_the_pattern(recorder: Recorder, gate: Gate) -> None:
    with override_settings(
        INTERSERVICE_GATE=gate, ROOT_URLCONF=Named(lambda request, **_: HttpResponse(reverse("order", args=[9])))
    ):
        answer = wsgi_side.ask(WSGIHandler(), "GET", "/v1/orders/7/", {})
        assert reverse("order", args=[9]) == "/orders/9/"  # the prefix is gone after the request
    assert answer.body == b"/v1/orders/9/"
    assert recorder.of(Served)[0].exchange.route == "/orders/<int:id>/"


def test_trace_is_the_callers_whatever_becomes_of_meta(recorder: Recorder, gate: Gate) -> None:
    def view(request: Any) -> HttpResponse:
        request.META["HTTP_TRACEPARENT"] = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
        return HttpResponse("x")

    with override_settings(INTERSERVICE_GATE=gate, ROOT_URLCONF=Urls(view)):
        wsgi_side.ask(WSGIHandler(), "GET", "/v1/", {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    trace = recorder.of(Served)[0].exchange.trace
    assert trace is not None
    assert (trace.trace_id, trace.parent_id) == ("a" * 32, "b" * 16)


@pytest.mark.parametrize("is_async", [False, True])
def test_inside_our_own_middleware_the_exchange_is_one(recorder: Recorder, gate: Gate, is_async: bool) -> None:
    seen: list[Any] = []

    def view(request: Any) -> HttpResponse:
        seen.extend([request.exchange, current()])
        return HttpResponse("x")

    with override_settings(INTERSERVICE_GATE=gate, ROOT_URLCONF=Urls(view)):
        app = ASGIMiddleware(ASGIHandler(), gate) if is_async else WSGIMiddleware(WSGIHandler(), gate)
        (asgi_side if is_async else wsgi_side).ask(app, "GET", "/v1/x", {})
    (event,) = recorder.of(Served)
    assert seen == [event.exchange, event.exchange]


def test_file_goes_to_the_servers_file_wrapper(recorder: Recorder) -> None:
    file = io.BytesIO(b"contents")

    class Wrapper:
        def __init__(self, file: Any, size: int = 0) -> None:
            self.file = file
            self.close = file.close

        def __iter__(self) -> Iterator[bytes]:
            return iter(lambda: self.file.read(8192), b"")

    with override_settings(INTERSERVICE_GATE=Gate([], [recorder]), ROOT_URLCONF=Urls(lambda request: FileResponse(file))):
        environ = {
            "REQUEST_METHOD": "GET",
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "wsgi.input": io.BytesIO(),
            "wsgi.file_wrapper": Wrapper,
        }
        result: Any = WSGIHandler()(environ, lambda *args: print)
        assert type(result) is Wrapper
        assert recorder.events == []
        result.close()
    assert (recorder.of(Served)[0].bytes_sent, recorder.of(Served)[0].outcome) == (8, "ok")


def test_file_without_file_wrapper_is_counted_as_it_passes(recorder: Recorder) -> None:
    with override_settings(
        INTERSERVICE_GATE=Gate([], [recorder]), ROOT_URLCONF=Urls(lambda request: FileResponse(io.BytesIO(b"contents")))
    ):
        assert wsgi_side.ask(WSGIHandler(), "GET", "/", {}).body == b"contents"
    assert recorder.of(Served)[0].bytes_sent == 8


def test_exception_that_another_middleware_answers_is_no_exception(recorder: Recorder) -> None:
    def view(request: Any) -> HttpResponse:
        raise LookupError

    with override_settings(
        INTERSERVICE_GATE=Gate([], [recorder]),
        ROOT_URLCONF=Urls(view),
        MIDDLEWARE=[MIDDLEWARE, f"{__name__}.answers_lookup_errors"],
    ):
        assert wsgi_side.ask(WSGIHandler(), "GET", "/", {}).status == 410
    assert (recorder.of(Served)[0].outcome, recorder.of(Served)[0].error) == ("client_error", None)


def answers_lookup_errors(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        return get_response(request)

    middleware.process_exception = lambda request, exception: HttpResponse(status=410)  # type: ignore[attr-defined]
    return middleware


def test_task_that_django_cancels_is_a_disconnect(recorder: Recorder) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def view(request: Any) -> HttpResponse:
            started.set()
            await asyncio.Event().wait()
            raise AssertionError("never")

        asked = [{"type": "http.request", "body": b""}]

        async def receive() -> Any:
            if asked:
                return asked.pop()
            await started.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None: ...

        with override_settings(INTERSERVICE_GATE=Gate([], [recorder]), ROOT_URLCONF=Urls(view)):
            await ASGIHandler()({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)

    asyncio.run(main())
    assert recorder.of(Served)[0].outcome == "client_disconnect"


@pytest.mark.parametrize("value", [None, "no.such.gate", "interservice.http.Head", 7])
def test_setting_that_leads_to_no_gate_stops_the_start(value: Any) -> None:
    with override_settings(INTERSERVICE_GATE=value), pytest.raises(ImproperlyConfigured, match="INTERSERVICE_GATE"):
        WSGIHandler()


@pytest.mark.parametrize(
    ("gate", "middleware", "ids"),
    [
        (Gate([]), [MIDDLEWARE], []),
        (Gate([]), ["django.middleware.security.SecurityMiddleware", MIDDLEWARE], []),
        (None, [], []),
        (None, [MIDDLEWARE], ["interservice.E001"]),
        ("no.such.gate", [MIDDLEWARE], ["interservice.E001"]),
        (Gate([]), [MIDDLEWARE, MIDDLEWARE], ["interservice.E002"]),
        (Gate([]), [], ["interservice.W001"]),
        (Gate([]), ["django.middleware.common.CommonMiddleware", MIDDLEWARE], ["interservice.W002"]),
    ],
)
def test_system_checks_find_a_wrong_setup(gate: Any, middleware: list[str], ids: list[str]) -> None:
    with override_settings(INTERSERVICE_GATE=gate, MIDDLEWARE=middleware):
        assert [message.id for message in check_setup()] == ids
