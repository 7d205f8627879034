"""The middleware: lets a request through the gate, runs the application, and hands the server a body that knows its end."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError, Rejection
from interservice.exchange import begin
from interservice.inbound.gate import Gate

from . import flask
from .request import encoded, environ_request
from .response import Response

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from interservice.exchange import Exchange

#: Where the application finds its exchange, and where a gate finds that it has already seen the request.
EXCHANGE = "interservice.exchange"
GATE = "interservice.gate"


class Middleware:
    """A WSGI application that puts a gate in front of another one.

    The exchange is at `environ["interservice.exchange"]` and `current()`. Mounted twice with the same gate, the inner one does
    nothing.

    Args:
        app: The application to protect.
        gate: The gate that decides.

    Raises:
        ConfigurationError: `gate` is not a `Gate`, or `app` cannot be called.
    """

    def __init__(self, app: WSGIApplication, gate: Gate) -> None:
        if not isinstance(gate, Gate):
            raise ConfigurationError(f"Middleware.gate must be a Gate, not {gate!r}")
        if not callable(app):
            raise ConfigurationError(f"Middleware.app must be a WSGI application, not {app!r}")
        self.app = app
        self.gate = gate
        flask.listen()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        gate = self.gate
        if environ.get(GATE) is gate:
            return self.app(environ, start_response)
        exchange = gate.open(environ_request(environ))
        environ[EXCHANGE] = exchange
        environ[GATE] = gate
        # The body is iterated after this returns, perhaps in another context: the application lives in one of its own throughout.
        context = copy_context()
        response = Response(gate, exchange, context, environ, start_response)
        try:
            return context.run(self._answer, environ, exchange, response)
        except Rejection as rejection:
            if response.started:
                gate.finish(exchange, error=rejection)
                raise
            return response.refuse(gate.refuse(exchange, rejection))
        except Exception as error:
            gate.finish(exchange, error=error)
            raise
        except BaseException as error:  # SystemExit of a worker's timeout, KeyboardInterrupt, a greenlet's end
            gate.finish(exchange, "aborted", error)
            raise

    def _answer(self, environ: WSGIEnvironment, exchange: Exchange, response: Response) -> Iterable[bytes]:
        """Admit the request and run the application, in the context of both."""
        begin(exchange)
        gate = self.gate
        while (work := gate.prepare(exchange)) is not None:
            work()
        reply = gate.admit(exchange)
        if reply is not None:
            return response.refuse(reply)
        if exchange.mount != exchange.request.mount:
            environ["SCRIPT_NAME"] = encoded(exchange.mount)
            environ["PATH_INFO"] = encoded(exchange.path)
        if exchange.rewritten is not None:
            environ.update(("HTTP_" + name.upper().replace("-", "_"), value) for name, value in exchange.rewritten.items())
        return response.body(self.app(environ, response.start))
