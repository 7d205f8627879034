"""Identities spoofed on the way into real servers, which join, replace, drop or keep fields apart that are spelt alike."""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import sys
from typing import TYPE_CHECKING, Any

import pytest

from interservice import Gate
from interservice.gateway import Signer
from interservice.http import Request
from interservice.tokens import Principal
from tests.inbound.requests import Fields
from tests.servers.peer import ROOT, Peer, answers, free_port
from tests.servers.running import COMMANDS, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE = "tests.servers.identity_apps"
SECRET = secrets.token_bytes(32)
SIGNER, STRANGER = Signer(secret=SECRET), Signer(secret=secrets.token_bytes(32))
#: Each with a way of its own; the others of COMMANDS share one with these.
SERVERS = (
    "daphne",
    "granian-asgi",
    "granian-wsgi",
    "gunicorn-gthread",
    "hypercorn",
    "hypercorn-wsgi",
    "uvicorn",
    "uwsgi",
    "waitress",
)


class Service:
    """A service on a port, asked with fields exactly as given."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, path: str, *fields: tuple[str, str], method: str = "GET") -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.putrequest(method, path)
            for name, value in fields:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, json.loads(body) if body[:1] == b"{" else body
        finally:
            connection.close()


@pytest.fixture(scope="module", params=SERVERS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    if name in COMMANDS:
        with running(name, folder, MODULE, GATEWAY_SECRET=SECRET.hex()) as started:
            yield Service(started.port)
        return
    yield from _hypercorn_wsgi(folder)


def _hypercorn_wsgi(folder: Path) -> Iterator[Service]:
    """Hypercorn's WSGI is another server than its ASGI in how it reads fields."""
    pytest.importorskip("hypercorn", reason="hypercorn is not here: pip install hypercorn")
    port = free_port()
    command = [sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{port}", "-w", "1", f"wsgi:{MODULE}:wsgi"]
    env = {"GATEWAY_SECRET": SECRET.hex(), "PYTHONPATH": str(ROOT)}
    with Peer(command, lambda: answers(port), cwd=folder, env=env):
        yield Service(port)


def signed(who: str | None, path: str = "/orders/7", signer: Signer = SIGNER) -> str:
    exchange = Gate([]).open(Request("GET", path, Fields()))
    if who is not None:
        exchange.principal = Principal(who, "https://auth.test", who, frozenset(), frozenset(), {}, float("inf"), None)
    return signer.sign(exchange)


def test_gateways_word_is_believed(service: Service) -> None:
    status, _, body = service.ask("/orders/7", ("X-Auth-Identity", signed("anna")))
    assert (status, body) == (200, {"subject": "anna"})
    status, _, body = service.ask("/orders/7", ("X-Auth-Identity", signed(None)))
    assert (status, body) == (200, {"subject": None})
    status, _, body = service.ask("/a%20b/%C3%A9/%2B?x=%20&y", ("X-Auth-Identity", signed_for_odd_path()))
    assert (status, body) == (200, {"subject": "anna"})


def test_refusal_without_a_body_still_has_its_head(service: Service) -> None:
    status, headers, body = service.ask("/orders/7", method="HEAD")
    assert (status, body) == (401, b"")
    assert headers["www-authenticate"].startswith("Gateway ")


def signed_for_odd_path() -> str:
    exchange = Gate([]).open(Request("GET", "/a b/é/+", Fields(), query="x=%20&y"))
    exchange.principal = Principal("anna", "https://auth.test", None, frozenset(), frozenset(), {}, float("inf"), None)
    return SIGNER.sign(exchange)


def test_what_the_gateway_did_not_say_is_refused(service: Service) -> None:
    good, forged, other = signed("anna"), signed("eve", signer=STRANGER), signed("eve", path="/orders/8")
    for fields in (
        [],
        [("X-Auth-Subject", "eve"), ("X_Auth_Subject", "eve")],
        [("X-Auth-Identity", "eve")],
        [("X-Auth-Identity", forged)],
        [("X-Auth-Identity", other)],
        [("X_Auth_Identity", forged)],
        [("X_Auth_Identity", other)],
        [("X-Auth-Identity", good), ("X-Auth-Identity", forged)],
        [("X-Auth-Identity", forged), ("X-Auth-Identity", good)],
        [("X-Auth-Identity", other), ("X-Auth-Identity", good)],
        [("X-Auth-Identity", good), ("X-Auth-Identity", good)],
    ):
        status, _, body = service.ask("/orders/7", *fields)
        assert status == 401, fields
        assert body["code"] in {"no_gateway_identity", "invalid_gateway_identity"}, fields


def test_spoof_beside_the_gateways_word_is_never_believed(service: Service) -> None:
    good = "X-Auth-Identity", signed("anna")
    spoofs = [signed("eve", signer=STRANGER), signed("eve", "/orders/8"), "eve", ""]
    for bad in itertools.product(["X_Auth_Identity", "X-Auth_Identity", "x_auth_identity"], spoofs):
        for fields in ((good, bad), (bad, good)):
            status, _, body = service.ask("/orders/7", *fields)
            # Where the server drops the spoof the gateway is believed; where it does not, nobody is.
            assert status in {200, 401}, fields
            assert status == 401 or body == {"subject": "anna"}, fields


def test_spoofed_original_opens_nothing(service: Service) -> None:
    told = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/closed/1")]
    for name in ("X_Forwarded_Uri", "X-Forwarded_Uri", "X-Forwarded-Uri"):
        spoof = name, "/open/1"
        for fields in ([spoof, *told], [*told, spoof]):
            status, headers, _ = service.ask("/auth/caddy", *fields)
            # A server that takes the one for the other has the endpoint decide about the one: the identity is for that alone.
            assert status in {200, 400, 401, 403}, fields
            if status == 200:
                assert service.ask("/closed/1", ("X-Auth-Identity", headers["x-auth-identity"]))[0] == 401, fields
            # With the original in the URL too, the endpoint is not deceived in the first place.
            assert service.ask("/auth/caddy/GET/closed/1", *fields)[0] in {400, 401, 403}, fields


def test_endpoint_and_service_agree_on_every_server(service: Service) -> None:
    for target in ("/open/7?x=1", "/open/%C3%A9?y=%20", "/open/a%20b"):
        for path, fields in {
            "/auth/nginx": [("X-Original-Method", "GET"), ("X-Original-URI", target)],
            f"/auth/envoy{target}": [],
            "/auth/traefik": [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", target)],
        }.items():
            status, headers, _ = service.ask(path, *fields)
            assert status == 200
            assert service.ask(target, ("X-Auth-Identity", headers["x-auth-identity"]))[0] == 200
