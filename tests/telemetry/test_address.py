"""Addresses of receivers: what is one, and what is refused when it is given."""

from __future__ import annotations

import pytest

from interservice.errors import ConfigurationError
from interservice.telemetry import StatsD
from interservice.telemetry.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8125", Address("udp", "127.0.0.1", 8125)),
        ("udp://statsd:8125", Address("udp", "statsd", 8125)),
        ("tcp://statsd.internal:8125", Address("tcp", "statsd.internal", 8125)),
        ("[::1]:8125", Address("udp", "::1", 8125)),
        ("unix:///run/statsd.sock", Address("unix", path="/run/statsd.sock")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        ":8125",
        "host:",
        "host:0",
        "host:65536",
        "host:http",
        "host:-1",
        "host: 8125",
        "http://host:8125",
        "::1:8125",
        "a b:1",
        "host:8125/x",
        "unix://",
        "unix://relative.sock",
        "unix:///" + "x" * 200,
        "unix:///a\0b",
        "me@host:1",
        "host:\u0661",
    ],
)
def test_nonsense_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"StatsD\.address"):
        StatsD(text)


@pytest.mark.parametrize("value", [None, 8125, "", ("host", 8125), object()])
def test_what_is_no_address_at_all_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"StatsD\.address"):
        StatsD(value)


@pytest.mark.parametrize(
    "options",
    [
        {"dialect": "carbon"},
        {"flush_every": 0},
        {"max_packet": 10},
        {"max_packet": 70_000},
        {"prefix": ""},
        {"tags": {"a": "b"}},
        {"max_names": 0},
        {"max_samples": 0},
    ],
)
def test_nonsense_in_options_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="StatsD." + next(iter(options))):
        StatsD("127.0.0.1:8125", **options)  # type: ignore[arg-type]


def test_a_host_that_does_not_resolve_is_no_error() -> None:
    metrics = StatsD("no-such-host.invalid:8125")
    assert metrics.dropped == 0
