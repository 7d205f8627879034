"""Django's settings; what differs between places comes from the environment, and the README lists the names."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# No session, cookie or form is signed here: callers bring tokens.
SECRET_KEY = os.environ.get("SECRET_KEY") or os.urandom(32).hex()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],invoices").split(",")

INSTALLED_APPS = ["interservice.django", "invoices"]
MIDDLEWARE = [
    "interservice.django.Middleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
INTERSERVICE_GATE = "billing.gate.gate"

ROOT_URLCONF = "billing.urls"
WSGI_APPLICATION = "wsgi.application"
APPEND_SLASH = False

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("INVOICES_DB") or BASE_DIR / "invoices.sqlite3",
        # Writers wait for each other instead of failing, and readers wait for nobody.
        "OPTIONS": {"timeout": 5, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
