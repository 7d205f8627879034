"""The table that every gateway is made from: what is refused when it is made."""

from __future__ import annotations

from typing import Any

import pytest

from interservice import ConfigurationError, Gate, Tracing, Versions, VersionSets
from interservice.gateway import Edge, Service

GATE = Gate([Tracing(), Versions(["1", "2"])])
ORDERS: dict[str, Any] = {"name": "orders", "prefix": "/orders", "endpoints": ["http://10.0.0.1:8000"]}


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"name": ""}, "Service.name"),
        ({"name": "or ders"}, "Service.name"),
        ({"name": "orders;"}, "Service.name"),
        ({"name": "orders.1"}, "Service.name"),
        ({"prefix": "orders"}, "Service.prefix"),
        ({"prefix": "/or//ders"}, "Service.prefix"),
        ({"prefix": "/../orders"}, "Service.prefix"),
        ({"prefix": "/orders/."}, "Service.prefix"),
        ({"prefix": "/orders{x}"}, "Service.prefix"),
        ({"prefix": "/orders\n"}, "Service.prefix"),
        ({"prefix": "/-/orders"}, "Service.prefix"),
        ({"health": "readyz"}, "Service.health"),
        ({"health": "/readyz;x"}, "Service.health"),
        ({"endpoints": []}, "Service.endpoints"),
        ({"endpoints": "http://10.0.0.1"}, "Service.endpoints"),
        ({"endpoints": ["ftp://10.0.0.1"]}, "Service.endpoints"),
        ({"endpoints": ["http://10.0.0.1/path"]}, "Service.endpoints"),
        ({"endpoints": ["http://a;b"]}, "Service.endpoints"),
        ({"endpoints": ["http://a{b}:80"]}, "Service.endpoints"),
        ({"endpoints": ["http://10.0.0.1", "https://10.0.0.2"]}, "Service.endpoints"),
        ({"versions": {"2": []}}, "Service.versions"),
        ({"connect_timeout": 0}, "Service.connect_timeout"),
        ({"timeout": -1}, "Service.timeout"),
        ({"retries": 1.5}, "Service.retries"),
    ],
    ids=str,
)
def test_nonsense_in_a_service_is_refused_by_name(changes: dict[str, Any], option: str) -> None:
    with pytest.raises(ConfigurationError, match=option.replace(".", r"\.")):
        Service(**{**ORDERS, **changes})


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"gate": None}, "Edge.gate"),
        ({"services": []}, "Edge.services"),
        ({"services": ["orders"]}, "Edge.services"),
        ({"listen": "8080"}, "Edge.listen"),
        ({"listen": "127.0.0.1:99999"}, "Edge.listen"),
        ({"listen": "a;b:80"}, "Edge.listen"),
        ({"listen": "127.0.0.1:80 ssl"}, "Edge.listen"),
        ({"forward_auth": "10.0.0.1:9000"}, "Edge.forward_auth"),
        ({"forward_auth": "http://10.0.0.1:9000/a?b"}, "Edge.forward_auth"),
        ({"forward_auth": "http://10.0.0.1:9000/a;b"}, "Edge.forward_auth"),
        ({"forward_auth": "http://a{b}"}, "Edge.forward_auth"),
        ({"auth_timeout": 0}, "Edge.auth_timeout"),
        ({"max_body": -1}, "Edge.max_body"),
        ({"access_log": "edge.log"}, "Edge.access_log"),
        ({"access_log": "/var/log/edge log"}, "Edge.access_log"),
    ],
    ids=str,
)
def test_nonsense_in_an_edge_is_refused_by_name(changes: dict[str, Any], option: str) -> None:
    with pytest.raises(ConfigurationError, match=option.replace(".", r"\.")):
        Edge(**{"gate": GATE, "services": [Service(**ORDERS)], **changes})


@pytest.mark.parametrize(
    "changes", [{"prefix": "/x"}, {"name": "x", "prefix": "/orders/"}, {"name": "ORDERS", "prefix": "/x"}], ids=str
)
def test_two_services_with_one_name_or_prefix_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Edge\.services"):
        Edge(gate=GATE, services=[Service(**ORDERS), Service(**{**ORDERS, **changes})])


def test_version_that_the_gate_does_not_serve_is_refused() -> None:
    service = Service(**ORDERS, versions={"3": ["http://10.0.0.2"]})
    with pytest.raises(ConfigurationError, match=r"Service\.versions .* \(1, 2\), not \['3'\]"):
        Edge(gate=GATE, services=[service])


def test_versions_of_sets_are_the_gates() -> None:
    gate = Gate([VersionSets({"/orders": Versions(["1"])}, otherwise=Versions(["7"]))])
    assert Edge(gate=gate, services=[Service(**ORDERS, versions={"1": ["http://10.0.0.2"], "7": ["http://10.0.0.3"]})])
    with pytest.raises(ConfigurationError, match=r"\(1, 7\), not \['2'\]"):
        Edge(gate=gate, services=[Service(**ORDERS, versions={"2": ["http://10.0.0.2"]})])


def test_values_cannot_be_changed() -> None:
    service = Service(**ORDERS, versions={"2": ["http://10.0.0.2/"]})
    assert service.endpoints == ("http://10.0.0.1:8000",)
    assert service.versions["2"] == ("http://10.0.0.2",)
    with pytest.raises(TypeError):
        service.versions["1"] = ()  # type: ignore[index]
