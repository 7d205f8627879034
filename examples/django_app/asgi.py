"""What an ASGI server loads: granian --interface asgi asgi:app, uvicorn asgi:app."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing.settings")
app = application = get_asgi_application()
