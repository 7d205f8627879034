"""Commands that start each Python server on the test applications, and what their access log says."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.peer import ROOT, Peer, answers, eventually, free_port, missing, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GUNICORN = "gunicorn -b 127.0.0.1:{port} --no-control-socket"  # the socket would be one file for all
#: Arguments after `python -m`, or after a program of the environment; the names in braces are filled in.
COMMANDS: Mapping[str, str] = {
    "gunicorn-sync": _GUNICORN + " -w 1 {module}:wsgi",
    "gunicorn-gthread": _GUNICORN + " -w 1 -k gthread --threads 8 {module}:wsgi",
    "gunicorn-preload": _GUNICORN + " -w 2 -k gthread --threads 4 --preload {module}:wsgi",
    "gunicorn-gevent": _GUNICORN + " -w 1 -k gevent {module}:wsgi",
    "waitress": "waitress --listen=127.0.0.1:{port} --threads=8 {module}:wsgi",
    "granian-wsgi": "granian --host 127.0.0.1 --port {port} --interface wsgi --workers 1 --no-ws {module}:wsgi",
    "uwsgi": "uwsgi --http-socket 127.0.0.1:{port} --home {home} --module {module}:wsgi --master --threads 8 --enable-threads"
    " --die-on-term --need-app --disable-logging --stats 127.0.0.1:{stats}",
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} --no-access-log {module}:asgi",
    "hypercorn": "hypercorn -b 127.0.0.1:{port} -w 1 {module}:asgi",
    "granian-asgi": "granian --host 127.0.0.1 --port {port} --interface asgi --workers 1 {module}:asgi",
    "daphne": "daphne -b 127.0.0.1 -p {port} {module}:asgi",
}
#: Not a module of Python's, but a program beside Python's.
_PROGRAMS = frozenset({"uwsgi"})
APPS = "tests.servers.apps"


@dataclass(frozen=True)
class Running:
    """A server that serves, the port of its own statistics if it has such, and the log that its application writes."""

    port: int
    stats: int
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

    @contextmanager
    def asking(self, path: str, request_id: str) -> Iterator[socket.socket]:
        """A connection on which a request was sent: for a server that does not end a broken response, and clients that leave."""
        with socket.create_connection(("127.0.0.1", self.port), 10.0) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: peer\r\nX-Request-ID: {request_id}\r\n\r\n".encode())
            yield client

    def idle(self) -> bool:
        """Whether uWSGI says that each of its threads has ended its request, which is later than the client has the answer."""
        with socket.create_connection(("127.0.0.1", self.stats), 10.0) as client, client.makefile("rb") as told:
            workers = json.load(told)["workers"]
        return not any(core["in_request"] for worker in workers for core in worker["cores"])

    def lines(self, request_id: str) -> list[dict[str, Any]]:
        """The log lines of a request, once there is one; then whatever there is."""
        eventually(lambda: bool(self._matching(request_id)))
        return self._matching(request_id)

    def _matching(self, request_id: str) -> list[dict[str, Any]]:
        whole = self.log.read_text("utf-8").rpartition("\n")[0]
        return [line for line in map(json.loads, whole.splitlines()) if line.get("request_id") == request_id]


def command(name: str, port: int, module: str = APPS, *, stats: int = 0) -> list[str]:
    """The command that starts a server of COMMANDS; where it is not installed, the test is skipped or fails."""
    server = COMMANDS[name].split()[0]
    arguments = COMMANDS[name].format(port=port, module=module, home=sys.prefix, stats=stats or free_port()).split()
    if server in _PROGRAMS:
        arguments[0] = program(server, Path(sys.executable).with_name(server), how=f"pip install {server}, or make servers")
        return arguments
    if importlib.util.find_spec(server) is None:
        missing(server, f"pip install {server}")
    return [sys.executable, "-m", *arguments]


@contextmanager
def running(name: str, folder: Path, module: str = APPS, **env: str) -> Iterator[Running]:
    """Start a server of COMMANDS on the `wsgi` or `asgi` of a module; it writes its access log to TEST_ACCESS_LOG."""
    port, stats, log = free_port(), free_port(), folder / "access.log"
    log.touch()
    env |= {"TEST_ACCESS_LOG": str(log), "PYTHONPATH": str(ROOT)}
    with Peer(command(name, port, module, stats=stats), lambda: answers(port), cwd=folder, env=env):
        yield Running(port, stats, log)
