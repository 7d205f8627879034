"""What a WSGI server loads: gunicorn wsgi:app, granian --interface wsgi wsgi:app."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing.settings")
app = application = get_wsgi_application()
