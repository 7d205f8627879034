"""A threaded WSGI server for development and tests: loopback unless told otherwise, one request per connection.

Stopping closes the listening socket before it returns, so that the next connection is refused. Not for production.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from werkzeug.serving import WSGIRequestHandler, make_server

from interservice import options
from interservice.errors import ConfigurationError
from interservice.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from _typeshed.wsgi import WSGIApplication
    from werkzeug.serving import BaseWSGIServer

#: A WSGI application of some class.
App = TypeVar("App", bound="WSGIApplication")

_POLL = 0.02
_IDLE = 30.0
_JOIN = 5.0


class Server(Generic[App]):
    """A WSGI application on a socket, in a thread of its own; a context manager.

    Args:
        make_app: Gives the application for the URL it is served at.
        host: An address or name to listen on.
        port: 0 takes a free one.
        allow_remote: Whether `host` may be reached from other machines.

    Raises:
        ConfigurationError: `host` is not loopback and `allow_remote` is not set.
        OSError: The port is taken.
    """

    def __init__(
        self, make_app: Callable[[str], App], *, host: str = "127.0.0.1", port: int = 0, allow_remote: bool = False
    ) -> None:
        options.text("host", host)
        options.number("port", port, at_least=0, at_most=65535, integer=True)
        if not allow_remote and not is_loopback(host):
            msg = f"host must be loopback unless allow_remote=True, not {host!r}: this server is for development"
            raise ConfigurationError(msg)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Bound here because werkzeug answers a taken port with sys.exit; it duplicates the descriptor.
        with socket.create_server((host, port), family=family) as bound:
            self.host = host
            #: The port it listens on.
            self.port: int = bound.getsockname()[1]
            #: The application.
            self.app: App = make_app(self.url)
            self._server: BaseWSGIServer = make_server(
                host, self.port, self.app, threaded=True, request_handler=_Handler, fd=bound.fileno()
            )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The root, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self.run, name="interservice-issuer", daemon=True)
        self._thread.start()
        return self

    def run(self) -> None:
        """Serve in this thread until `stop()` or an interrupt."""
        self._server.serve_forever(poll_interval=_POLL)

    def stop(self) -> None:
        """Take no more connections; returns when the port is closed."""
        if self._thread is None:
            self._server.server_close()
            return
        self._server.shutdown()
        self._thread.join(_JOIN)
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Handler(WSGIRequestHandler):
    """HTTP/1.0, so that no idle connection outlives the server; silent, so that nothing of a request is logged."""

    protocol_version = "HTTP/1.0"
    timeout = _IDLE

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        pass
