"""Both example services under real servers, with an issuer: one call goes through everything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.servers.peer import ROOT, Peer, answers, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interservice.testing import Issuer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ORDER: Any = {"customer": "c-1", "sku": "A-1", "quantity": 3, "cents": 450}
INVOICES = {
    "gunicorn": "gunicorn --no-control-socket -b 127.0.0.1:{port} -k gthread --threads 4 wsgi:app",
    "granian": "granian --host 127.0.0.1 --port {port} --interface asgi asgi:app",
}
ORDERS = {
    "gunicorn": "gunicorn --no-control-socket -b 127.0.0.1:{port} -k gthread --threads 4 wsgi:app",
    "granian": "granian --host 127.0.0.1 --port {port} --interface wsgi --blocking-threads 4 wsgi:app",
}


@dataclass(frozen=True)
class Services:
    """Where orders is, who gives tokens, and the folder of both logs."""

    orders: str
    issuer: Issuer
    folder: Path

    def lines(self, service: str, request_id: str) -> list[dict[str, Any]]:
        """A service's log lines of a request."""
        whole = (self.folder / f"{service}.log").read_text("utf-8").rpartition("\n")[0]
        return [line for line in map(json.loads, whole.splitlines()) if line.get("request_id") == request_id]


@pytest.fixture(params=["gunicorn", "granian"])
def services(request: pytest.FixtureRequest, interservice_issuer: Issuer, tmp_path: Path) -> Iterator[Services]:
    with ExitStack() as stack:
        issuer = stack.enter_context(interservice_issuer.serve())
        invoices, orders = free_port(), free_port()
        env = {"ISSUER": issuer, "PYTHONPATH": str(ROOT), "INVOICES_DB": str(tmp_path / "invoices.sqlite3")}
        env["ACCESS_LOG"] = str(tmp_path / "invoices.log")
        django = ROOT / "examples" / "django_app"
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=django, env={**os.environ, **env}, check=True)
        command = INVOICES[request.param].format(port=invoices).split()
        stack.enter_context(Peer([sys.executable, "-m", *command], lambda: answers(invoices), cwd=django, env=env))
        env |= {"ACCESS_LOG": str(tmp_path / "orders.log"), "ORDERS_DB": str(tmp_path / "orders.sqlite3")}
        env |= {"INVOICES_ENDPOINTS": f"http://127.0.0.1:{invoices}", "CLIENT_ID": "svc-orders", "CLIENT_SECRET": "secret"}
        command = ORDERS[request.param].format(port=orders).split()
        flask = ROOT / "examples" / "flask_app"
        stack.enter_context(Peer([sys.executable, "-m", *command], lambda: answers(orders), cwd=flask, env=env))
        yield Services(f"http://127.0.0.1:{orders}", interservice_issuer, tmp_path)


def test_order_reaches_the_invoices_service_as_one_trace(services: Services) -> None:
    token = services.issuer.mint(sub="svc-shop", aud="orders", scope="orders:read orders:write")
    headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "r-1"}
    made = requests.post(f"{services.orders}/orders", json=ORDER, headers=headers, timeout=10)
    assert made.status_code == 201, made.text
    shown = requests.get(f"{services.orders}/v1/orders/{made.json()['id']}/invoice", headers=headers, timeout=10)
    assert shown.json()["total"] == {"amount": "13.50", "currency": "EUR"}

    assert eventually(lambda: len(services.lines("invoices", "r-1")) == 2)
    seen = services.lines("invoices", "r-1")
    assert {line["trace_id"] for line in seen} == {TRACE}
    assert {line["http.request.method"] for line in seen} == {"GET", "POST"}


def test_caller_without_token_reaches_neither_service(services: Services) -> None:
    refused = requests.get(f"{services.orders}/orders", headers={"X-Request-ID": "r-2"}, timeout=10)
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert eventually(lambda: len(services.lines("orders", "r-2")) == 1)
    assert services.lines("invoices", "r-2") == []
