"""What frameworks do of their own with what a handler raises, and what the gate makes of it. None of them is in testing mode."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from interservice.asgi import Middleware as ASGIMiddleware
from interservice.errors import Rejection
from interservice.events import Served
from interservice.exchange import current
from interservice.inbound.gate import Gate
from interservice.inbound.tracing import Tracing
from interservice.testing import Recorder
from interservice.wsgi import Middleware as WSGIMiddleware

from . import asgi_side, wsgi_side
from .test_wsgi_shapes import FileWrapper


def refuse() -> Any:
    raise Rejection("The order is closed.", status=409, code="order_closed")


def fail() -> Any:
    raise ZeroDivisionError


def require() -> Any:
    exchange = current()
    assert exchange is not None
    exchange.require("orders:write")


HANDLERS = {"/refuse": refuse, "/fail": fail, "/require": require}


def flask_app() -> Any:
    import flask

    app = flask.Flask("orders")
    for path, handler in HANDLERS.items():
        app.add_url_rule(path, endpoint=path, view_func=handler)
    return app.wsgi_app


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Route

    def endpoint(handler: Any) -> Any:
        async def run(request: Any) -> Any:
            return handler()

        return run

    return Starlette(routes=[Route(path, endpoint(handler)) for path, handler in HANDLERS.items()])


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    for path, handler in HANDLERS.items():
        app.add_api_route(path, handler)
    return app


APPS = {"flask": flask_app, "starlette": starlette_app, "fastapi": fastapi_app}


@pytest.fixture(params=APPS)
def ask(request: pytest.FixtureRequest) -> Any:
    """Asks an application of each framework, wrapped; gives the answer and the one event."""
    app, recorder = APPS[request.param](), Recorder()
    gate = Gate([Tracing()], [recorder], service="orders")
    wrapped = (WSGIMiddleware if request.param == "flask" else ASGIMiddleware)(app, gate)
    side: Any = wsgi_side if request.param == "flask" else asgi_side

    def one(path: str) -> tuple[Any, Served]:
        answer = side.ask(wrapped, "GET", path, {})
        (served,) = recorder.of(Served)
        return answer, served

    return one


def test_rejection_that_a_handler_raises_is_answered_as_one(ask: Any) -> None:
    answer, served = ask("/refuse")
    assert (answer.status, json.loads(answer.body)["code"], answer.error) == (409, "order_closed", None)
    assert (served.status, served.outcome, served.error, served.exchange.route) == (409, "client_error", None, "/refuse")


def test_scope_that_a_handler_requires_is_asked_for_and_the_route_known(ask: Any) -> None:
    answer, served = ask("/require")
    assert (answer.status, answer.header("WWW-Authenticate"), answer.error) == (401, 'Bearer realm="orders"', None)
    assert served.exchange.route == "/require"


def test_exception_of_a_handler_is_named(ask: Any) -> None:
    answer, served = ask("/fail")
    assert answer.status == 500
    assert answer.header("X-Request-ID") == served.exchange.request_id
    assert (served.outcome, type(served.error), served.exchange.route) == ("exception", ZeroDivisionError, "/fail")


def test_mounted_application_without_routes_is_its_prefix() -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount

    recorder = Recorder()
    app = Starlette(routes=[Mount("/static", PlainTextResponse("x")), Mount("/m", routes=[Mount("/o", PlainTextResponse("x"))])])
    for path in ("/static/css/site.css", "/m/o/file"):
        asgi_side.ask(ASGIMiddleware(app, Gate([], [recorder])), "GET", path, {})
    assert [served.exchange.route for served in recorder.of(Served)] == ["/static", "/m/o"]


def test_file_whose_connection_broke_is_a_disconnect() -> None:
    recorder = Recorder()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return FileWrapper(io.BytesIO(b"file"))

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.file_wrapper": FileWrapper}
    result: Any = WSGIMiddleware(app, Gate([], [recorder]))(environ, lambda *args: print)
    try:  # as gunicorn does: the body is closed while the error of the socket is under way
        raise BrokenPipeError  # noqa: TRY301
    except BrokenPipeError:
        result.close()
    (served,) = recorder.of(Served)
    assert (served.outcome, served.bytes_sent, result.file.closed) == ("client_disconnect", 0, True)
