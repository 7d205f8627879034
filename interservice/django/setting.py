"""The settings: INTERSERVICE_GATE, a Gate or the dotted path of one; INTERSERVICE_MIGRATIONS, a list of Migration or its path."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from interservice.errors import ConfigurationError
from interservice.inbound.gate import Gate
from interservice.inbound.versions.migrations import Chain

SETTING = "INTERSERVICE_GATE"
MIGRATIONS = "INTERSERVICE_MIGRATIONS"


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


def configured_migrations() -> Chain:
    """The migrations that the settings name, and INTERSERVICE_MIGRATIONS_MAX_BYTES, a megabyte unless set.

    Raises:
        ImproperlyConfigured: The setting is missing, its path cannot be imported, or what it names is no list of Migration.
    """
    value = getattr(settings, MIGRATIONS, None)
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            msg = f"{MIGRATIONS} must be the dotted path of a list of Migration, not {value!r}: {error}"
            raise ImproperlyConfigured(msg) from error
    try:
        return Chain(value, getattr(settings, f"{MIGRATIONS}_MAX_BYTES", 1_048_576))  # type: ignore[arg-type]
    except ConfigurationError as error:
        raise ImproperlyConfigured(f"{MIGRATIONS}: {error}") from error
