"""What the application itself logs has the ids of its request: in views, threads of the framework, streams and tasks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from interservice import Gate, Tracing
from interservice.asgi import Middleware as ASGIMiddleware
from interservice.events import Served
from interservice.telemetry import configure
from interservice.testing import Recorder
from interservice.wsgi import Middleware as WSGIMiddleware
from tests.telemetry.material import Sink

from . import asgi_side, wsgi_side
from .django_side import django_app
from .script import Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

LOG = logging.getLogger("shop.views")
ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = {"traceparent": f"00-{ID}-00f067aa0ba902b7-01", "X-Request-ID": "r-7"}


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Where `configure` has the application's lines go."""
    made = Sink()
    handler = configure(stream=made, logger=LOG, service="shop")
    LOG.propagate = False
    yield made
    LOG.removeHandler(handler)


def flask_app(gate: Gate) -> Any:
    import flask

    app = flask.Flask("shop")

    @app.get("/")
    def view() -> Any:
        LOG.info("view")

        def stream() -> Iterator[bytes]:
            LOG.info("stream")
            yield b"x"

        return flask.Response(stream())

    return WSGIMiddleware(app.wsgi_app, gate)


def fastapi_app(gate: Gate, *, is_async: bool) -> Any:
    from fastapi import BackgroundTasks, FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    async def stream() -> AsyncIterator[bytes]:
        LOG.info("stream")
        yield b"x"

    def background() -> None:
        LOG.info("background")

    if is_async:

        async def view(tasks: BackgroundTasks) -> StreamingResponse:
            LOG.info("view")
            tasks.add_task(background)
            return StreamingResponse(stream(), background=tasks)
    else:

        def view(tasks: BackgroundTasks) -> StreamingResponse:  # type: ignore[misc]
            LOG.info("view")
            tasks.add_task(background)
            return StreamingResponse(stream(), background=tasks)

    view.__annotations__["tasks"] = BackgroundTasks
    app.add_api_route("/", view, response_model=None)
    return ASGIMiddleware(app, gate)


def django_script() -> Script:
    return Script(
        stream=True,
        before=lambda: LOG.info("view"),
        between=lambda _: LOG.info("stream"),
        parts=[b"x"],
    )


def ask_flask(gate: Gate) -> None:
    wsgi_side.ask(flask_app(gate), "GET", "/", SENT)


def ask_fastapi(gate: Gate) -> None:
    asgi_side.ask(fastapi_app(gate, is_async=False), "GET", "/", SENT)


def ask_fastapi_async(gate: Gate) -> None:
    asgi_side.ask(fastapi_app(gate, is_async=True), "GET", "/", SENT)


def ask_django(gate: Gate) -> None:
    with django_app(django_script(), gate, is_async=False) as app:
        wsgi_side.ask(app, "GET", "/", SENT)


def ask_django_async(gate: Gate) -> None:
    with django_app(django_script(), gate, is_async=True) as app:
        asgi_side.ask(app, "GET", "/", SENT)


@pytest.mark.parametrize("ask", [ask_flask, ask_fastapi, ask_fastapi_async, ask_django, ask_django_async])
def test_every_line_of_the_application_has_the_requests_ids(ask: Callable[[Gate], None], sink: Sink) -> None:
    recorder = Recorder()
    ask(Gate([Tracing()], [recorder], service="orders"))
    (served,) = recorder.of(Served)
    span_id = served.exchange.trace and served.exchange.trace.span_id
    records = sink.records()
    wanted = ["view", "stream", "background"] if "fastapi" in ask.__name__ else ["view", "stream"]
    assert [record["message"] for record in records] == wanted
    for record in records:
        assert (record["trace_id"], record["request_id"]) == (ID, "r-7")
        assert record["span_id"] == span_id
        assert record["parent_span_id"] == "00f067aa0ba902b7"
        assert record["trace_flags"] == "01"
        assert (record["logger"], record["service.name"]) == ("shop.views", "shop")


def test_line_outside_a_request_has_no_ids(sink: Sink) -> None:
    ask_flask(Gate([Tracing()]))
    LOG.info("idle")
    assert not {"trace_id", "span_id", "request_id"} & sink.records()[-1].keys()
