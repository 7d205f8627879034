"""Bound tokens over real TLS: the certificate of the handshake is the one that counts."""

from __future__ import annotations

import ssl
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests
from werkzeug.serving import make_server

from interservice import ClientCertificate, Gate, JWTAuth
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware
from interservice.wsgi.request import peer_certificate
from tests.inbound.certs import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER, MINE, THEIRS = (certificate(name) for name in ("server", "mine", "theirs"))
ISSUER = Issuer("https://auth.test", algorithms=["ES256"], expires_in=86_400)
TOKEN = ISSUER.mint(sub="svc-a", aud="orders", cnf={"x5t#S256": MINE.thumbprint})


def app(_environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"in"]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    for name, one in (("server", SERVER), ("mine", MINE), ("theirs", THEIRS)):
        (folder / f"{name}.pem").write_bytes(one.pem.encode() + one.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=MINE.pem + THEIRS.pem)
    verifier = Verifier("https://auth.test", "orders", keys=StaticKeys(ISSUER.jwks))
    gate = Gate([ClientCertificate(), JWTAuth(verifier)])
    server = make_server("127.0.0.1", 0, Middleware(app, gate), ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("shows", "status"), [("mine", 200), ("theirs", 401), (None, 401)])
def test_token_is_good_with_the_certificate_of_the_handshake_alone(tmp_path: Path, shows: str | None, status: int) -> None:
    with served(tmp_path) as url:
        answer = requests.get(
            url,
            headers={
                "Authorization": f"Bearer {TOKEN}",
                "Client-Cert": MINE.field,
                "SSL-Client-Cert": MINE.pem.replace("\n", ""),
            },
            cert=None if shows is None else str(tmp_path / f"{shows}.pem"),
            verify=str(tmp_path / "server.pem"),
            timeout=10,
        )
    assert answer.status_code == status


class Socket:
    """What gunicorn passes along."""

    def __init__(self, shown: bytes | Exception | None) -> None:
        self.shown = shown

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        assert binary_form
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"SSL_CLIENT_CERT": MINE.pem}, MINE.pem),
        ({"HTTPS_CC": MINE.der.decode("latin-1")}, MINE.der),
        ({"gunicorn.socket": Socket(MINE.der)}, MINE.der),
        ({"gunicorn.socket": Socket(None)}, None),
        ({"gunicorn.socket": Socket(OSError())}, None),
        ({"gunicorn.socket": Socket(ValueError())}, None),
        ({"gunicorn.socket": object()}, None),
        ({"HTTP_SSL_CLIENT_CERT": MINE.pem}, None),
    ],
    ids=range(9),
)
def test_environ_gives_what_the_server_saw(environ: dict[str, Any], found: Any) -> None:
    assert peer_certificate(environ) == found


@pytest.mark.parametrize(
    ("tls", "found"),
    [({}, None), ({"client_cert_chain": []}, None), ({"client_cert_chain": [MINE.pem, SERVER.pem]}, MINE.thumbprint)],
    ids=range(3),
)
def test_scope_gives_the_first_of_the_chain(tls: Any, found: Any) -> None:
    from interservice.asgi.request import ScopeRequest

    scope = {"type": "http", "method": "GET", "path": "/", "extensions": {"tls": tls}}
    exchange = Gate([ClientCertificate()]).open(ScopeRequest(scope))
    ClientCertificate().admit(exchange)
    assert exchange.certificate == found


GUNICORN_APP = """
from interservice import ClientCertificate, Gate, current
from interservice.wsgi import Middleware

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(current().certificate).encode()]

wsgi = Middleware(app, Gate([ClientCertificate()]))
"""


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_real_gunicorn_tells_the_certificate(tmp_path: Path, worker: str) -> None:
    pytest.importorskip("gunicorn")
    from tests.servers.peer import ROOT, Peer, accepts, free_port

    (tmp_path / "tls_app.py").write_text(GUNICORN_APP)
    for name, one in (("server", SERVER), ("mine", MINE)):
        (tmp_path / f"{name}.pem").write_bytes(one.pem.encode() + one.key)
    port, server = free_port(), str(tmp_path / "server.pem")
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-k", worker, "--no-control-socket"]
    tls = ["--certfile", server, "--keyfile", server, "--ca-certs", str(tmp_path / "mine.pem"), "--cert-reqs", "1"]
    with Peer([*command, *tls, "tls_app:wsgi"], lambda: accepts(port), cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}):
        bodies = [
            requests.get(f"https://127.0.0.1:{port}/", cert=cert, verify=server, timeout=20).text
            for cert in (str(tmp_path / "mine.pem"), None)
        ]
    assert bodies == [MINE.thumbprint, "None"]
