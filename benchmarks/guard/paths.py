"""The hot paths: what happens for nearly every request and every call, with nothing slow about it.

Each is made whole by a function of its own and gives what is called again and again. None needs a network but the call to
another service, whose server is a process of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.scene import AUDIENCE, BODY, HEAD, ISSUER, SCOPE, Nowhere, Scene, bare, served
from benchmarks.server import running
from interservice import AccessLog, Gate, PathVersion, StatsD, Versions
from interservice.asgi import Middleware as ASGIMiddleware
from interservice.events import Served
from interservice.exchange import Exchange
from interservice.http import Head
from interservice.outbound import ServiceAdapter, ServiceSession, mount
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware
from interservice.wsgi.request import environ_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    #: What makes a hot path, and gives what is called.
    Path = Callable[[ExitStack], Callable[[], object]]

_FIELDS = [(name.lower().encode(), value.encode()) for name, value in HEAD]
_LONG = 3600.0


def _statsd(scene: Scene, stack: ExitStack) -> StatsD:
    """One whose thread sends nothing while anything is counted."""
    made = StatsD(scene.statsd, prefix="orders", flush_every=_LONG)
    stack.callback(made.close)
    return made


def _whole_gate(scene: Scene, stack: ExitStack) -> Gate:
    return Gate(scene.policies(), [AccessLog(stream=Nowhere()), _statsd(scene, stack)], service="orders")


def gate_wsgi(stack: ExitStack) -> Callable[[], object]:
    """The whole gate in front of a WSGI application that does nothing; the token is known."""
    scene = Scene(stack)
    return served(Middleware(bare, _whole_gate(scene, stack)), scene.environ())


def gate_asgi(stack: ExitStack) -> Callable[[], object]:
    """The whole gate in front of an ASGI application that does nothing; no event loop, as nothing waits."""
    scene = Scene(stack)
    app, scope = ASGIMiddleware(_answer, _whole_gate(scene, stack)), scene.scope()
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if "status" in message:
            statuses[:] = (message["status"],)

    def serve() -> None:
        try:
            app({**scope, "state": {}}, receive, send).send(None)
        except StopIteration:
            return
        raise RuntimeError("the application waits for something")

    serve()
    if statuses != [200]:
        raise RuntimeError(statuses)
    return serve


async def _answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(_FIELDS)})
    await send({"type": "http.response.body", "body": BODY})


def token_again(_: ExitStack) -> Callable[[], object]:
    """A token that was verified before."""
    issuer = Issuer(ISSUER, algorithms=("RS256",), expires_in=86400)
    token = issuer.mint(sub="billing", aud=AUDIENCE, scope=SCOPE)
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks))
    return lambda: verifier.verify(token)


def token_first(_: ExitStack) -> Callable[[], object]:
    """A token that is new to a verifier which keeps none."""
    issuer = Issuer(ISSUER, algorithms=("RS256",), expires_in=86400)
    token = issuer.mint(sub="billing", aud=AUDIENCE, scope=SCOPE)
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks), cache_size=0)
    return lambda: verifier.verify(token)


def negotiation(_: ExitStack) -> Callable[[], object]:
    """The version in a path, negotiated, and the head of the answer."""
    versions = Versions(["1", "2"], default="2", readers=(PathVersion("/v{version}"),), path="strip")
    request = environ_request({"REQUEST_METHOD": "GET", "PATH_INFO": "/v2/orders/7"})

    def negotiate() -> None:
        exchange, head = Exchange(request, 0.0), Head(200, [("Content-Type", "application/json")])
        versions.admit(exchange)
        versions.respond(exchange, head)

    return negotiate


def _served_event(stack: ExitStack) -> Served:
    """The event of an exchange that went through every policy."""
    scene = Scene(stack)
    events: list[object] = []
    served(Middleware(bare, Gate(scene.policies(), [events.append], service="orders")), scene.environ())
    event = events[-1]
    if not isinstance(event, Served):
        raise TypeError(event)
    return event


def access_line(stack: ExitStack) -> Callable[[], object]:
    """One line of the access log."""
    event, log, lines = _served_event(stack), AccessLog(stream=Nowhere()), _Lines()
    AccessLog(stream=lines)(event)
    json.loads(lines.last)
    return lambda: log(event)


class _Lines(Nowhere):
    last = ""

    def write(self, text: str, /) -> object:
        self.last = text
        return None


def statsd_pair(stack: ExitStack) -> Callable[[], object]:
    """The timing and the counter of one exchange, as far as the request has to wait for them."""
    event, statsd = _served_event(stack), _statsd(Scene(stack), stack)
    return lambda: statsd(event)


def adapter_send(stack: ExitStack) -> Callable[[], object]:
    """A prepared GET handed to an adapter with everything on: what `requests` does around it is left out."""
    adapter = _adapter(stack)
    stack.callback(adapter.close)
    session = stack.enter_context(requests.Session())
    session.trust_env = False
    mount(session, "http://billing", adapter)
    prepared = session.prepare_request(requests.Request("GET", "http://billing/invoices/7"))
    if adapter.send(prepared).content[:1] != b"{":
        raise RuntimeError("the server refuses")
    return lambda: adapter.send(prepared).content


def session_call(stack: ExitStack) -> Callable[[], object]:
    """A GET by a `ServiceSession` with everything on."""
    session = stack.enter_context(ServiceSession({"billing": _adapter(stack)}))
    if session.get("http://billing/invoices/7").status_code != requests.codes.ok:
        raise RuntimeError("the server refuses")
    return lambda: session.get("http://billing/invoices/7")


def _adapter(stack: ExitStack) -> ServiceAdapter:
    return ServiceAdapter("billing", endpoints=[stack.enter_context(running())])


#: By the name under which its counts are stored.
PATHS: dict[str, Path] = {
    "gate-wsgi": gate_wsgi,
    "gate-asgi": gate_asgi,
    "token-again": token_again,
    "token-first": token_first,
    "negotiation": negotiation,
    "access-line": access_line,
    "statsd-pair": statsd_pair,
    "adapter-send": adapter_send,
    "session-call": session_call,
}
