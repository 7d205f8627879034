"""The ASGI binding (ASGI 3): put a gate in front of any ASGI application.

app = interservice.asgi.Middleware(app, gate)
app.add_middleware(interservice.asgi.Middleware, gate=gate)     # Starlette, FastAPI
"""

from __future__ import annotations

from interservice.dispatch import ASGIVersions as VersionDispatcher

from .middleware import Middleware
from .migrations import Migrations

__all__ = ["Middleware", "Migrations", "VersionDispatcher"]
