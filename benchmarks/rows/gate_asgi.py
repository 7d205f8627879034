"""The gate over ASGI, warm, beside what ASGI services use for parts of its job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks.choose import available
from benchmarks.layered import Layers, asgi_layers
from benchmarks.peers import Peer
from benchmarks.scene import BODY, HEAD, Nowhere, Scene
from benchmarks.table import Table, Target
from interservice import AccessLog, Gate, StatsD
from interservice.asgi import Middleware

from .gate_wsgi import WHY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from contextlib import ExitStack

    from interservice.events import Listener

    Application = Callable[[Any, Any, Any], Awaitable[None]]

_TEXT = """\
The same request over ASGI, awaited one after the other in one event loop; the application sends a head and a body. The
layers by hand are an ASGI middleware with PyJWT and PyJWKClient (keys and look-ups cached), a version expression, a
python-json-logger line and statsd's timing and counter, inside asgi-correlation-id. OpenTelemetry is its ASGI middleware
without an SDK."""

_correlation = Peer("asgi_correlation_id")
_otel = Peer("opentelemetry.instrumentation.asgi")
_FIELDS = [(name.lower().encode(), value.encode()) for name, value in HEAD]


async def _bare(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_FIELDS)})
    await send({"type": "http.response.body", "body": BODY})


def tables(stack: ExitStack) -> list[Table]:
    """One table."""
    scene = Scene(stack)
    runner = stack.enter_context(asyncio.Runner())

    def awaited(app: Application) -> Callable[[int], object]:
        loop = _served(app, scene.scope())
        return lambda count: runner.run(loop(count))

    def gate(*listeners: Listener) -> Callable[[int], object]:
        return awaited(Middleware(_bare, Gate(scene.policies(), listeners, service="orders")))

    statsd = [StatsD(scene.statsd, prefix="orders") for _ in range(2)]
    for each in statsd:
        stack.callback(each.close)

    def layers() -> Callable[[int], object]:
        return awaited(_correlation.CorrelationIdMiddleware(asgi_layers(_bare, Layers.of(scene, stack)), validator=None))

    sides, missing = available(
        [
            ("bare application", lambda: awaited(_bare), ""),
            ("whole gate", lambda: gate(AccessLog(stream=Nowhere()), statsd[0]), ""),
            ("whole gate, no log line", lambda: gate(statsd[1]), ""),
            ("whole gate, no listeners", gate, ""),
            ("empty gate", lambda: awaited(Middleware(_bare, Gate([]))), ""),
            ("asgi-correlation-id alone", lambda: awaited(_correlation.CorrelationIdMiddleware(_bare, validator=None)), ""),
            ("OpenTelemetry ASGI alone", lambda: awaited(_otel.OpenTelemetryMiddleware(_bare)), ""),
            ("layers by hand, with asgi-correlation-id", layers, ""),
        ]
    )
    return [
        Table(
            key="gate-asgi",
            title="The gate, ASGI",
            text=_TEXT,
            sides=sides,
            reference="bare application",
            clock="cpu",
            targets=list(_targets({side.name for side in sides})),
            missing=missing,
        )
    ]


def _targets(names: set[str]) -> Iterable[Target]:
    yield Target("whole gate", "over", 20.0, why=WHY)
    yield Target("whole gate, no log line", "over", 7.0, why=WHY)
    layers = "layers by hand, with asgi-correlation-id"
    if layers in names:
        yield Target("whole gate", "cheaper", 4.0, against=layers)


def _served(app: Application, scope: dict[str, Any]) -> Callable[[int], Any]:
    """What a server does with one request: a fresh scope, and nothing with what is sent."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def loop(count: int) -> None:
        for _ in range(count):
            await app({**scope, "state": {}}, receive, send)

    return loop
