"""The service put together: the application as it was, its client of invoices, and the gate in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import interservice.wsgi
from interservice.tokens import Verifier

from .app import create_app
from .faults import Faults, Stall
from .gate import make_gate, make_listeners
from .invoices import connect
from .store import Orders

if TYPE_CHECKING:
    from flask import Flask

    from interservice.events import Listener

    from .settings import Settings


def make_app(settings: Settings, listeners: list[Listener] | None = None) -> Flask:
    """The whole service, as a WSGI server is to serve it; events go where the settings say, or to the listeners given."""
    listeners = make_listeners(settings) if listeners is None else listeners
    app = create_app(Orders(settings.database), connect(settings, listeners))
    wsgi_app = Faults(app.wsgi_app, settings.faults) if settings.faults else app.wsgi_app
    gate = make_gate(settings, Verifier(issuer=settings.issuer, audience="orders"), listeners)
    wsgi_app = interservice.wsgi.Middleware(wsgi_app, gate)
    app.wsgi_app = Stall(wsgi_app, settings.faults) if settings.faults else wsgi_app  # type: ignore[method-assign]
    return app
