"""What every test has: hypothesis without wall-clock limits, and loopback that no proxy of the environment gets between."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A shared machine is slow at times: what takes long is no failure, and pytest's own timeout ends what hangs.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True, scope="session")
def _no_proxies() -> None:
    """Requests of tests go where they say."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
