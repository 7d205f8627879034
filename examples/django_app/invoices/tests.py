"""Django's own tests of the views, through the middleware and a gate with an issuer made for the test."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.test import TestCase, override_settings

from billing.gate import RULES
from interservice import Gate, Health, JWTAuth, Tracing
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier

from .models import Invoice

INVOICE = {"order": "o-1", "customer": "c-1", "cents": 1350}
NONSENSE: list[Any] = ["{", [], {}, {**INVOICE, "cents": -1}, {**INVOICE, "cents": "1"}, {**INVOICE, "order": "x" * 65}]


class InvoicesTest(TestCase):
    """Callers with and without the right tokens."""

    issuer: Issuer

    @classmethod
    def setUpClass(cls) -> None:
        """One issuer for all tests."""
        super().setUpClass()
        cls.issuer = Issuer("https://auth.internal", algorithms=["ES256"])

    def setUp(self) -> None:
        """A gate that has the issuer's keys."""
        verifier = Verifier(issuer="https://auth.internal", audience="invoices", keys=StaticKeys(self.issuer.jwks))
        changed = override_settings(INTERSERVICE_GATE=Gate([Health(), Tracing(), JWTAuth(verifier, rules=RULES)]))
        changed.enable()
        self.addCleanup(changed.disable)

    def bearer(self, scope: str) -> dict[str, str]:
        """The header of a caller with a scope."""
        return {"Authorization": f"Bearer {self.issuer.mint(sub='svc-orders', aud='invoices', scope=scope)}"}

    def post(self, body: Any, scope: str = "invoices:write") -> Any:
        """The answer to a new invoice."""
        return self.client.post("/invoices", body, content_type="application/json", headers=self.bearer(scope))

    def test_set_up_passes_the_system_checks(self) -> None:
        """`manage.py check` has nothing to say."""
        call_command("check", fail_level="WARNING")

    def test_invoice_is_made_once_for_an_order(self) -> None:
        """A retry gets the invoice of the first try."""
        first, second = self.post(INVOICE), self.post(INVOICE)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.content == second.content
        assert Invoice.objects.get().issued_by == "svc-orders"

    async def test_invoice_is_shown_by_the_async_view(self) -> None:
        """Read through ASGI, as the async client does."""
        invoice = await Invoice.objects.acreate(order="o-2", customer="c-1", cents=5)
        answer = await self.async_client.get(f"/invoices/{invoice.id}", headers=self.bearer("invoices:read"))
        assert answer.status_code == 200
        assert answer.json()["total"] == {"amount": "0.05", "currency": "EUR"}

    async def test_unknown_invoice_is_a_404_with_the_request_id(self) -> None:
        """The problem document names the request."""
        headers = {**self.bearer("invoices:read"), "X-Request-ID": "r-1"}
        answer = await self.async_client.get("/invoices/none", headers=headers)
        assert answer.status_code == 404
        assert answer.json()["instance"] == "urn:request:r-1"

    def test_scope_decides(self) -> None:
        """Whoever may read may not write; nobody comes in without a token."""
        assert self.post(INVOICE, scope="invoices:read").status_code == 403
        assert self.client.get("/invoices/x").status_code == 401
        assert self.client.get("/healthz").status_code == 200

    def test_nonsense_is_refused_with_422(self) -> None:
        """Nothing of it reaches the table."""
        for body in NONSENSE:
            assert self.post(body).status_code == 422, body
        assert not Invoice.objects.exists()
