"""Every kind of edge passes the check that each server has for its configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from interservice import Gate, JWTAuth, PathVersion, Rule, Tracing, Versions
from interservice.gateway import Edge, Service
from interservice.gateway.render import caddy, envoy, haproxy, haproxy_keys, nginx
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from tests.servers.edges import nginx_program
from tests.servers.peer import envoy as envoy_program
from tests.servers.peer import program

if TYPE_CHECKING:
    from collections.abc import Sequence

ISSUER = Issuer("https://issuer.test", algorithms=["RS256", "ES256"])
OPEN = Gate([])
TOKENS = JWTAuth(
    Verifier("https://issuer.test", "edge", keys=StaticKeys(ISSUER.jwks)),
    rules=[
        Rule("GET", "/files/{id}/a b'c/**", scopes=["a:b", "c.d|e"], clients=["it's"]),
        Rule("*", "/**", any_scopes=["x", "(y)"], acr=["1"], issuers=["https://issuer.test"]),
    ],
    realm="the edge's",
)
HOSTS = {"plain": "http://localhost:8000", "six": "http://[::1]:8000", "tls": "https://localhost:8443"}
VERSIONED = Versions(
    ["1", "2.1-beta", "2026-01-31"], default="1", path="strip", readers=[PathVersion("/api/{tenant}/v{version}")]
)
SEVERAL = [
    Service(name="every-thing", prefix="/", endpoints=[HOSTS["plain"], HOSTS["six"]], retries=0, health=None, cache=True),
    Service(name="files_2", prefix="/files/", endpoints=[HOSTS["tls"]], timeout=0.2, connect_timeout=5.0, retries=3),
    Service(
        name="orders",
        prefix="/orders",
        endpoints=[HOSTS["six"]],
        versions={"2.1-beta": [HOSTS["plain"]], "2026-01-31": [HOSTS["six"]]},
    ),
]
MINIMAL = [Service(name="a", prefix="/a", endpoints=[HOSTS["plain"]])]
FORWARD: dict[str, Any] = {"forward_auth": "http://localhost:9000/gate", "auth_timeout": 0.5}
FORWARD_TLS: dict[str, Any] = {
    "forward_auth": "https://localhost:9443",
    "forward_token": False,
    "max_body": 10,
    "listen": "[::1]:8080",
}
EDGES: dict[str, tuple[Sequence[str], Edge]] = {
    "minimal": (("nginx", "envoy", "haproxy", "caddy"), Edge(gate=OPEN, services=MINIMAL)),
    "several": (("nginx", "envoy", "haproxy", "caddy"), Edge(gate=Gate([VERSIONED]), services=SEVERAL, listen="0.0.0.0:8080")),
    "native": (("envoy", "haproxy"), Edge(gate=Gate([Tracing(), VERSIONED, TOKENS]), services=SEVERAL)),
    "native-bare": (("envoy", "haproxy"), Edge(gate=Gate([JWTAuth(TOKENS.verifier)]), services=MINIMAL, forward_token=False)),
    "asked": (("nginx", "envoy", "caddy"), Edge(gate=Gate([VERSIONED, TOKENS]), services=SEVERAL, **FORWARD)),
    "asked-tls": (("nginx", "envoy", "caddy"), Edge(gate=Gate([TOKENS]), services=MINIMAL, **FORWARD_TLS)),
}


def check(server: str, edge: Edge, folder: Path) -> list[str]:
    """Write the configuration, and give the command that checks it."""
    if server == "nginx":
        (folder / "nginx.conf").write_text(nginx(edge).replace(edge.access_log, str(folder / "access.log")))
        return [nginx_program(), "-t", "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    if server == "envoy":
        (folder / "envoy.json").write_text(envoy(edge, admin="127.0.0.1:0"))
        return [envoy_program(), "--mode", "validate", "-c", "envoy.json", "-l", "error"]
    if server == "haproxy":
        (folder / "haproxy.cfg").write_text(haproxy(edge))
        for name, key in haproxy_keys(edge).items() if any(isinstance(each, JWTAuth) for each in edge.gate.policies) else ():
            (folder / name).write_bytes(key)
        return [program("haproxy", Path("/usr/sbin/haproxy"), how="apt-get install haproxy"), "-c", "-f", "haproxy.cfg"]
    (folder / "Caddyfile").write_text(caddy(edge))
    return [
        program("caddy", how="apt-get install caddy"),
        "adapt",
        "--validate",
        "--config",
        "Caddyfile",
        "--adapter",
        "caddyfile",
    ]


CASES = [(server, name) for name, (servers, _) in EDGES.items() for server in servers]


@pytest.mark.parametrize(("server", "name"), CASES)
def test_server_finds_its_configuration_good(server: str, name: str, tmp_path: Path) -> None:
    done = subprocess.run(check(server, EDGES[name][1], tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "[WARNING]" not in said, said
    assert "[warn]" not in said, said


def test_the_same_edge_is_rendered_the_same_each_time() -> None:
    def rendered(render: Any, name: str) -> str:
        return str(render(EDGES[name][1]))

    for render, name in ((nginx, "asked"), (envoy, "native"), (haproxy, "native"), (caddy, "asked")):
        assert rendered(render, name) == rendered(render, name)
