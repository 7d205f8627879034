"""The WSGI binding (PEP 3333): put a gate in front of any WSGI application.

app.wsgi_app = interservice.wsgi.Middleware(app.wsgi_app, gate)
"""

from __future__ import annotations

from interservice.dispatch import WSGIVersions as VersionDispatcher

from .middleware import Middleware
from .migrations import Migrations

__all__ = ["Middleware", "Migrations", "VersionDispatcher"]
