"""One table: the invoices, one for each order."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


def new_id() -> str:
    """An id that nobody can guess from another."""
    return uuid.uuid4().hex


class Invoice(models.Model):
    """What a customer owes for an order. Money is in cents."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id)
    order = models.CharField(max_length=64, unique=True)
    customer = models.CharField(max_length=200)
    cents = models.PositiveBigIntegerField()
    issued_by = models.CharField(max_length=200)

    class Meta:
        """Newest last, as they were written."""

        ordering: ClassVar[list[str]] = ["pk"]

    def __str__(self) -> str:
        return f"{self.id} for order {self.order}"
