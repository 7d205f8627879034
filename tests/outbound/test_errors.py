"""The errors of outbound calls: caught by clauses for requests' own, carried between processes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import requests

from interservice.errors import CallError, InterserviceError
from interservice.outbound.attempt import Attempt
from interservice.outbound.errors import (
    BodyReadTimeout,
    BulkheadFull,
    CircuitOpen,
    DeadlineExceeded,
    NoEndpoint,
    OutboundError,
    TokenUnavailable,
)
from interservice.outbound.outcome import Outcome

ATTEMPT = Attempt("http://a", 1.0, 0.5, Outcome.RESET, None, requests.ConnectionError("x"))


@pytest.mark.parametrize(
    ("kind", "also"),
    [
        (DeadlineExceeded, requests.Timeout),
        (CircuitOpen, requests.ConnectionError),
        (BulkheadFull, requests.ConnectionError),
        (NoEndpoint, requests.ConnectionError),
        (TokenUnavailable, requests.ConnectionError),
    ],
)
def test_each_is_one_of_requests_too(kind: type[OutboundError], also: type[Exception]) -> None:
    error = kind("no", service="billing", endpoint="http://a", attempts=[ATTEMPT], retry_after=2.0)
    assert isinstance(error, (also))
    assert isinstance(error, requests.RequestException)
    assert isinstance(error, CallError)
    assert isinstance(error, InterserviceError)
    assert (str(error), error.service, error.endpoint, error.retry_after) == ("no", "billing", "http://a", 2.0)
    assert error.code != CallError.code


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (DeadlineExceeded, {"phase": "body", "elapsed": 1.0, "budget": 2.0}),
        (CircuitOpen, {"state": "half_open", "failure_rate": 0.5, "slow_rate": 0.1, "last_failure": "ReadTimeout"}),
        (BulkheadFull, {"in_flight": 3, "limit": 3, "queued": 1, "waited": 0.5}),
    ],
)
def test_each_can_be_pickled_with_its_evidence(kind: type[OutboundError], more: dict[str, Any]) -> None:
    request = requests.Request("GET", "http://a", hooks={"response": [lambda *_args, **_kwargs: None]}).prepare()
    error = kind("no", service="billing", attempts=[ATTEMPT], request=request, **more)
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert {name: getattr(twin, name) for name in more} == more
    assert (str(twin), twin.service, twin.attempts) == ("no", "billing", [ATTEMPT._replace(error=None)])


def test_a_timeout_in_the_body_is_what_requests_raises_and_what_it_is() -> None:
    assert issubclass(BodyReadTimeout, requests.ReadTimeout)
    assert issubclass(BodyReadTimeout, requests.ConnectionError)
