"""The views, sync and async. Who calls is known already: the gate let nobody else in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.http import JsonResponse
from django.views.decorators.http import require_GET, require_POST

from interservice import current

from .models import Invoice

if TYPE_CHECKING:
    from django.http import HttpRequest

_DEAREST = 2**53


@require_GET
async def show(request: HttpRequest, invoice_id: str) -> JsonResponse:
    """Show one invoice."""
    invoice = await Invoice.objects.filter(pk=invoice_id).afirst()
    if invoice is None:
        return _problem(404, "There is no such invoice.")
    return JsonResponse(_shape(invoice))


@require_POST
def create(request: HttpRequest) -> JsonResponse:
    """Invoice an order; asked twice for the same order, answer with the invoice that is there."""
    wanted = _parsed(request.body)
    if wanted is None:
        return _problem(422, "An invoice has an order, a customer and an amount in cents.")
    exchange = current()
    subject = exchange.principal.subject if exchange and exchange.principal else None
    invoice, created = Invoice.objects.get_or_create(order=wanted.pop("order"), defaults={**wanted, "issued_by": subject or ""})
    return JsonResponse(_shape(invoice), status=201 if created else 200)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """The answer where no URL matches."""
    return _problem(404, "There is nothing here.")


def failed(request: HttpRequest) -> JsonResponse:
    """The answer to a fault of ours."""
    return _problem(500, "The service failed.")


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The fields of a new invoice, or None where the body makes no sense."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    match document:
        case {"order": str(order), "customer": str(customer), "cents": int(cents)}:
            if 0 < len(order) <= 64 and 0 < len(customer) <= 200 and 0 <= cents < _DEAREST:  # noqa: PLR2004 - the model's own
                return {"order": order, "customer": customer, "cents": cents}
    return None


def _shape(invoice: Invoice) -> dict[str, Any]:
    amount = {"amount": f"{invoice.cents // 100}.{invoice.cents % 100:02}", "currency": "EUR"}
    return {"id": invoice.id, "order": invoice.order, "customer": invoice.customer, "total": amount}


def _problem(status: int, detail: str) -> JsonResponse:
    exchange = current()
    body = {
        "status": status,
        "detail": detail,
        "instance": exchange and exchange.request_id and f"urn:request:{exchange.request_id}",
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")
