"""The processes of the demo: each started, waited for, stopped, and its output kept in a file."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import requests

from interservice.clock import SYSTEM
from interservice.errors import InterserviceError
from interservice.issuer import AuthorizationServer, Client, Server

from .receiver import Receiver

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from interservice.clock import Clock

_READY_WITHIN = 30.0
_STOP_WITHIN = 5.0
_TAIL = 2_000


class NotReadyError(InterserviceError):
    """A part of the demo did not start; the message holds the end of its output."""


@dataclass
class Process:
    """One server process.

    Attributes:
        name: What the demo calls it.
        command: What is run.
        port: Where it listens on 127.0.0.1.
        cwd: Where it runs.
        environ: What is added to the environment.
        output: The file that holds what it prints.
    """

    name: str
    command: list[str]
    port: int
    cwd: Path
    environ: dict[str, str]
    output: Path
    clock: Clock
    _process: subprocess.Popen[bytes] | None = field(init=False, repr=False, default=None)

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it, and come back when it answers."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the command is the demo's own
                self.command,
                cwd=self.cwd,
                env={**os.environ, **self.environ},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a group of its own, workers included
            )
        give_up = self.clock.monotonic() + _READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or self.clock.monotonic() > give_up:
                tail = self.output.read_bytes()[-_TAIL:].decode("utf-8", "replace")
                self.stop()
                raise NotReadyError(f"{self.name} did not start; its output ends with:\n{tail}")
            self.clock.sleep(0.05)
        return self

    def kill(self) -> None:
        """End it and its workers as a crash of the machine would, without a goodbye."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in good order, or else."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except requests.RequestException:
            return False


class Stack:
    """Everything, running; a context manager that leaves nothing behind.

    Args:
        examples: The folder of the example services.
        output: Where logs go.
        clock: For waiting.
    """

    def __init__(self, examples: Path, output: Path, clock: Clock = SYSTEM) -> None:
        self.output = output
        self.clock = clock
        self._examples = examples
        self._secrets = {name: secrets.token_urlsafe(24) for name in ("demo-client", "orders")}
        self._parts = ExitStack()
        self.receiver = self._parts.enter_context(Receiver())
        self.issuer_port = free_port()
        self.authorization_server = self._authorization_server()
        self.issuer = Server(lambda _: self.authorization_server, port=self.issuer_port)
        invoices_port = free_port()
        self.invoices = self._process(
            "invoices",
            [
                sys.executable,
                "-m",
                "granian",
                "--interface",
                "asgi",
                "--port",
                str(invoices_port),
                "--no-access-log",
                "asgi:application",
            ],
            invoices_port,
            "django_app",
            INVOICES_DB=str(output / "invoices.sqlite3"),
        )
        self.orders = [self._orders(name) for name in ("orders-a", "orders-b")]
        gateway_port = free_port()
        self.gateway = self._process(
            "gateway",
            _gunicorn(gateway_port, "interservice.cli.demo.gateway:load()", threads=64),
            gateway_port,
            "",
            ORDERS_ENDPOINTS=" ".join(instance.url for instance in self.orders),
            MAX_CONCURRENT="12",
        )

    def __enter__(self) -> Self:
        try:
            self._parts.callback(self.stop_issuer)
            self.issuer.start()
            self._migrate()
            for process in (self.invoices, *self.orders, self.gateway):
                self._parts.callback(process.stop)
                process.start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._parts.close()

    @property
    def issuer_url(self) -> str:
        """The issuer's identifier."""
        return f"http://127.0.0.1:{self.issuer_port}"

    def secret_of(self, client_id: str) -> str:
        """A client's secret, made for this run."""
        return self._secrets[client_id]

    def stop_issuer(self) -> None:
        """Take the issuer away."""
        self.issuer.stop()

    def start_issuer(self) -> None:
        """Bring the issuer back with the keys it had."""
        self.issuer = Server(lambda _: self.authorization_server, port=self.issuer_port).start()

    def slow_down(self, instance: Process, seconds: float) -> None:
        """Make an orders instance wait before each answer; 0 makes it well."""
        faults = self._faults(instance.name)
        if seconds:
            faults.write_text(f'{{"delay": {seconds}}}', encoding="utf-8")
        else:
            faults.unlink(missing_ok=True)

    def _authorization_server(self) -> AuthorizationServer:
        client = Client(
            client_id="demo-client",
            secret=self._secrets["demo-client"],
            scopes=["orders:read", "orders:write"],
            audiences=["orders"],
        )
        orders = Client(
            client_id="orders", secret=self._secrets["orders"], scopes=["invoices:read", "invoices:write"], audiences=["invoices"]
        )
        return AuthorizationServer(issuer=self.issuer_url, clients=[client, orders])

    def _orders(self, name: str) -> Process:
        port = free_port()
        return self._process(
            name,
            _gunicorn(port, "wsgi:app", threads=16),
            port,
            "flask_app",
            INVOICES_ENDPOINTS=self.invoices.url,
            CLIENT_ID="orders",
            CLIENT_SECRET=self._secrets["orders"],
            ORDERS_DB=str(self.output / "orders.sqlite3"),
            ORDERS_FAULTS_FILE=str(self._faults(name)),
        )

    def _process(self, name: str, command: list[str], port: int, folder: str, **environ: str) -> Process:
        common = {
            "ISSUER": self.issuer_url,
            "STATSD": self.receiver.address,
            "ACCESS_LOG": str(self.output / f"{name}.access.jsonl"),
        }
        cwd = self._examples / folder
        return Process(name, command, port, cwd, {**common, **environ}, self.output / f"{name}.out", self.clock)

    def _faults(self, name: str) -> Path:
        return self.output / f"{name}.faults.json"

    def _migrate(self) -> None:
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        environ = {**os.environ, **self.invoices.environ}
        done = subprocess.run(command, cwd=self.invoices.cwd, env=environ, capture_output=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise NotReadyError(f"the invoices database could not be made:\n{done.stderr.decode('utf-8', 'replace')[-_TAIL:]}")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _gunicorn(port: int, app: str, threads: int) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "60",
        "--no-control-socket", "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "2", app,
    ]  # fmt: skip
