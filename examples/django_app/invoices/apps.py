"""The application, for Django's registry."""

from __future__ import annotations

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Invoices, by the name that INSTALLED_APPS has."""

    name = "invoices"
