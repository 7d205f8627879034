"""What a WSGI server loads.

gunicorn -k gthread --threads 8 wsgi:app      granian --interface wsgi wsgi:app
"""

from __future__ import annotations

import os

from orders.service import make_app
from orders.settings import Settings

app = make_app(Settings.read(os.environ))
