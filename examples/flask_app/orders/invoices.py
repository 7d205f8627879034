"""What orders asks of the invoices service, through a session that retries, balances, breaks circuits and carries a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.outbound import ClientCredentials, ServiceAdapter, ServiceSession, Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from interservice.events import Listener

    from .settings import Settings
    from .store import Order

_NOT_FOUND = 404


class Invoices:
    """The invoices service, over any `requests` session that can reach `http://invoices/`."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session

    def create(self, order: Order) -> Mapping[str, Any]:
        """Have an order invoiced. The key makes it safe to repeat: a retry finds the invoice of the first try."""
        response = self._session.post(
            "http://invoices/invoices",
            json={"order": order.id, "customer": order.customer, "cents": order.total},
            headers={"Idempotency-Key": order.id},
        )
        return _json(response)

    def find(self, invoice_id: str) -> Mapping[str, Any] | None:
        """The invoice of an id, or None."""
        response = self._session.get(f"http://invoices/invoices/{invoice_id}")
        return None if response.status_code == _NOT_FOUND else _json(response)


def connect(settings: Settings, listeners: list[Listener]) -> Invoices:
    """A client of the invoices service as the environment describes it."""
    adapter = ServiceAdapter(
        "invoices",
        endpoints=settings.invoices_endpoints,
        timeouts=Timeouts(connect=0.5, read=1.0, total=3.0),
        auth=ClientCredentials(
            issuer=settings.issuer,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            scope="invoices:read invoices:write",
            audience="invoices",
        ),
        listeners=listeners,
    )
    return Invoices(ServiceSession({"invoices": adapter}))


def _json(response: requests.Response) -> Mapping[str, Any]:
    response.raise_for_status()
    body: Mapping[str, Any] = response.json()
    return body
