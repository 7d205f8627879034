"""The gate by itself, and the options of its simplest policies."""

from __future__ import annotations

from typing import Any

import pytest

from interservice.errors import ConfigurationError
from interservice.events import Served
from interservice.http import Request
from interservice.inbound.deadlines import Deadlines
from interservice.inbound.gate import Gate
from interservice.inbound.policy import Policy
from interservice.inbound.tracing import Tracing
from interservice.testing import FakeClock, Recorder
from interservice.wsgi.request import EnvironHeaders


def request(**headers: str) -> Request:
    environ = {"HTTP_" + name.upper(): value for name, value in headers.items()}
    return Request("GET", "/", EnvironHeaders(environ), peer="192.0.2.7")


def admitted(policy: Policy, **headers: str) -> Any:
    gate = Gate([policy], clock=FakeClock())
    exchange = gate.open(request(**headers))
    assert gate.prepare(exchange) is None
    assert exchange.refusal is None
    return exchange


def test_only_the_first_end_counts() -> None:
    recorder = Recorder()
    gate = Gate([], [recorder])
    exchange = gate.open(request())
    gate.finish(exchange, "client_disconnect")
    gate.finish(exchange)
    assert [event.outcome for event in recorder.of(Served)] == ["client_disconnect"]


def test_callback_that_fails_does_not_keep_the_others_from_running(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate([])
    exchange = gate.open(request())
    done: list[int] = []

    def broken() -> None:
        raise ZeroDivisionError

    exchange.defer(broken)
    exchange.defer(lambda: done.append(1))
    gate.finish(exchange)
    assert done == [1]
    assert "at the end of a request" in caplog.text


def test_policies_of_any_class_with_a_moment_will_do() -> None:
    class Own:
        def admit(self, exchange: Any) -> None:
            exchange.annotate(own=1)

    gate = Gate([Own()])  # type: ignore[list-item]
    exchange = gate.open(request())
    gate.prepare(exchange)
    assert exchange.fields == {"own": 1}


@pytest.mark.parametrize("policies", [[object()], [Tracing], "tracing", None, Tracing()])
def test_what_is_no_policy_is_refused(policies: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Gate\.policies must be"):
        Gate(policies)


def test_listener_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Gate\.listeners must be"):
        Gate([], [object()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("trust", "peer", "trusted"),
    [
        ("always", None, True),
        ("never", "127.0.0.1", False),
        (["127.0.0.0/8"], "127.0.0.1", True),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["10.0.0.0/8", "::1/128"], "::1", True),
        (["10.0.0.0/8"], "192.0.2.1", False),
        (["10.0.0.0/8"], None, False),
        (["10.0.0.0/8"], "unix:", False),
    ],
)
def test_only_a_trusted_peer_names_the_request(trust: Any, peer: str | None, trusted: bool) -> None:
    exchange = Gate([]).open(request(x_request_id="theirs"))
    exchange.request.peer = peer
    Tracing(trust=trust).admit(exchange)
    assert (exchange.request_id == "theirs") is trusted


@pytest.mark.parametrize(
    "options",
    [
        {"trust": "sometimes"},
        {"trust": ["10.0.0.1/8"]},
        {"trust": ["host"]},
        {"request_id_header": ""},
        {"request_id_header": "a b"},
    ],
)
def test_tracing_refuses_nonsense(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Tracing"):
        Tracing(**options)


@pytest.mark.parametrize(
    ("policy", "headers", "remaining"),
    [
        (Deadlines(), {}, float("inf")),
        (Deadlines(), {"x_request_timeout_ms": "1500"}, 1.5),
        (Deadlines(), {"x_request_timeout_ms": "1500", "grpc_timeout": "200m"}, 0.2),
        (Deadlines(), {"x_envoy_expected_rq_timeout_ms": "100, 50"}, 0.05),
        (Deadlines(), {"x_request_timeout_ms": "soon"}, float("inf")),
        (Deadlines(default=3), {"x_request_timeout_ms": "-1"}, 3.0),
        (Deadlines(default=3, maximum=2), {}, 2.0),
        (Deadlines(maximum=2), {"x_request_timeout_ms": "9000"}, 2.0),
        (Deadlines(headers=["X-Left"]), {"x_left": "10", "x_request_timeout_ms": "1"}, 0.01),
    ],
)
def test_shortest_time_that_anybody_grants_counts(policy: Deadlines, headers: dict[str, str], remaining: float) -> None:
    assert admitted(policy, **headers).deadline.remaining() == pytest.approx(remaining)


@pytest.mark.parametrize("options", [{"default": 0}, {"maximum": -1}, {"headers": "X-Left"}])
def test_deadlines_refuse_nonsense(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Deadlines"):
        Deadlines(**options)
