"""The Django app "interservice.django": optional, brings the system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from .checks import check_setup


class InterserviceConfig(AppConfig):
    """Registers the checks when Django is ready."""

    name = "interservice.django"
    label = "interservice"
    verbose_name = "interservice"

    def ready(self) -> None:
        """Have `manage.py check` look over the set-up."""
        register(check_setup)
