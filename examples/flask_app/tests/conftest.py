"""The service on an issuer and an invoices service that are really there, on loopback."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from interservice import AccessLog
from orders.service import make_app
from orders.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask
    from flask.testing import FlaskClient

    from interservice.testing import Issuer


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


@dataclass
class InvoicesDouble:
    """An invoices service that keeps invoices in memory, notes what it was asked, and is down when it is told to be."""

    url: str = ""
    down: bool = False
    asked: list[Request] = field(default_factory=list)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data()
        self.asked.append(request)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.down:
            return Response("down", 503)
        if request.method == "POST":
            order = request.get_json()["order"]
            self.invoices.setdefault(f"inv-{order}", {"id": f"inv-{order}", **request.get_json()})
            return _json(self.invoices[f"inv-{order}"], 201)
        found = self.invoices.get(request.path.rpartition("/")[2])
        return _json(found or {}, 200 if found else 404)


@pytest.fixture
def invoices() -> Iterator[InvoicesDouble]:
    double = InvoicesDouble()
    server = make_server("127.0.0.1", 0, double, threaded=True, request_handler=_Quiet)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield double
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def issuer(interservice_issuer: Issuer) -> Iterator[Issuer]:
    with interservice_issuer.serve():
        yield interservice_issuer


@pytest.fixture
def settings(issuer: Issuer, invoices: InvoicesDouble, tmp_path: Path) -> Settings:
    environ = {
        "ISSUER": issuer.url,
        "INVOICES_ENDPOINTS": invoices.url,
        "CLIENT_ID": "svc-orders",
        "CLIENT_SECRET": "secret",
        "ORDERS_DB": str(tmp_path / "orders.sqlite3"),
        "DRAIN_FILE": str(tmp_path / "drain"),
    }
    return Settings.read(environ)


@pytest.fixture
def log() -> io.StringIO:
    """What the access log has written."""
    return io.StringIO()


@pytest.fixture
def app(settings: Settings, log: io.StringIO) -> Flask:
    return make_app(settings, [AccessLog(stream=log)])


@pytest.fixture
def client(app: Flask, issuer: Issuer) -> FlaskClient:
    """A caller that may read and write orders."""
    caller = app.test_client()
    token = issuer.mint(sub="svc-shop", aud="orders", scope="orders:read orders:write")
    caller.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return caller


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
