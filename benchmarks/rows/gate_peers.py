"""The whole gate beside others that do its job, and beside what does a part of it."""

from __future__ import annotations

import functools
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.choose import available
from benchmarks.layered import Layers, decode, json_logger, jwks_client, statsd_client, wsgi_layers
from benchmarks.measure import calls
from benchmarks.peers import Peer
from benchmarks.scene import AUDIENCE, BODY, HEAD, ISSUER, SCOPE, Nowhere, Scene, bare, served
from benchmarks.table import Table, Target
from interservice import AccessLog, Gate, StatsD
from interservice.wsgi import Middleware

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from wsgiref.types import WSGIApplication

_TEXT = """\
The same request. The layers by hand are one WSGI function around the application: PyJWT with PyJWKClient (keys and look-ups
cached), a version expression, trace and request id, one python-json-logger line to a stream that keeps nothing, statsd's
timing and counter for each request. OpenTelemetry is its WSGI middleware, without an SDK (nothing is recorded) and, where it
is installed, with one that samples every request and exports to nowhere. wsgi-statsd sends a timing for each request. The
single parts are called alone, outside any application, so that a bare call of the application is no part of them."""
_FLASK = """\
The same request, to a Flask application with one route. Flask-JWT-Extended verifies the token (RS256, issuer and audience)
and nothing else; the gate does its whole job. The extensions together are what a Flask service has without the gate: token
and scope by Flask-JWT-Extended, the version as the prefix of a blueprint, request id, one python-json-logger line, statsd's
timing and counter in `before_request` and `after_request`."""

_otel = Peer("opentelemetry.instrumentation.wsgi")
_sdk = Peer("opentelemetry.sdk.trace")
_wsgi_statsd = Peer("wsgi_statsd")
_flask = Peer("flask")
_extended = Peer("flask_jwt_extended")
_LAYERS = "layers by hand"
_BARE = "bare application"
_WHOLE = "Flask and the whole gate"
_EXTENSIONS = "Flask, Flask-JWT-Extended, python-json-logger and statsd"


def tables(stack: ExitStack) -> list[Table]:
    """Two tables: plain WSGI, and Flask."""
    scene = Scene(stack)
    return [_plain(scene, stack), _in_flask(scene, stack)]


def _plain(scene: Scene, stack: ExitStack) -> Table:
    environ = scene.environ()

    def serving(app: WSGIApplication) -> Callable[[int], object]:
        return calls(served(app, environ))

    sides, missing = available(
        [
            (_BARE, lambda: serving(bare), ""),
            ("whole gate", lambda: serving(_gate(bare, scene, stack)), ""),
            (_LAYERS, lambda: serving(wsgi_layers(bare, Layers.of(scene, stack))), ""),
            (
                f"{_LAYERS}, in OpenTelemetry without SDK",
                lambda: serving(_otel.OpenTelemetryMiddleware(wsgi_layers(bare, Layers.of(scene, stack)))),
                "",
            ),
            ("OpenTelemetry WSGI alone, without SDK", lambda: serving(_otel.OpenTelemetryMiddleware(bare)), ""),
            ("OpenTelemetry WSGI alone, with SDK", lambda: serving(_recorded()), ""),
            ("wsgi-statsd alone", lambda: serving(_wsgi_statsd.StatsdTimingMiddleware(bare, statsd_client(scene, stack))), ""),
            ("PyJWT and PyJWKClient, one token", lambda: calls(_decoding(scene)), ""),
            ("python-json-logger, one line", lambda: calls(_logging()), ""),
            ("statsd, timing and incr", lambda: calls(_counting(scene, stack)), ""),
        ]
    )
    names = {side.name for side in sides}
    wanted = [
        Target("whole gate", "cheaper", 4.0, against=name) for name in (_LAYERS, f"{_LAYERS}, in OpenTelemetry without SDK")
    ]
    targets = [target for target in wanted if target.against in names]
    return Table(
        key="gate-peers",
        title="The gate beside its peers, WSGI",
        text=_TEXT,
        sides=sides,
        reference=_BARE,
        clock="cpu",
        targets=targets,
        missing=missing,
    )


def _in_flask(scene: Scene, stack: ExitStack) -> Table:
    environ = scene.environ()

    def gated() -> Callable[[int], object]:
        app = _flask_app("/orders/<int:number>")
        return calls(served(_gate(app.wsgi_app, scene, stack), environ))

    sides, missing = available(
        [
            ("bare Flask", lambda: calls(served(_flask_app("/orders/<int:number>", prefix="/v1").wsgi_app, environ)), ""),
            (_WHOLE, gated, ""),
            ("Flask and Flask-JWT-Extended", lambda: calls(served(_jwt_extended(scene).wsgi_app, environ)), ""),
            (_EXTENSIONS, lambda: calls(served(_extensions(scene, stack), environ)), ""),
        ]
    )
    found = any(side.name == _EXTENSIONS for side in sides)
    return Table(
        key="gate-flask",
        title="The gate in front of Flask",
        text=_FLASK,
        sides=sides,
        reference="bare Flask",
        clock="cpu",
        targets=[Target(_WHOLE, "cheaper", 4.0, against=_EXTENSIONS)] if found else [],
        missing=missing,
    )


def _gate(app: WSGIApplication, scene: Scene, stack: ExitStack) -> WSGIApplication:
    statsd = StatsD(scene.statsd, prefix="orders")
    stack.callback(statsd.close)
    return Middleware(app, Gate(scene.policies(), [AccessLog(stream=Nowhere()), statsd], service="orders"))


def _recorded() -> WSGIApplication:
    provider = _sdk.TracerProvider(shutdown_on_exit=False)
    app: WSGIApplication = _otel.OpenTelemetryMiddleware(bare, tracer_provider=provider)
    return app


def _decoding(scene: Scene) -> Callable[[], object]:
    keys, token = jwks_client(scene), scene.token
    return lambda: decode(keys, token)


def _logging() -> Callable[[], object]:
    logger = json_logger()
    extra = {"method": "GET", "path": "/orders/7", "status": 200, "duration_ms": 0.021, "request_id": "0d5f8c1e", "subject": "a"}
    return lambda: logger.info("%s %s %d", "GET", "/orders/7", 200, extra=extra)


def _counting(scene: Scene, stack: ExitStack) -> Callable[[], object]:
    client = statsd_client(scene, stack)

    def count() -> None:
        client.timing("request.GET.200", 0.021)
        client.incr("request_total.GET.200")

    return count


def _flask_app(route: str, wrap: Callable[[Any], Any] = lambda view: view, prefix: str | None = None) -> Any:
    app = _flask.Flask("orders")
    blueprint = _flask.Blueprint("orders", "orders", url_prefix=prefix)

    @blueprint.get(route)  # type: ignore[untyped-decorator]
    @wrap
    def order(number: int) -> Any:  # noqa: ARG001 - Flask passes it
        return app.response_class(BODY, headers=HEAD)

    app.register_blueprint(blueprint)
    return app


def _jwt_extended(scene: Scene, wrap: Callable[[Any], Any] = lambda view: view) -> Any:
    app = _flask_app("/orders/<int:number>", wrap=lambda view: _extended.jwt_required()(wrap(view)), prefix="/v1")
    app.config.update(
        JWT_ALGORITHM="RS256",
        JWT_PUBLIC_KEY=jwks_client(scene).get_signing_key_from_jwt(scene.token).key,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_ISSUER=ISSUER,
    )
    _extended.JWTManager(app)
    return app


def _extensions(scene: Scene, stack: ExitStack) -> WSGIApplication:
    """What a Flask service has without the gate."""
    logger, statsd = json_logger(), statsd_client(scene, stack)

    def scoped(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def checked(**arguments: Any) -> Any:
            if SCOPE not in _extended.get_jwt()["scope"].split():
                _flask.abort(403)
            return view(**arguments)

        return checked

    app = _jwt_extended(scene, scoped)

    def begin() -> None:
        _flask.g.started = time.monotonic()
        _flask.g.request_id = _flask.request.headers.get("X-Request-ID") or str(uuid.uuid4())

    def end(response: Any) -> Any:
        request, known = _flask.request, _flask.g
        milliseconds = (time.monotonic() - known.started) * 1000
        route = request.endpoint
        line = {"method": request.method, "path": request.path, "status": response.status_code, "duration_ms": milliseconds}
        line |= {"request_id": known.request_id, "subject": _extended.get_jwt_identity(), "bytes_out": response.content_length}
        logger.info("%s %s %d", request.method, request.path, response.status_code, extra=line)
        statsd.timing(f"request.{route}.{response.status_code}", milliseconds)
        statsd.incr(f"request_total.{route}.{response.status_code}")
        response.headers["X-Request-ID"] = known.request_id
        return response

    app.before_request(begin)
    app.after_request(end)
    wsgi: WSGIApplication = app.wsgi_app
    return wsgi
