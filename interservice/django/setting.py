"""The setting INTERSERVICE_GATE: a Gate, or the dotted path of one."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from interservice.inbound.gate import Gate

SETTING = "INTERSERVICE_GATE"


def configured_gate() -> Gate:
    """The gate that the settings name.

    Raises:
        ImproperlyConfigured: The setting is missing, its path cannot be imported, or what it names is no Gate.
    """
    value = getattr(settings, SETTING, None)
    if value is None:
        raise ImproperlyConfigured(f"{SETTING} must be a Gate or its dotted path; it is not set")
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            raise ImproperlyConfigured(f"{SETTING} must be the dotted path of a Gate, not {value!r}: {error}") from error
    if not isinstance(value, Gate):
        raise ImproperlyConfigured(f"{SETTING} must be a Gate or its dotted path, not {value!r}")
    return value
