"""What the orders service does for its callers, through the gate and over the adapter."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from werkzeug.test import Client
from werkzeug.wrappers import Response

from interservice.testing import FakeClock
from orders.faults import Faults, Stall

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

    from interservice.testing import Issuer
    from orders.settings import Settings

    from .conftest import InvoicesDouble

ORDER = {"customer": "c-1", "sku": "A-1", "quantity": 3, "cents": 450}
NONSENSE: list[Any] = [
    {},
    [],
    {**ORDER, "quantity": 0},
    {**ORDER, "quantity": "3"},
    {**ORDER, "cents": 10**30},
    {**ORDER, "sku": ""},
]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def pauses(count: int) -> Iterator[None]:
    """Moments to look again: a drain file is not looked for at every request."""
    for _ in range(count):
        yield
        threading.Event().wait(0.02)


def placed(client: FlaskClient) -> dict[str, Any]:
    """An order that was taken."""
    answer = client.post("/orders", json=ORDER)
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = json.loads(answer.data)
    return order


def test_order_is_taken_shown_and_listed(client: FlaskClient) -> None:
    order = placed(client)
    assert order["total"] == {"amount": "13.50", "currency": "EUR"}
    assert client.get(f"/orders/{order['id']}").json == order
    assert client.get("/orders").json == {"orders": [order]}


def test_order_has_the_invoice_that_the_other_service_made(client: FlaskClient, invoices: InvoicesDouble) -> None:
    order = placed(client)
    answer = client.get(f"/orders/{order['id']}/invoice")
    assert answer.json == {"id": order["invoice"], "order": order["id"], "customer": "c-1", "cents": 1350}
    assert [request.method for request in invoices.asked] == ["POST", "GET"]


def test_call_carries_trace_request_id_time_and_a_token_of_its_own(client: FlaskClient, invoices: InvoicesDouble) -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "r-1", "X-Request-Timeout-Ms": "2000"}
    assert client.post("/orders", json=ORDER, headers=headers).status_code == 201
    (request,) = invoices.asked
    assert request.headers["traceparent"].split("-")[1] == TRACE
    assert request.headers["X-Request-ID"] == "r-1"
    assert 0 < float(request.headers["X-Request-Timeout-Ms"]) <= 2000
    assert request.headers["Authorization"].startswith("Bearer ")
    assert request.headers["Authorization"] != client.environ_base["HTTP_AUTHORIZATION"]


def test_version_1_is_flat_and_says_that_it_is_deprecated(client: FlaskClient) -> None:
    order = placed(client)
    old = client.get(f"/v1/orders/{order['id']}")
    assert old.json == {"id": order["id"], "customer": "c-1", "item": "A-1", "count": 3, "amount": 13.5}
    assert "Deprecation" in old.headers
    new = client.get(f"/orders/{order['id']}", headers={"API-Version": "2"})
    assert new.json == order
    assert "Deprecation" not in new.headers


def test_caller_without_token_is_refused(app: Flask) -> None:
    answer = app.test_client().get("/orders")
    assert answer.status_code == 401
    assert answer.json is None or answer.json["code"] == "unauthenticated"


def test_caller_without_the_scope_is_refused(app: Flask, issuer: Issuer) -> None:
    token = issuer.mint(sub="svc-shop", aud="orders", scope="orders:read")
    answer = app.test_client().post("/orders", json=ORDER, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_health_is_for_everybody_and_an_instance_that_drains_is_not_ready(app: Flask, settings: Settings) -> None:
    client = app.test_client()
    assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 200)
    assert settings.drain_file is not None
    settings.drain_file.touch()
    looks = (client.get("/readyz").status_code for _ in pauses(100))
    assert 503 in looks
    assert client.get("/healthz").status_code == 200


def test_nonsense_is_refused_with_422(client: FlaskClient) -> None:
    for body in NONSENSE:
        assert client.post("/orders", json=body).status_code == 422, body


def test_unknown_order_is_a_problem_document_with_the_request_id(client: FlaskClient) -> None:
    answer = client.get("/orders/none", headers={"X-Request-ID": "r-2"})
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.data)["instance"] == "urn:request:r-2"


def test_no_order_without_invoice_while_the_other_service_is_down(client: FlaskClient, invoices: InvoicesDouble) -> None:
    invoices.down = True
    answer = client.post("/orders", json=ORDER)
    assert answer.status_code == 503
    assert json.loads(answer.data)["code"] == "invoices_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.get("/orders").json == {"orders": []}


def test_each_request_and_each_call_is_one_line_of_the_log(client: FlaskClient, log: io.StringIO) -> None:
    assert client.post("/orders", json=ORDER, headers={"X-Request-ID": "r-3"}, buffered=True).status_code == 201
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["request_id"], line["http.response.status_code"]) for line in lines] == [("r-3", 201), ("r-3", 201)]


def test_fault_file_makes_the_service_slow_or_failing(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "faults.json"
    client = Client(Faults(Response("fine"), path, clock=clock))
    assert (client.get("/").text, clock.slept) == ("fine", [0.0])
    path.write_text('{"delay": 0.8, "status": 503}')
    assert client.get("/").status_code == 503
    assert clock.slept[-1] == 0.8


def test_fault_file_makes_the_whole_process_stall(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "faults.json"
    client = Client(Stall(Response("fine"), path, clock=clock))
    path.write_text('{"stall": 1.5}')
    assert (client.get("/readyz").text, clock.slept) == ("fine", [1.5])
