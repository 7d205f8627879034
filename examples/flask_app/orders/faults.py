"""Faults on demand, for the demo alone: nothing of this is there unless ORDERS_FAULTS_FILE is set.

The file holds JSON such as {"delay": 0.8} or {"status": 503}, and is read at every request; without the file all is well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from interservice.clock import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from interservice.clock import Clock


class Faults:
    """A WSGI application that is slow or fails as a file says, and otherwise is the one it wraps."""

    def __init__(self, app: WSGIApplication, path: Path, *, clock: Clock = SYSTEM) -> None:
        self._app = app
        self._path = path
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Wait, fail, or serve."""
        fault = self._read()
        self._clock.sleep(float(fault.get("delay", 0.0)))
        status = fault.get("status")
        if status is None or environ.get("PATH_INFO") == "/healthz":
            return self._app(environ, start_response)
        start_response(f"{int(status)} Fault", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"fault"]

    def _read(self) -> Mapping[str, Any]:
        """What the file says now; a file that is missing or half written is no fault."""
        try:
            fault = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return fault if isinstance(fault, dict) else {}
