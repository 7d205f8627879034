"""The application as it was before interservice: Flask, JSON, one blueprint. `wsgi.py` puts the gate in front of it.

Only two lines of it know of interservice: the answer's shape follows the API version that the gate negotiated, and a call
to the invoices service that failed is answered as any refusal is.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import requests
from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from interservice import current
from interservice.errors import CallError, Rejection
from interservice.http import problem

from .store import Order, Orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue

    from .invoices import Invoices

orders = Blueprint("orders", __name__)
_PAGE = 50
_MOST = 1000
_DEAREST = 100_000_000


def create_app(store: Orders, invoices: Invoices) -> Flask:
    """The Flask application over a store and a client of the invoices service."""
    app = Flask(__name__)
    app.config.update(STORE=store, INVOICES=invoices)
    app.register_blueprint(orders)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(requests.RequestException, _invoices_failed)
    return app


@orders.get("/orders")
def index() -> ResponseReturnValue:
    """List the newest orders."""
    return {"orders": [_shape(order) for order in _store().newest(_PAGE)]}


@orders.post("/orders")
def create() -> ResponseReturnValue:
    """Take an order and have it invoiced; no order stays without an invoice."""
    order = _parsed(request.get_json())
    invoice = _invoices().create(order)
    order = Order(**{**vars(order), "invoice": invoice["id"]})
    _store().add(order)
    return _shape(order), 201, {"Location": f"/orders/{order.id}"}


@orders.get("/orders/<order_id>")
def show(order_id: str) -> ResponseReturnValue:
    """Show one order."""
    return _shape(_found(order_id))


@orders.get("/orders/<order_id>/invoice")
def invoice(order_id: str) -> ResponseReturnValue:
    """Show an order's invoice, as the invoices service has it."""
    order = _found(order_id)
    found = _invoices().find(order.invoice) if order.invoice else None
    if found is None:
        abort(404, "The order has no invoice.")
    return jsonify(found)


def _store() -> Orders:
    store: Orders = current_app.config["STORE"]
    return store


def _invoices() -> Invoices:
    invoices: Invoices = current_app.config["INVOICES"]
    return invoices


def _found(order_id: str) -> Order:
    order = _store().find(order_id)
    if order is None:
        abort(404, "There is no such order.")
    return order


def _parsed(body: Any) -> Order:
    """The order that a body asks for; 422 where it makes no sense."""
    match body:
        case {"customer": str(customer), "sku": str(sku), "quantity": int(quantity), "cents": int(cents)} if (
            customer and sku and 0 < quantity <= _MOST and 0 <= cents <= _DEAREST
        ):
            return Order(id=uuid.uuid4().hex, customer=customer, sku=sku, quantity=quantity, cents=cents)
    return abort(422, f"An order has a customer, a sku, a quantity of 1 to {_MOST} and a price in cents.")


def _shape(order: Order) -> Mapping[str, Any]:
    """An order as a version of the API shows it: version 1 is flat, version 2 has lines and money with a currency."""
    exchange = current()
    if exchange is not None and str(exchange.version) == "1":
        return {
            "id": order.id,
            "customer": order.customer,
            "item": order.sku,
            "count": order.quantity,
            "amount": order.total / 100,
        }
    return {
        "id": order.id,
        "customer": order.customer,
        "lines": [{"sku": order.sku, "quantity": order.quantity, "price": _money(order.cents)}],
        "total": _money(order.total),
        "invoice": order.invoice,
    }


def _money(cents: int) -> Mapping[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02}", "currency": "EUR"}


def _http_error(error: HTTPException) -> ResponseReturnValue:
    return _problem(Rejection(error.description, status=error.code, code=error.name.lower().replace(" ", "_")))


def _invoices_failed(error: requests.RequestException) -> ResponseReturnValue:
    """503, for a retry may help: the circuit is open, no endpoint answered in time, or the answer was an error."""
    detail = "The invoices service cannot answer now."
    retry_after = error.retry_after if isinstance(error, CallError) else None
    return _problem(Rejection(detail, status=503, code="invoices_unavailable", retry_after=retry_after or 1.0))


def _problem(rejection: Rejection) -> Response:
    exchange = current()
    reply = problem(rejection, None if exchange is None else exchange.request_id)
    return Response(reply.body, reply.status, reply.headers)
