"""The applications under load: factories for granian and uvicorn. What they need to know is in the environment.

LOAD_JWKS is where the keys are, LOAD_STATSD where metrics go, LOAD_CALLEE the service that is called.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import flask
import jwt
import requests
import statsd
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.layered import Layers, guarded, json_logger, wsgi_layers
from benchmarks.scene import AUDIENCE, BODY, ISSUER, SCOPE, versions
from interservice import AccessLog, Deadlines, Gate, JWTAuth, Rule, StatsD, Tracing
from interservice.asgi import Middleware as ASGIMiddleware
from interservice.outbound import ServiceAdapter, ServiceSession
from interservice.tokens import JWKS, Verifier
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.events import Listener


def _listeners() -> list[Listener]:
    """A JSON line to standard output for each request and call, and StatsD."""
    return [AccessLog(), StatsD(os.environ["LOAD_STATSD"], prefix="orders")]


def _gate(listeners: list[Listener] | None = None) -> Gate:
    """The whole gate."""
    verifier = Verifier(ISSUER, AUDIENCE, keys=JWKS(os.environ["LOAD_JWKS"], allow_http=True))
    rules = [Rule("*", "/healthz", public=True), Rule("GET", "/orders/{id}", scopes=[SCOPE])]
    policies = [Tracing(), Deadlines(), versions(), JWTAuth(verifier, rules=rules)]
    return Gate(policies, _listeners() if listeners is None else listeners, service="orders")


def _flask(route: str, answer: Callable[[], bytes] = lambda: BODY) -> flask.Flask:
    app = flask.Flask("orders")

    @app.get(route)
    def order(number: int) -> Any:  # noqa: ARG001 - Flask passes it
        return app.response_class(answer(), mimetype="application/json")

    return app


def flask_bare() -> flask.Flask:
    """Flask with one route."""
    return _flask("/v1/orders/<int:number>")


def flask_gated() -> flask.Flask:
    """The same behind the whole gate, which takes the version off the path."""
    return _gated(_flask("/orders/<int:number>"), _gate())


def flask_by_hand() -> flask.Flask:
    """The same job by the layers that services are built of."""
    return _layered(_flask("/orders/<int:number>"))


def _layered(app: flask.Flask) -> flask.Flask:
    host, _, port = os.environ["LOAD_STATSD"].rpartition(":")
    keys = jwt.PyJWKClient(os.environ["LOAD_JWKS"], cache_keys=True, cache_jwk_set=True, lifespan=86400)
    layers = Layers(keys, json_logger(sys.stdout), statsd.StatsClient(host, int(port), prefix="orders"))
    app.wsgi_app = wsgi_layers(app.wsgi_app, layers)  # type: ignore[method-assign, assignment]
    return app


def _gated(app: flask.Flask, gate: Gate) -> flask.Flask:
    app.wsgi_app = Middleware(app.wsgi_app, gate)  # type: ignore[method-assign]
    return app


def _starlette(route: str) -> Starlette:
    async def order(_request: Any) -> Response:
        return Response(BODY, media_type="application/json")

    return Starlette(routes=[Route(route, order)])


def asgi_bare() -> Starlette:
    """Starlette with one route."""
    return _starlette("/v1/orders/{number:int}")


def asgi_gated() -> ASGIMiddleware:
    """The same behind the whole gate."""
    return ASGIMiddleware(_starlette("/orders/{number:int}"), _gate())


def _plain_call() -> Callable[[], bytes]:
    session, url = requests.Session(), os.environ["LOAD_CALLEE"] + "/invoices/7"
    return lambda: session.get(url, timeout=5).content


def _toolkit_call(listeners: list[Listener]) -> Callable[[], bytes]:
    adapter = ServiceAdapter("billing", endpoints=[os.environ["LOAD_CALLEE"]], listeners=listeners)
    session = ServiceSession({"billing": adapter})
    return lambda: session.get("http://billing/invoices/7").content


def calls_plainly() -> flask.Flask:
    """Flask whose handler calls another service with one `requests.Session`."""
    return _flask("/v1/orders/<int:number>", _plain_call())


def calls_guarded() -> flask.Flask:
    """The same with pybreaker and tenacity around the call."""
    return _flask("/v1/orders/<int:number>", guarded(_plain_call()))


def calls_toolkit() -> flask.Flask:
    """The same with a `ServiceSession`, everything on, a log line and metrics for each call."""
    return _flask("/v1/orders/<int:number>", _toolkit_call(_listeners()))


def whole_by_hand() -> flask.Flask:
    """The layers by hand in front; `requests`, pybreaker and tenacity behind."""
    return _layered(_flask("/orders/<int:number>", guarded(_plain_call())))


def whole_toolkit() -> flask.Flask:
    """The whole gate in front; a `ServiceSession`, everything on, behind; log lines and metrics for both."""
    listeners = _listeners()
    return _gated(_flask("/orders/<int:number>", _toolkit_call(listeners)), _gate(listeners))
