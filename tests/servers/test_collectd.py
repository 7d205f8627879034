"""collectd and Prometheus behind it: what they have counted is what was asked, and no line was refused."""

from __future__ import annotations

import json
import socket
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from interservice import Gate, StatsD, Tracing
from interservice.wsgi import Middleware
from tests.servers.peer import Peer, accepts, answers, eventually, free_port, missing, program, takes_datagrams

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOW = "apt-get install collectd libmicrohttpd12 libprotobuf-c1 prometheus, or make servers"
_PLUGINS = [Path("/usr/lib/collectd"), *Path("/usr/lib").glob("*/collectd")]
_TYPES = Path("/usr/share/collectd/types.db")


@dataclass(frozen=True)
class Chain:
    """collectd's port for metrics and its log, and Prometheus' port."""

    statsd: int
    log: Path
    prometheus: int

    def value(self, query: str) -> float | None:
        """The sum of what Prometheus finds; None for nothing."""
        url = f"http://127.0.0.1:{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": f"sum({query})"})
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    collectd = program("collectd", Path("/usr/sbin/collectd"), how=_HOW)
    prometheus = program("prometheus", how=_HOW)
    plugins = next((folder for folder in _PLUGINS if (folder / "write_prometheus.so").is_file()), None)
    if plugins is None or not _TYPES.is_file():
        missing("collectd's write_prometheus", _HOW)
    statsd, metrics, port = free_port(socket.SOCK_DGRAM), free_port(), free_port()
    places = {"DIR": tmp_path, "PLUGINS": plugins, "TYPES": _TYPES, "PORT": statsd, "METRICS": metrics}
    for name in ("collectd.conf", "prometheus.yml"):
        text = (Path(__file__).parent / name).read_text()
        for place, value in places.items():
            text = text.replace(f"@{place}@", str(value))
        (tmp_path / name).write_text(text)
    serve: list[Any] = [prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
    serve.append(f"--web.listen-address=127.0.0.1:{port}")
    with (
        Peer(
            [collectd, "-f", "-C", tmp_path / "collectd.conf"], lambda: accepts(metrics) and takes_datagrams(statsd), cwd=tmp_path
        ),
        Peer(serve, lambda: answers(port), cwd=tmp_path),
    ):
        yield Chain(statsd, tmp_path / "collectd.log", port)


def test_prometheus_has_as_many_requests_as_were_made(chain: Chain) -> None:
    listener = StatsD(f"127.0.0.1:{chain.statsd}", prefix="peer", flush_every=0.05)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        return Response("fine", status=503 if environ["PATH_INFO"] == "/busy" else 200)(environ, start_response)

    client = Client(Middleware(app, Gate([Tracing()], [listener], service="peer")))
    for path, times in (("/orders", 30), ("/busy", 10)):
        for _ in range(times):
            client.get(path, buffered=True)
    listener.increment("orders.placed", 7)
    listener.close()

    def counted(pattern: str) -> float | None:
        return chain.value(f'collectd_statsd_derive_total{{statsd=~"{pattern}"}}')

    assert eventually(lambda: counted(r"peer\\.request_total\\..*") == 40, within=45.0), chain.log.read_text()
    assert counted(r"peer\\.request_total\\..*\\.503") == 10
    assert counted(r"peer\\.orders\\.placed") == 7
    assert "Unable to parse" not in chain.log.read_text()
