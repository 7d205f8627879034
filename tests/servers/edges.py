"""What stands around a rendered gateway in tests: instances that tell what they saw, the gate, the gateway itself."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interservice.gateway import Edge, Service
from interservice.gateway.render import caddy as caddy_text
from interservice.gateway.render import envoy as envoy_text
from interservice.gateway.render import haproxy as haproxy_text
from interservice.gateway.render import haproxy_keys
from interservice.gateway.render import nginx as nginx_text
from interservice.gateway.render.plan import mode
from tests.servers.peer import ROOT, TOOLS, Peer, answers, envoy, free_port, program
from tests.servers.running import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
_CADDY = "apt-get install caddy, or make servers"
_HAPROXY = "apt-get install haproxy, or make servers"
_NGINX = "apt-get install nginx-light, or make servers"


@dataclass
class Heard:
    """One request, as an instance got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Instance:
    """A server in this process; what it does can be set between requests.

    Attributes:
        name: What its answers call it.
        heard: The requests but those for its health, oldest first.
        faults: What the next requests get instead of an answer: a status, "reset", or an event that is waited for.
        headers: Fields of its answers.
        ready: Whether it wants traffic.
    """

    name: str
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    faults: list[int | str | threading.Event] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    ready: bool = True

    @property
    def origin(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


def _handler(instance: Instance) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - a class in a function
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True
        timeout = 30

        def log_message(self, *args: Any) -> None:
            pass

        def answer(self) -> None:
            if self.path == "/readyz":
                self.reply(200 if instance.ready else 503, {})
                return
            instance.heard.append(Heard(self.command, self.path, list(self.headers.items()), self._body()))
            if self.headers.get("Upgrade", "").lower() == "websocket":
                self.echo()
                return
            fault = instance.faults.pop(0) if instance.faults else None
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if isinstance(fault, threading.Event):
                fault.wait(20)
                self.close_connection = True
                return
            self.reply(fault if isinstance(fault, int) else 200, {"instance": instance.name, "count": len(instance.heard)})

        def echo(self) -> None:
            """A websocket as far as a gateway can tell: bytes in both directions."""
            self.close_connection = True
            self.wfile.write(_SWITCHED)
            self.wfile.flush()
            while data := self.connection.recv(100):
                self.connection.sendall(data)

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            return body

        def reply(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-Instance": instance.name}
            for name, value in (fields | instance.headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *args: Any) -> None:
        pass


@contextmanager
def instances(*names: str) -> Iterator[dict[str, Instance]]:
    """Instances that serve, by name."""
    with ExitStack() as stack:
        found = {}
        for name in names:
            instance = Instance(name)
            server = stack.enter_context(_Quiet(("127.0.0.1", 0), _handler(instance)))
            instance.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown)
            found[name] = instance
        yield found


@dataclass(frozen=True)
class Answered:
    """An answer that a client got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of a problem document, or None."""
        if self.all("content-type")[:1] != ["application/problem+json"]:
            return None
        return str(self.json["code"]) if self.body else None


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs."""

    port: int
    log: Path
    peer: Peer

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> Answered:
        """One request on a connection of its own; repeated fields stay apart."""
        return ask(self.port, target, method, headers, body)

    @contextmanager
    def upgraded(self, target: str, headers: Mapping[str, str], protocol: str = "websocket") -> Iterator[socket.socket]:
        """A connection on which another protocol was asked for."""
        fields = {"Host": "edge", "Upgrade": protocol, "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        fields |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers}
        head = f"GET {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with socket.create_connection(("127.0.0.1", self.port), 10.0) as client:
            client.sendall(f"{head}\r\n".encode())
            yield client

    def lines(self) -> list[dict[str, Any]]:
        """What its access log has, whole lines alone; HAProxy's is its standard output."""
        whole = (self.log.read_text("utf-8") or self.peer.output()).rpartition("\n")[0]
        return [_line(json.loads(line)) for line in whole.splitlines() if line.startswith("{")]


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """A log line, with the request id where Caddy has it: among the fields of the answer."""
    return {"request_id": line.get("resp_headers", {}).get("X-Request-Id", [None])[0], **line}


def ask(
    port: int,
    target: str,
    method: str = "GET",
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    body: bytes | Iterator[bytes] | None = None,
) -> Answered:
    """One request to a port of 127.0.0.1, its target sent as it is given."""
    pairs = headers if isinstance(headers, list) else list((headers or {}).items())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in pairs:
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        elif body is not None:
            connection.putheader("Transfer-Encoding", "chunked")
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before its end, and the answer is there
            connection.endheaders(body, encode_chunked=body is not None and not isinstance(body, bytes))
        response = connection.getresponse()
        return Answered(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def services(found: Mapping[str, Instance], **options: Any) -> list[Service]:
    """The services that the tests of every gateway have: orders in two versions, and all the rest."""
    return [
        Service(
            name="orders",
            prefix="/orders",
            endpoints=[found["orders-a"].origin, found["orders-b"].origin],
            versions={"2": [found["orders-2"].origin]},
            **options,
        ),
        Service(name="users", prefix="/users", endpoints=[found["users"].origin], **options),
    ]


NAMES = ("orders-a", "orders-b", "orders-2", "users")


def _run(argv: list[str | Path], edge: Edge, folder: Path, log: Path, env: Mapping[str, str] | None = None) -> Any:
    port = int(edge.listen.rpartition(":")[2])
    peer = Peer(argv, lambda: answers(port), cwd=folder, env=env)
    return _running(peer, Gateway(port, log, peer))


@contextmanager
def _running(peer: Peer, gateway: Gateway) -> Iterator[Gateway]:
    with peer:
        yield gateway


def options(folder: Path) -> dict[str, Any]:
    """What of an edge belongs to a test: a free port, and a log of its own."""
    folder.mkdir(exist_ok=True)
    log = folder / "access.log"
    log.touch()
    return {"listen": f"127.0.0.1:{free_port()}", "access_log": str(log)}


def nginx_program() -> str:
    """The path of NGINX."""
    return program("nginx", Path("/usr/sbin/nginx"), TOOLS / "nginx/usr/sbin/nginx", how=_NGINX)


def run_nginx(edge: Edge, folder: Path) -> Any:
    """NGINX on the rendered configuration, in the foreground."""
    (folder / "nginx.conf").write_text(nginx_text(edge))
    argv: list[str | Path] = [nginx_program(), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    # Workers of a root's NGINX are nobody, who may not enter pytest's folders.
    argv += ["-g", "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"]
    return _run(argv, edge, folder, Path(edge.access_log))


def run_envoy(edge: Edge, folder: Path) -> Any:
    """Envoy on the rendered bootstrap."""
    (folder / "envoy.json").write_text(envoy_text(edge))
    flush = ["--file-flush-interval-msec", "50", "--file-flush-min-size-kb", "1"]
    argv: list[str | Path] = [envoy(), "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "warning", *flush]
    return _run(argv, edge, folder, Path(edge.access_log))


def run_caddy(edge: Edge, folder: Path) -> Any:
    """Caddy on the rendered Caddyfile."""
    (folder / "Caddyfile").write_text(caddy_text(edge))
    argv: list[str | Path] = [program("caddy", how=_CADDY), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    home = {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    return _run(argv, edge, folder, Path(edge.access_log), home)


def run_haproxy(edge: Edge, folder: Path) -> Any:
    """HAProxy on the rendered configuration, with the keys beside it."""
    (folder / "haproxy.cfg").write_text(haproxy_text(edge))
    for name, key in haproxy_keys(edge).items() if mode(edge) == "native" else ():
        (folder / name).write_bytes(key)
    argv: list[str | Path] = [program("haproxy", Path("/usr/sbin/haproxy"), how=_HAPROXY), "-db", "-f", "haproxy.cfg"]
    return _run(argv, edge, folder, Path(edge.access_log))


@contextmanager
def asked_gate(folder: Path, issuer: str) -> Iterator[int]:
    """The shared gate under uvicorn, for gateways to ask; gives its port."""
    port = free_port()
    # By default uvicorn takes X-Forwarded-For of whoever connects from loopback for the peer, which is asked who it is.
    argv = [*command("uvicorn", port, "tests.servers.edge_auth"), "--no-proxy-headers"]
    env = {"TEST_ISSUER": issuer, "TEST_SECRET": secrets.token_bytes(32).hex(), "PYTHONPATH": str(ROOT)}
    with Peer(argv, lambda: answers(port), cwd=folder, env=env):
        yield port


RUN: Mapping[str, Callable[[Edge, Path], Any]] = {"nginx": run_nginx, "envoy": run_envoy, "caddy": run_caddy}
