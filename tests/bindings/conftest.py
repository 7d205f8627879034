"""One set of scenarios over every binding: `served` is each of WSGI, ASGI, Django sync and Django async."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from interservice.asgi import Middleware as ASGIMiddleware
from interservice.events import Served
from interservice.inbound.gate import Gate
from interservice.testing import FakeClock, Recorder
from interservice.wsgi import Middleware as WSGIMiddleware

from . import asgi_side, django_side, wsgi_side
from .script import Answer, Script

BINDINGS = ("wsgi", "asgi", "django-sync", "django-async")


@dataclass
class Serving:
    """A script behind a gate, ready to be asked."""

    binding: str
    script: Script
    gate: Gate
    clock: FakeClock
    recorder: Recorder
    ask: Callable[..., Answer]
    #: What the server serves, where a test needs to be that server.
    app: Any = None

    @property
    def served(self) -> Served:
        """The one event of the one request."""
        (event,) = [event for event in self.recorder.events if isinstance(event, Served)]
        return event


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve(binding: str) -> Iterator[Callable[..., Serving]]:
    """Puts a gate with the given policies in front of a script."""
    with ExitStack() as stack:

        def start(script: Script, *policies: Any, listeners: tuple[Any, ...] = (), service: str | None = "orders") -> Serving:
            clock, recorder = FakeClock(), Recorder()
            gate = Gate(policies, [recorder, *listeners], service=service, clock=clock)
            is_async = binding in ("asgi", "django-async")
            if binding == "wsgi":
                app: Any = WSGIMiddleware(wsgi_side.wsgi_app(script), gate)
            elif binding == "asgi":
                app = ASGIMiddleware(asgi_side.asgi_app(script), gate)
            else:
                app = stack.enter_context(django_side.django_app(script, gate, is_async=is_async))
            side: Any = asgi_side if is_async else wsgi_side

            def ask(method: str = "GET", path: str = "/", headers: dict[str, str] | None = None, **options: Any) -> Answer:
                answer: Answer = side.ask(app, method, path, headers or {}, **options)
                return answer

            return Serving(binding, script, gate, clock, recorder, ask, app)

        yield start
