"""Faults on demand, for the demo alone: nothing of this is there unless ORDERS_FAULTS_FILE is set.

The file holds JSON such as {"delay": 0.8}, {"status": 503} or {"stall": 1.5}, and is read at every request; without the file all
is well. A delay is the application's: the gate in front of it answers health checks as ever. A stall is the whole process'.
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
        fault = _read(self._path)
        self._clock.sleep(float(fault.get("delay", 0.0)))
        status = fault.get("status")
        if status is None:
            return self._app(environ, start_response)
        start_response(f"{int(status)} Fault", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"fault"]


class Stall:
    """A WSGI application that comes to its requests late, as in a process that is starved or swapped out."""

    def __init__(self, app: WSGIApplication, path: Path, *, clock: Clock = SYSTEM) -> None:
        self._app = app
        self._path = path
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Wait, and serve."""
        self._clock.sleep(float(_read(self._path).get("stall", 0.0)))
        return self._app(environ, start_response)


def _read(path: Path) -> Mapping[str, Any]:
    """What the file says now; a file that is missing or half written is no fault."""
    try:
        fault = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return fault if isinstance(fault, dict) else {}
