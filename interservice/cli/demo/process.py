"""One server process of the demo: started, waited for, paused, killed, stopped, its output kept in a file.

Invariant: a process leads a group of its own, so that its workers end with it, whatever ends it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import requests

from interservice.errors import InterserviceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interservice.clock import Clock

_READY_WITHIN = 30.0
_STOP_WITHIN = 5.0
_POLL = 0.05
#: Below those that Linux and IANA (RFC 6335) have for outgoing connections.
_PORTS = range(15_000, 32_000)
_TAIL = 2_000
#: What answers with this or more is not ready.
_NOT_READY = 400


class NotReadyError(InterserviceError):
    """A part of the demo did not start; the message holds the end of its output."""


@dataclass
class Process:
    """One server process.

    Attributes:
        name: What the demo calls it.
        command: What is run; it stays in the foreground.
        port: Where it listens on 127.0.0.1.
        cwd: Where it runs.
        environ: What is added to the environment.
        output: The file that holds what it prints.
        clock: For waiting.
        ready: The path that answers once the process is ready; None where accepting a connection says as much.
    """

    name: str
    command: Sequence[str]
    port: int
    cwd: Path
    environ: Mapping[str, str]
    output: Path
    clock: Clock
    ready: str | None = "/healthz"
    _process: subprocess.Popen[bytes] | None = field(init=False, repr=False, default=None)

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it, and come back when it answers.

        Raises:
            NotReadyError: It ended, or did not answer in time.
        """
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
        while not self.answers():
            if self._process.poll() is not None or self.clock.monotonic() > give_up:
                tail = self.output.read_bytes()[-_TAIL:].decode("utf-8", "replace")
                self.stop()
                raise NotReadyError(f"{self.name} did not start; its output ends with:\n{tail}")
            self.clock.sleep(_POLL)
        return self

    def kill(self) -> None:
        """End it and its workers as a crash of the machine would, without a goodbye."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it in its tracks: the kernel goes on taking connections for it, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def stop(self, within: float = _STOP_WITHIN) -> None:
        """End it in good order within some seconds, or else; no worker outlives it."""
        process = self._process
        if process is None:
            return
        self.resume()
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(within)
        self.kill()

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            if self.ready is None:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return True
            return requests.get(self.url + self.ready, timeout=1).status_code < _NOT_READY
        except (OSError, requests.RequestException):
            return False

    def _signal(self, number: signal.Signals) -> None:
        """To the process and its workers; those that have ended need none."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has now, and that no outgoing connection is given while its server is down for a while."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def gunicorn(port: int, app: str, threads: int) -> list[str]:
    """The command that serves a WSGI application from threads of one worker."""
    return [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "60",
        "--no-control-socket", "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "2", app,
    ]  # fmt: skip
