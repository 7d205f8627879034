"""A server under load: started, waited for, watched through /proc, and ended by its process id."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOT = Path(__file__).parents[2]
_APPS = "benchmarks.load.apps"
#: One worker process each. The access log of the server is off: the gate writes one.
COMMANDS = {
    "granian-wsgi": "granian --interface wsgi --workers 1 --blocking-threads {threads} --no-ws --host 127.0.0.1 --port {port}"
    " --factory {app}",
    "granian-asgi": "granian --interface asgi --workers 1 --no-ws --host 127.0.0.1 --port {port} --factory {app}",
    "uvicorn": "uvicorn --workers 1 --no-access-log --log-level warning --host 127.0.0.1 --port {port} --factory {app}",
}
_READY_WITHIN, _STOP_WITHIN = 30.0, 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        process: The process that was started; workers are its children.
    """

    port: int
    process: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Processor seconds that it and its children have used."""
        return sum(_cpu(process) for process in _family(self.process))

    def memory(self) -> int:
        """Bytes of memory that it and its children hold (resident)."""
        return sum(_resident(process) for process in _family(self.process))


@contextmanager
def serving(kind: str, app: str, env: Mapping[str, str], *, threads: int = 1) -> Iterator[Server]:
    """Start a server of COMMANDS on an application of `benchmarks.load.apps`; its lines go nowhere.

    Raises:
        RuntimeError: it does not answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    arguments = COMMANDS[kind].format(port=port, app=f"{_APPS}:{app}", threads=threads).split()
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), **env},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(process, port)
        yield Server(port, process.pid)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    msg = f"{process.args!r} does not answer"
    raise RuntimeError(msg)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it and its children."""
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _family(process: int) -> list[int]:
    """A process and its descendants."""
    family = [process]
    for member in family:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            family += map(int, _text(task).split())
    return family


def _cpu(process: int) -> float:
    fields = _text(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _resident(process: int) -> int:
    fields = _text(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def _text(path: Path) -> str:
    """What a file of /proc says; nothing once the process has ended."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
