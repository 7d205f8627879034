"""Commands that start each Python server on the test applications, and what their access log says."""

from __future__ import annotations

import http.client
import importlib.util
import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.servers.peer import ROOT, Peer, answers, eventually, free_port, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Arguments after `python -m`; {port} is filled in.
COMMANDS: Mapping[str, str] = {
    "gunicorn-sync": "gunicorn -b 127.0.0.1:{port} -w 1 tests.servers.apps:wsgi",
    "gunicorn-gthread": "gunicorn -b 127.0.0.1:{port} -w 1 -k gthread --threads 8 tests.servers.apps:wsgi",
    "gunicorn-preload": "gunicorn -b 127.0.0.1:{port} -w 2 -k gthread --threads 4 --preload tests.servers.apps:wsgi",
    "waitress": "waitress --listen=127.0.0.1:{port} --threads=8 tests.servers.apps:wsgi",
    "granian-wsgi": "granian --host 127.0.0.1 --port {port} --interface wsgi --workers 1 --no-ws tests.servers.apps:wsgi",
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} --no-access-log tests.servers.apps:asgi",
    "hypercorn": "hypercorn -b 127.0.0.1:{port} -w 1 tests.servers.apps:asgi",
    "granian-asgi": "granian --host 127.0.0.1 --port {port} --interface asgi --workers 1 tests.servers.apps:asgi",
}


@dataclass(frozen=True)
class Running:
    """A server that serves, and the log that its application writes."""

    port: int
    log: Path

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers (names in lower case) and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """The log lines of a request, once there is one; then whatever there is."""
        eventually(lambda: bool(self._matching(request_id)))
        return self._matching(request_id)

    def _matching(self, request_id: str) -> list[dict[str, Any]]:
        whole = self.log.read_text("utf-8").rpartition("\n")[0]
        return [line for line in map(json.loads, whole.splitlines()) if line.get("request_id") == request_id]


@contextmanager
def running(name: str, folder: Path) -> Iterator[Running]:
    """Start a server of COMMANDS."""
    module = COMMANDS[name].split()[0]
    if importlib.util.find_spec(module) is None:
        missing(module, f"pip install {module}")
    port, log = free_port(), folder / "access.log"
    log.touch()
    argv = [sys.executable, "-m", *COMMANDS[name].format(port=port).split()]
    if module == "gunicorn":
        argv.append("--no-control-socket")  # which would be one file for all
    env = {"TEST_ACCESS_LOG": str(log), "PYTHONPATH": str(ROOT)}
    with Peer(argv, lambda: answers(port), cwd=folder, env=env):
        yield Running(port, log)
