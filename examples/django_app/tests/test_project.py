"""The project's own tests and checks, each in a process of its own: Django's settings are a process' for good."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `manage.py` says, with warnings as errors."""
    env = {
        **os.environ,
        "ISSUER": "https://auth.internal",
        "INVOICES_DB": ":memory:",
        "PYTHONPATH": os.pathsep.join(sys.path[1:]),
    }
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=50, check=False)


def test_djangos_own_tests_pass() -> None:
    done = manage("test", "-v", "0")
    assert done.returncode == 0, done.stderr
    assert "Ran 6 tests" in done.stderr, done.stderr


def test_system_checks_have_nothing_to_say() -> None:
    done = manage("check", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_migrations_are_up_to_date() -> None:
    done = manage("makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
