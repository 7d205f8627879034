"""The timeouts of a call, out of what requests was told and what the adapter has."""

from __future__ import annotations

from typing import Any

import pytest
from urllib3.util import Timeout

from interservice.outbound.patience import default_patience, patience
from interservice.outbound.timeouts import Timeouts

DEFAULT = default_patience(Timeouts(connect=1.0, read=2.0, total=3.0))


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (None, (1.0, 2.0, 3.0)),
        ((None, None), (None, None, None)),
        (7, (7, 7, 3.0)),
        ((5, 6), (5, 6, 3.0)),
        ((None, 6), (None, 6, 3.0)),
        (Timeout(connect=5, read=6), (5, 6, 3.0)),
        (Timeout(total=2.5), (2.5, pytest.approx(2.5, abs=0.5), 2.5)),
        (Timeout(total=30), (30, pytest.approx(30, abs=0.5), 3.0)),
    ],
)
def test_what_holds(timeout: Any, expected: tuple[Any, ...]) -> None:
    assert patience(timeout, DEFAULT)[:3] == expected


@pytest.mark.parametrize("timeout", [0, -1, "soon", True, (1, 2, 3), (1,), (0, 1)])
def test_nonsense_is_refused_as_requests_does(timeout: Any) -> None:
    with pytest.raises(ValueError):
        patience(timeout, DEFAULT)
