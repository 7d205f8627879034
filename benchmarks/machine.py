"""What the figures were taken on: without it they say nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path

#: Whose releases change the figures.
_PACKAGES = (
    "PyJWT", "cryptography", "requests", "urllib3", "werkzeug", "msgspec", "python-json-logger", "statsd", "Flask",
    "joserfc", "Authlib", "Flask-JWT-Extended", "asgi-correlation-id", "opentelemetry-sdk",
    "opentelemetry-instrumentation-wsgi", "opentelemetry-instrumentation-asgi", "pybreaker", "tenacity", "stamina",
)  # fmt: skip


def machine() -> dict[str, str]:
    """The processor, the system, the interpreter, the day, and how busy the machine was when this began."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def versions() -> dict[str, str]:
    """The releases of what was measured and compared with, as far as they are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
