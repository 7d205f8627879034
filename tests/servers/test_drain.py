"""An instance is restarted under load behind a real HAProxy: with a drain no request fails, and without one some do."""

from __future__ import annotations

import csv
import http.client
import os
import random
import signal
import socket
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import pytest

from tests.servers.peer import ROOT, TOOLS, Peer, accepts, answers, eventually, program
from tests.servers.running import command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    Pair: TypeAlias = Collection[tuple[str, str]]

_CLIENTS = 4
_HOW = "apt-get install haproxy, or make servers"
#: Seconds for which SIGTERM drains, where it does; HAProxy takes a fifth of a second to notice, when the machine is not busy.
_SECONDS = 1.5
#: Server, and what drains it. Both of a pair are restarted in turn. Some have several processes, which one file drains.
PAIRS = [
    (("waitress", "SIGTERM"), ("uvicorn", "SIGTERM")),
    (("gunicorn-gevent", "SIGTERM"), ("granian-asgi", "file")),
    (("gunicorn-preload", "file"), ("uwsgi", "file")),
]


def _port() -> int:
    """A port that nobody listens on, and that no connection takes as its own while a server is away: not an ephemeral one."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


class Instance:
    """One server that can be restarted on its port."""

    def __init__(self, name: str, kind: str, how: str, folder: Path) -> None:
        self.name = name
        self.how = how
        self.port = _port()
        self.drain_file = folder / f"drain-{name}"
        self._kind = kind
        self._folder = folder
        self._env = {"TEST_DRAIN_FILE": str(self.drain_file), "PYTHONPATH": str(ROOT)}
        # Threads of gunicorn end only when the connections do that HAProxy keeps.
        self._env["GUNICORN_CMD_ARGS"] = "--keep-alive=1"
        if how == "SIGTERM":
            self._env["TEST_DRAIN_SECONDS"] = str(_SECONDS)
            if kind != "uvicorn":  # which imports the application before it installs its handler
                self._env["TEST_DRAIN_AT_IMPORT"] = "1"
        self._life = 0
        self.peer: Peer | None = None

    def start(self, stack: ExitStack) -> None:
        """Start it; its answers name it and its life."""
        self._life += 1
        env = self._env | {"TEST_INSTANCE": self.answer}
        argv = command(self._kind, self.port, "tests.servers.drain_apps")
        self.peer = stack.enter_context(Peer(argv, lambda: answers(self.port), cwd=self._folder, env=env))

    @property
    def answer(self) -> str:
        """What it answers in this life."""
        return f"{self.name}-{self._life}"

    @property
    def process(self) -> Peer:
        """The running server."""
        assert self.peer is not None
        return self.peer


class Balanced:
    """Two instances behind HAProxy."""

    def __init__(self, folder: Path, stack: ExitStack, pair: Pair) -> None:
        self._stack = stack
        self._socket = folder / "admin.sock"
        self.instances = [Instance(name, kind, how, folder) for name, (kind, how) in zip(("first", "second"), pair, strict=True)]
        haproxy = program("haproxy", Path("/usr/sbin/haproxy"), TOOLS / "haproxy/usr/sbin/haproxy", how=_HOW)
        starting = [threading.Thread(target=instance.start, args=(stack,)) for instance in self.instances]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        self.port = _port()
        conf = (Path(__file__).parent / "haproxy.cfg").read_text()
        ports = {"PORT": self.port, **{instance.name.upper(): instance.port for instance in self.instances}}
        for name, value in {**ports, "FOLDER": folder, "CLOSING": "" if ("uwsgi", "file") in pair else "no "}.items():
            conf = conf.replace(f"@{name}@", str(value))
        (folder / "haproxy.cfg").write_text(conf)
        stack.enter_context(Peer([haproxy, "-db", "-f", "haproxy.cfg"], lambda: answers(self.port), cwd=folder))
        for instance in self.instances:
            self.wait_for(instance, "UP")

    def wait_for(self, instance: Instance, status: str, *, idle: bool = False) -> None:
        """Wait until HAProxy says that of an instance; and, where `idle`, has no request under way to it."""
        last: dict[str, str] = {}

        def is_so() -> bool:
            last.update(self._stat(instance.name))
            return last["status"] == status and (not idle or last["scur"] == "0")

        assert eventually(is_so), f"{instance.name} is {last.get('status')} with {last.get('scur')} under way, not {status}"

    def restart(self, instance: Instance) -> None:
        """Stop and start it, as by a deployment."""
        instance.process.stop()
        instance.drain_file.unlink(missing_ok=True)
        instance.start(self._stack)
        self.wait_for(instance, "UP")

    def _stat(self, name: str) -> dict[str, str]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._socket))
            client.sendall(b"show stat\n")
            text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        return next(row for row in rows if row["pxname"] == "pool" and row["svname"] == name)


class Load:
    """Clients that ask without a pause, each on a connection that it keeps, while the `with` block runs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on) for _ in range(_CLIENTS)]
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def wait_for(self, answer: str) -> None:
        """Wait until a client had that answer."""
        assert eventually(lambda: self.answered[answer] > 0), f"nobody was answered {answer!r}, but {dict(self.answered)}"

    def _ask_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._stop.is_set():
            try:
                connection.request("GET", "/work")
                response = connection.getresponse()
                body = response.read().decode()
            except (OSError, http.client.HTTPException) as error:
                self.failed[type(error).__name__] += 1
                connection.close()
                continue
            (self.answered if response.status == 200 else self.failed)[
                body if response.status == 200 else str(response.status)
            ] += 1
        connection.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize("pair", PAIRS, ids=["+".join(kind for kind, _ in pair) for pair in PAIRS])
def test_drained_instance_is_restarted_without_a_failed_request(pair: Pair, tmp_path: Path, stack: ExitStack) -> None:
    balanced = Balanced(tmp_path, stack, pair)
    with Load(balanced.port) as load:
        for instance in balanced.instances:
            load.wait_for(instance.answer)
            if instance.how == "file":
                instance.drain_file.touch()
            else:
                os.kill(instance.process.pid, signal.SIGTERM)
            balanced.wait_for(instance, "DOWN", idle=True)
            # Down because it says so: it still serves whoever comes.
            assert accepts(instance.port)
            assert instance.how == "file" or instance.process.ends()
            balanced.restart(instance)
            load.wait_for(instance.answer)
    for instance in balanced.instances:
        instance.drain_file.touch()  # so that SIGTERM, at the end of the test, has nothing to wait for
    assert not load.failed, f"{load.failed} of {load.answered.total()}"
    assert load.answered.keys() == {"first-1", "first-2", "second-1", "second-2"}


def test_instance_that_is_stopped_without_a_drain_fails_requests(tmp_path: Path, stack: ExitStack) -> None:
    balanced = Balanced(tmp_path, stack, [("waitress", "file"), ("uvicorn", "file")])
    for instance in balanced.instances:
        with Load(balanced.port) as load:
            load.wait_for(instance.answer)
            balanced.restart(instance)
        assert load.failed, f"of {load.answered.total()}"


@pytest.mark.parametrize("kind", ["uvicorn", "granian-asgi"])
def test_connections_end_with_their_response_while_it_drains(kind: str, tmp_path: Path, stack: ExitStack) -> None:
    instance = Instance("one", kind, "file", tmp_path)
    instance.start(stack)
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=20)

    def ends() -> bool:
        connection.request("GET", "/work")
        response = connection.getresponse()
        assert response.read().decode() == instance.answer
        return response.will_close

    assert not ends()
    kept = connection.sock
    assert not ends()
    assert connection.sock is kept
    instance.drain_file.touch()
    assert eventually(ends)
    assert connection.sock is None
