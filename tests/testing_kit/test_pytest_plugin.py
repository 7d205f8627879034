"""The fixtures, as a user's suite has them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

SUITE = """
from interservice.testing import FakeClock, Issuer, Recorder

def test_one(interservice_issuer, interservice_clock, interservice_recorder):
    assert isinstance(interservice_issuer, Issuer)
    assert isinstance(interservice_clock, FakeClock)
    assert isinstance(interservice_recorder, Recorder)
    interservice_issuer.rotate(keep=0)
    interservice_clock.advance(1)
    interservice_recorder("event")
    test_one.kid = interservice_issuer.jwks["keys"][0]["kid"]

def test_each_test_has_its_own(interservice_issuer, interservice_clock, interservice_recorder):
    assert interservice_issuer.jwks["keys"][0]["kid"] != test_one.kid
    assert interservice_clock.monotonic() == FakeClock().monotonic()
    assert interservice_recorder.events == []
"""


def test_fixtures_give_each_test_its_own_objects(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    installed = entry_points(group="pytest11", name="interservice")
    plugin = [] if installed else ["-p", "interservice.pytest_plugin"]

    pytester.runpytest_inprocess("-p", "no:randomly", *plugin).assert_outcomes(passed=2)
