"""pytest fixtures, found through the entry point `interservice`: each test gets its own objects.

Example::

def test_orders_are_listed(client, interservice_issuer):
    token = interservice_issuer.mint(sub="svc-a", aud="orders", scope="orders:read")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from interservice.issuer.keys import SigningKey
    from interservice.testing import FakeClock, Issuer, Recorder

# Everything is imported when a fixture is asked for, so that the plugin costs nothing to suites that do not use it.


@pytest.fixture(scope="session")
def _interservice_keys() -> tuple[SigningKey, ...]:
    from interservice.issuer.keys import KeyRing  # noqa: PLC0415

    return KeyRing.generate(("RS256", "ES256", "EdDSA")).current


@pytest.fixture
def interservice_issuer(_interservice_keys: tuple[SigningKey, ...]) -> Issuer:
    """An `Issuer` on the machine's clock; its first keys are made once for all tests, as making RSA keys is slow."""
    from interservice.testing import Issuer  # noqa: PLC0415

    return Issuer(keys=_interservice_keys)


@pytest.fixture
def interservice_clock() -> FakeClock:
    """A `FakeClock`: time stands still until the test moves it."""
    from interservice.testing import FakeClock  # noqa: PLC0415

    return FakeClock()


@pytest.fixture
def interservice_recorder() -> Recorder:
    """A `Recorder`: a listener that keeps every event."""
    from interservice.testing import Recorder  # noqa: PLC0415

    return Recorder()
