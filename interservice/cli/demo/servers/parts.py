"""The servers, each as a process that is not started yet, on a free port."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from interservice.cli.demo.process import free_port
from interservice.gateway.edge import READY
from interservice.gateway.render import envoy, nginx

from . import configuration
from .programs import OIDC_PROVIDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from interservice.cli.demo.process import Process
    from interservice.gateway import Edge
    from interservice.issuer import KeyRing

    from .place import Place

#: What may stand in front.
Gateway = Literal["nginx", "envoy"]
#: Of a token, in seconds. A client renews it when a quarter is left, so that an outage of less hurts nobody.
_TOKEN_LIFETIME = 600
_COLLECTD_TYPES = Path("/usr/share/collectd/types.db")
_COLLECTD_PLUGINS = (Path("/usr/lib/collectd"), Path("/usr/lib64/collectd"))


def redis(place: Place, password: str) -> Process:
    """Redis, with nothing on disk."""
    port = free_port()
    lines = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}", 'save ""', "appendonly no"]
    return place.process("redis", "redis-server", [place.write("redis", "redis.conf", "\n".join(lines) + "\n")], port, None)


def write_keys(place: Place, keys: KeyRing) -> Path:
    """The file from which the authorization server reads its private keys, the newest first."""
    members = [{"alg": key.alg, "kid": key.kid, "pem": key.pem().decode()} for key in keys.published]
    return place.write("oidc-provider", "keys.json", json.dumps(members))


def oidc_provider(place: Place, keys: KeyRing, clients: Sequence[Mapping[str, str]]) -> Process:
    """The authorization server, with clients of client_id, client_secret, audience and scope."""
    port = free_port()
    # As text rather than as a file, so that its imports are looked for where it runs.
    script = resources.files(__package__).joinpath("oidc.mjs").read_text("utf-8")
    environ = {
        "PORT": str(port),
        "TOKEN_TTL": str(_TOKEN_LIFETIME),
        "CLIENTS": json.dumps(clients),
        "KEYS": str(write_keys(place, keys)),
    }
    discovery = "/.well-known/openid-configuration"
    made = place.process("oidc-provider", "node", ["--input-type=module", "--eval", script], port, discovery, **environ)
    return replace(made, cwd=place.programs[OIDC_PROVIDER.name].parents[2])


def collectd(place: Place, statsd: int) -> Process:
    """StatsD in on a UDP port, Prometheus' format out."""
    port = free_port()
    plugins = next((folder for folder in _COLLECTD_PLUGINS if folder.is_dir()), _COLLECTD_PLUGINS[0])
    text = configuration.collectd(
        folder=place.folder("collectd"), plugins=plugins, types=_COLLECTD_TYPES, port=statsd, metrics=port
    )
    return place.process("collectd", "collectd", ["-f", "-C", place.write("collectd", "collectd.conf", text)], port, "/metrics")


def prometheus(place: Place, *, statsd: int, haproxy: int) -> Process:
    """Prometheus, which asks collectd and HAProxy on these ports."""
    port = free_port()
    where = place.write("prometheus", "prometheus.yml", configuration.prometheus(statsd=statsd, haproxy=haproxy))
    listen = f"--web.listen-address=127.0.0.1:{port}"
    arguments = [f"--config.file={where}", "--storage.tsdb.path=data", listen, "--log.level=warn"]
    return place.process("prometheus", "prometheus", arguments, port, "/-/ready")


def haproxy(place: Place, *, status: int, metrics: int, orders: Sequence[Process]) -> Process:
    """The load balancer in front of orders; it tells its state and its metrics on ports of their own."""
    port = free_port()
    instances = [(instance.name, instance.port) for instance in orders]
    text = configuration.haproxy(port=port, status=status, metrics=metrics, orders=instances)
    where = place.write("haproxy", "haproxy.cfg", text)
    return place.process("haproxy", "haproxy", ["-db", "-f", where], port, configuration.HAPROXY_READY)


def gateway(place: Place, name: Gateway, edge: Edge) -> Process:
    """NGINX or Envoy, as rendered from the edge."""
    port = int(edge.listen.rpartition(":")[2])
    if name == "envoy":
        where = place.write(name, "envoy.yaml", envoy(edge))
        arguments = ["-c", where, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
    else:
        where = place.write(name, "nginx.conf", nginx(edge))
        # Workers of a root's NGINX would be nobody, who cannot enter every folder that root can.
        rights = "user root; " if os.geteuid() == 0 else ""
        arguments = ["-p", f"{where.parent}/", "-c", where, "-e", "stderr", "-g", f"{rights}daemon off;"]
    return place.process(name, name, arguments, port, READY)
