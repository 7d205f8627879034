"""NGINX ends TLS and names the client's certificate: tokens bound to it are good through NGINX, and from nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from interservice import ClientCertificate, Gate, JWTAuth
from interservice.issuer import Server
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware
from tests.inbound.certs import certificate
from tests.servers.peer import TOOLS, Peer, accepts, free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

CONF = """
daemon off;
@USER@
pid nginx.pid;
events { }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {
        listen 127.0.0.1:@PORT@ ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        ssl_verify_client optional_no_ca;
        location / {
            proxy_pass http://127.0.0.1:@APP@;
            proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        }
    }
}
"""
SERVER, MINE, THEIRS = (certificate(name) for name in ("server", "mine", "theirs"))
ISSUER = Issuer("https://auth.test", algorithms=["ES256"], expires_in=86_400)
TOKEN = ISSUER.mint(sub="svc-a", aud="orders", cnf={"x5t#S256": MINE.thumbprint})


def app(_environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"in"]


def gate(*trusted: str) -> Gate:
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    return Gate([ClientCertificate(sources=["escaped"], trusted=trusted), JWTAuth(verifier)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nginx-tls")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    for name, one in (("server", SERVER), ("mine", MINE), ("theirs", THEIRS)):
        (folder / f"{name}.pem").write_bytes(one.pem.encode() + one.key)
    return folder


@pytest.fixture
def through(folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    nginx = program("nginx", Path("/usr/sbin/nginx"), TOOLS / "nginx/usr/sbin/nginx", how="apt-get install nginx-light")
    port = free_port()
    with Server(lambda _url: Middleware(app, gate(request.param))) as server:
        user = "user root;" if os.geteuid() == 0 else ""
        conf = CONF.replace("@APP@", str(server.port)).replace("@PORT@", str(port)).replace("@USER@", user)
        (folder / "nginx.conf").write_text(conf)
        with Peer([nginx, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"], lambda: accepts(port), cwd=folder):
            yield f"https://127.0.0.1:{port}/"


def ask(url: str, folder: Path, shows: str | None, **headers: str) -> int:
    cert = None if shows is None else str(folder / f"{shows}.pem")
    sent = {"Authorization": f"Bearer {TOKEN}", **headers}
    return requests.get(url, headers=sent, cert=cert, verify=str(folder / "server.pem"), timeout=10).status_code


@pytest.mark.parametrize("through", ["127.0.0.0/8"], indirect=True)
def test_bound_token_is_good_with_its_certificate_alone(through: str, folder: Path) -> None:
    assert ask(through, folder, "mine") == 200
    assert ask(through, folder, "theirs") == 401
    assert ask(through, folder, None) == 401


@pytest.mark.parametrize("through", ["127.0.0.0/8"], indirect=True)
def test_header_of_the_client_is_replaced_or_dropped(through: str, folder: Path) -> None:
    for name in ("X-SSL-Client-Cert", "X_SSL_Client_Cert"):
        assert ask(through, folder, "theirs", **{name: MINE.escaped}) == 401
        assert ask(through, folder, None, **{name: MINE.escaped}) == 401


@pytest.mark.parametrize("through", ["10.0.0.0/8"], indirect=True)
def test_proxy_that_is_not_trusted_is_not_believed(through: str, folder: Path) -> None:
    assert ask(through, folder, "mine") == 401
