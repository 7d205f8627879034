"""The original statsd daemon as the judge of what we send: every line is well formed, and nothing is lost or counted twice."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from interservice import Gate, StatsD, Tracing
from interservice.wsgi import Middleware
from tests.servers.peer import TOOLS, Peer, accepts, eventually, free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATHS = ("/orders", "/orders/{id}", "/<int:x>/y", "/a:b|c@d#e", "/\u00e9\u20ac", "/" + "long" * 100, "/%0aforged:1|c", "/")


@dataclass(frozen=True)
class Receiver:
    """A statsd daemon: the port for metrics, and the one to ask what it has."""

    port: int
    admin: int

    def ask(self, question: str) -> str:
        """What the daemon's administration says."""
        with socket.create_connection(("127.0.0.1", self.admin), 10.0) as sock:
            sock.sendall(question.encode() + b"\n")
            answer = b""
            while not answer.rstrip().endswith(b"END"):
                chunk = sock.recv(65536)
                if not chunk:
                    break
                answer += chunk
        return answer.decode()

    def total(self, pattern: str) -> int:
        """The sum of the counters whose whole names match."""
        return sum(int(count) for count in re.findall(rf"'?(?<![\w.]){pattern}'?: (\d+)", self.ask("counters")))

    def bad_lines(self) -> int:
        """How many lines it could not read."""
        found = re.search(r"messages\.bad_lines_seen: (\d+)", self.ask("stats"))
        assert found
        return int(found[1])


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    script = TOOLS / "node_modules" / "statsd" / "stats.js"
    node = program("node", how="install Node.js, then make servers")
    program("stats.js of npm's statsd", script, how="make servers")
    port, admin = free_port(socket.SOCK_DGRAM), free_port()
    conf = (Path(__file__).parent / "statsd.config.js").read_text().replace("@PORT@", str(port)).replace("@ADMIN@", str(admin))
    (tmp_path / "config.js").write_text(conf)
    with Peer([node, script, tmp_path / "config.js"], lambda: accepts(admin), cwd=tmp_path):
        yield Receiver(port, admin)


def test_every_line_is_read_and_every_request_counted(receiver: Receiver) -> None:
    listener = StatsD(f"127.0.0.1:{receiver.port}", prefix="peer", flush_every=0.05)

    def app(environ: dict[str, object], start_response: object) -> object:
        return Response("fine")(environ, start_response)  # type: ignore[arg-type]

    client = Client(Middleware(app, Gate([Tracing()], [listener], service="peer")))  # type: ignore[arg-type]
    for _ in range(25):
        for path in _PATHS:
            assert client.get(path, buffered=True).status_code == 200
    listener.flush()
    asked = 25 * len(_PATHS)
    assert eventually(lambda: receiver.total(r"peer\.request_total\.[\w.-]+") == asked), receiver.ask("counters")
    assert receiver.bad_lines() == 0
    assert listener.dropped == 0
    listener.close()


def test_names_and_values_of_ones_own_are_read(receiver: Receiver) -> None:
    listener = StatsD(f"127.0.0.1:{receiver.port}", prefix="peer", flush_every=0.05)
    for name in ("orders.placed", "a:b", "pipe|pipe", "new\nline:1|c", "\u00fcber", "x" * 300):
        listener.increment(name, 2)
        listener.timing(name, 0.25)
        listener.gauge(name, -1.5)
    listener.flush()
    assert eventually(lambda: receiver.total(r"peer\.orders\.placed") == 2), receiver.ask("counters")
    assert receiver.bad_lines() == 0
    listener.close()
