"""The tests of `requests` itself pass with `ServiceAdapter()` in the place of `HTTPAdapter()`."""

from __future__ import annotations

import pytest

from scripts import requests_suite
from tests.servers.peer import missing


@pytest.mark.timeout(500)
def test_the_tests_of_requests_pass_with_our_adapter() -> None:
    lacking = requests_suite.prepare()
    if lacking:
        missing("the test suite of requests", lacking)
    counts, alone, _either = requests_suite.compare()
    assert alone == []
    assert int(counts.split(" passed")[0].split()[-1]) > 500
