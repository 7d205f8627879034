"""The Django binding: one line in MIDDLEWARE, one setting.

    MIDDLEWARE = ["interservice.django.Middleware", ...]
    INTERSERVICE_GATE = "shop.gate.gate"            # dotted path, or the Gate itself

`request.exchange` and `current()` are the exchange, `request.api_version` is its version. With "interservice.django" in
INSTALLED_APPS, `manage.py check` looks over the set-up.
"""

from __future__ import annotations

from .bodies import Migrations
from .middleware import Middleware

__all__ = ["Middleware", "Migrations"]
