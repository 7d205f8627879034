"""The services of the demo, which every stack has: two orders instances (Flask) and the invoices service (Django) behind them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from .process import NotReadyError, Process, free_port, gunicorn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from interservice.clock import Clock

_TAIL = 2_000


class Services:
    """The examples' processes, not started yet.

    Args:
        examples: The folder of the example services.
        output: Where logs go.
        environ: What every service is told: ISSUER, STATSD.
        orders: What the orders instances are told besides: CLIENT_ID, CLIENT_SECRET.
        clock: For waiting.
    """

    def __init__(self, examples: Path, output: Path, environ: Mapping[str, str], orders: Mapping[str, str], clock: Clock) -> None:
        self._examples, self._output, self._environ, self._clock = examples, output, environ, clock
        self.invoices = self._invoices()
        self.orders = [self._orders(name, orders) for name in ("orders-a", "orders-b")]

    def process(self, name: str, command: list[str], port: int, folder: str, **environ: str) -> Process:
        """A process that runs in a folder of the examples, and writes its access log."""
        told = {**self._environ, "ACCESS_LOG": str(self._output / f"{name}.access.jsonl"), **environ}
        return Process(name, command, port, self._examples / folder, told, self._output / f"{name}.out", self._clock)

    def migrate(self) -> None:
        """Make the invoices database.

        Raises:
            NotReadyError: It could not be made.
        """
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        environ = {**os.environ, **self.invoices.environ}
        done = subprocess.run(command, cwd=self.invoices.cwd, env=environ, capture_output=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise NotReadyError(f"the invoices database could not be made:\n{done.stderr.decode('utf-8', 'replace')[-_TAIL:]}")

    def fault(self, instance: Process, **faults: float) -> None:
        """Have an orders instance behave as its fault file says; with nothing said it is well."""
        path = self._faults(instance.name)
        if faults:
            path.write_text(json.dumps(faults), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)

    def drain_file(self, instance: Process) -> Path:
        """While this file is there, an orders instance says that it is not ready."""
        return self._output / f"{instance.name}.drain"

    def _invoices(self) -> Process:
        port = free_port()
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--no-access-log"]
        database = str(self._output / "invoices.sqlite3")
        return self.process("invoices", [*command, "asgi:application"], port, "django_app", INVOICES_DB=database)

    def _orders(self, name: str, environ: Mapping[str, str]) -> Process:
        port = free_port()
        return self.process(
            name,
            gunicorn(port, "wsgi:app", threads=16),
            port,
            "flask_app",
            INVOICES_ENDPOINTS=self.invoices.url,
            ORDERS_DB=str(self._output / "orders.sqlite3"),
            ORDERS_FAULTS_FILE=str(self._faults(name)),
            DRAIN_FILE=str(self._output / f"{name}.drain"),
            **environ,
        )

    def _faults(self, name: str) -> Path:
        return self._output / f"{name}.faults.json"
