"""Envoy ends TLS and names the client's certificate: what it writes in x-forwarded-client-cert is read as it is meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice import ClientCertificate, Gate, JWTAuth
from interservice.issuer import Server
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware
from tests.inbound.certs import certificate
from tests.servers.peer import Peer, accepts, envoy, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER, MINE, THEIRS = (certificate(name) for name in ("server", "mine", "theirs"))
ISSUER = Issuer("https://auth.test", algorithms=["ES256"], expires_in=86_400)
TOKEN = ISSUER.mint(sub="svc-a", aud="orders", cnf={"x5t#S256": MINE.thumbprint})
_TYPES = "type.googleapis.com/envoy.extensions"
_HTTP = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TLS = f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def configuration(folder: Path, port: int, app: int, details: str) -> dict[str, Any]:
    """One listener with TLS that asks for a certificate and takes any, as tokens alone say which one is wanted."""
    pem = {"filename": str(folder / "server.pem")}
    tls = {
        "@type": _TLS,
        "common_tls_context": {
            "tls_certificates": [{"certificate_chain": pem, "private_key": pem}],
            "validation_context": {"trusted_ca": pem, "trust_chain_verification": "ACCEPT_UNTRUSTED"},
        },
    }
    manager = {
        "@type": _HTTP,
        "stat_prefix": "edge",
        "forward_client_cert_details": details,
        "set_current_client_cert_details": {"cert": True, "subject": True, "uri": True, "dns": True},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}}],
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}
            ]
        },
    }
    chain = {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }
    endpoint = {"endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(app)}}]}], "cluster_name": "app"}
    return {
        "static_resources": {
            "listeners": [{"name": "edge", "address": address(port), "filter_chains": [chain]}],
            "clusters": [{"name": "app", "connect_timeout": "1s", "load_assignment": endpoint}],
        }
    }


def app(environ: Any, start_response: Any) -> Any:
    """Gives back what Envoy wrote, so that a test can send it on."""
    start_response("200 OK", [("X-Seen", environ.get("HTTP_X_FORWARDED_CLIENT_CERT", "").replace('"', "'"))])
    return [b"in"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("envoy-tls")
    for name, one in (("server", SERVER), ("mine", MINE), ("theirs", THEIRS)):
        (folder / f"{name}.pem").write_bytes(one.pem.encode() + one.key)
    return folder


@pytest.fixture
def through(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    source, details, trusted = request.param
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    gate = Gate([ClientCertificate(sources=[source], trusted=[trusted]), JWTAuth(verifier)])
    binary, port = envoy(), free_port()
    with Server(lambda _url: Middleware(app, gate)) as server:
        conf = folder / "envoy.json"
        conf.write_text(json.dumps(configuration(folder, port, server.port, details)))
        command: list[str | Path] = [binary, "-c", conf, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
        with Peer(command, lambda: accepts(port), cwd=folder):
            yield f"https://127.0.0.1:{port}/"


def ask(url: str, folder: Path, shows: str | None, **headers: str) -> requests.Response:
    cert = None if shows is None else str(folder / f"{shows}.pem")
    sent = {"Authorization": f"Bearer {TOKEN}", **headers}
    return requests.get(url, headers=sent, cert=cert, verify=str(folder / "server.pem"), timeout=10)


def forged() -> dict[str, str]:
    return {"X-Forwarded-Client-Cert": f'Hash={MINE.hash};Cert="{MINE.escaped}"'}


SET = ("xfcc", "SANITIZE_SET", "127.0.0.0/8")
APPEND = ("xfcc-last", "APPEND_FORWARD", "127.0.0.0/8")
STRANGER = ("xfcc", "SANITIZE_SET", "10.0.0.0/8")


@pytest.mark.parametrize("through", [SET, APPEND], ids=["sanitize-set", "append-forward"], indirect=True)
def test_bound_token_is_good_with_its_certificate_alone(through: str, folder: Path) -> None:
    good = ask(through, folder, "mine")
    assert good.status_code == 200
    assert f"Hash={MINE.hash}" in good.headers["X-Seen"]
    assert ask(through, folder, "theirs").status_code == 401
    assert ask(through, folder, None).status_code == 401


@pytest.mark.parametrize("through", [SET, APPEND], ids=["sanitize-set", "append-forward"], indirect=True)
def test_what_the_client_writes_itself_is_not_believed(through: str, folder: Path) -> None:
    assert ask(through, folder, "theirs", **forged()).status_code == 401
    underscore = {name.replace("-", "_"): value for name, value in forged().items()}
    assert ask(through, folder, "theirs", **underscore).status_code == 401


@pytest.mark.parametrize("through", [SET, APPEND], ids=["sanitize-set", "append-forward"], indirect=True)
def test_without_a_certificate_what_the_client_writes_is_taken_away(through: str, folder: Path) -> None:
    assert ask(through, folder, None, **forged()).status_code == 401


@pytest.mark.parametrize("through", [STRANGER], ids=["sanitize-set"], indirect=True)
def test_envoy_that_is_not_trusted_is_not_believed(through: str, folder: Path) -> None:
    assert ask(through, folder, "mine").status_code == 401
