"""Gateways in front of services that verify tokens by themselves: routing by version without the gate, and balancing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from interservice import Gate, HeaderVersion, MediaTypeVersion, PathVersion, QueryVersion, Tracing, Versions
from interservice.gateway import Edge
from tests.servers.edges import NAMES, RUN, Gateway, Heard, Instance, instances, options, run_haproxy, services
from tests.servers.peer import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("render-open")
_RUN = {**RUN, "haproxy": run_haproxy}
_READERS = (PathVersion("/v{version}"), HeaderVersion("API-Version"), QueryVersion("v"), MediaTypeVersion("version"))
_TEMPLATE = MediaTypeVersion(None, template="application/vnd.acme.v{version}+json")


@dataclass
class Open:
    """A gateway that asks nobody."""

    kind: str
    gateway: Gateway
    found: dict[str, Instance]

    def heard(self) -> list[Heard]:
        return [heard for instance in self.found.values() for heard in instance.heard]


@contextmanager
def opened(kind: str, folder: Path, found: dict[str, Instance], **changes: Any) -> Iterator[Open]:
    gate = Gate([Tracing(), Versions(["1", "2"], default="1", readers=(*_READERS, _TEMPLATE))], service="edge")
    listed = services(found, **{"timeout": 2.0, "connect_timeout": 0.3, **changes})
    edge = Edge(gate=gate, services=listed, max_body=400_000, **options(folder))
    with _RUN[kind](edge, folder) as gateway:
        yield Open(kind, gateway, found)


@pytest.fixture(params=sorted(_RUN), scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def running(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with instances(*NAMES) as found, opened(kind, tmp_path_factory.mktemp(kind), found) as edge:
        yield edge


@pytest.fixture
def edge(running: Open) -> Open:
    for instance in running.found.values():
        instance.heard.clear()
    return running


@pytest.fixture
def fresh(kind: str, tmp_path: Path) -> Iterator[Open]:
    with instances(*NAMES) as found, opened(kind, tmp_path / "gateway", found) as edge:
        yield edge


@pytest.mark.parametrize(
    ("target", "headers", "second"),
    [
        ("/orders", {}, False),
        ("/orders?x=/v2/", {}, False),
        ("/v1/orders/x", {}, False),
        ("/v2/orders", {}, True),
        ("/v2/orders/x?y=1", {}, True),
        ("/v2.0.0/orders/x", {}, True),
        ("/orders", {"API-Version": "2"}, True),
        ("/orders", {"api-version": " 2.0 "}, True),
        ("/orders", {"API-Version": "22"}, False),
        ("/orders?a=1&v=2", {}, True),
        ("/orders?a=1&av=2", {}, False),
        ("/orders", {"Accept": "application/json; version=2"}, True),
        ("/orders", {"Accept": 'text/html, application/json;q=0.9;Version="2.0", */*'}, True),
        ("/orders", {"Accept": "application/json; xversion=2"}, False),
        ("/orders", {"Accept": "application/vnd.acme.v2+json"}, True),
        ("/orders", {"Accept": "application/vnd.acme.v22+json"}, False),
        ("/orders", {"Content-Type": "application/json; version=2"}, True),
        ("/v1/orders", {"API-Version": "2"}, False),
    ],
)
def test_version_chooses_the_instances(edge: Open, target: str, headers: dict[str, str], second: bool) -> None:
    answer = edge.gateway.ask(target, headers=headers)
    assert answer.status == 200
    assert (answer.json["instance"] == "orders-2") == second
    assert [heard.target for heard in edge.heard()] == [target]


@pytest.mark.parametrize("target", ["/ordersx", "/", "/v9/orders", "/x/orders", "/V2/orders"])
def test_path_without_a_service_is_a_problem(edge: Open, target: str) -> None:
    answer = edge.gateway.ask(target)
    assert (answer.status, answer.code) == (404, "no_route")
    assert len(answer.all("x-request-id")) == 1
    assert answer.json["instance"] == f"urn:request:{answer.all('x-request-id')[0]}"


def test_instances_take_turns(edge: Open) -> None:
    served = [edge.gateway.ask("/orders").json["instance"] for _ in range(4)]
    assert sorted(served) == ["orders-a", "orders-a", "orders-b", "orders-b"]


def test_identity_of_clients_is_taken_off(edge: Open) -> None:
    names = ("X-Auth-Subject", "X_Auth_Identity", "X-Auth-Version", "X-Forwarded-For", "X-Forwarded-Client-Cert", "X-Request-ID")
    answer = edge.gateway.ask("/orders", headers=dict.fromkeys(names, "evil") | {"Authorization": "Bearer x"})
    (heard,) = edge.heard()
    assert "evil" not in str(heard.headers)
    assert heard.all("authorization") == ["Bearer x"]
    assert heard.all("x-forwarded-for") == ["127.0.0.1"]
    assert heard.all("x-request-id") == answer.all("x-request-id")
    assert heard.all("x-envoy-expected-rq-timeout-ms") == ["2000"]


def test_post_is_not_sent_twice_and_get_is(fresh: Open) -> None:
    for name in ("orders-a", "orders-b"):
        fresh.found[name].faults[:] = ["reset"]
    answer = fresh.gateway.ask("/orders", "POST", body=b"x")
    assert answer.status in (502, 503)
    assert answer.all("content-type") == ["application/problem+json"]
    assert answer.all("retry-after") == ["1"]
    assert len(fresh.heard()) == 1
    assert fresh.gateway.ask("/orders").status == 200


def test_instance_that_wants_no_traffic_gets_none(fresh: Open) -> None:
    fresh.found["orders-a"].ready = False
    if fresh.kind == "nginx":  # asks no health path, as the docs say
        assert len({fresh.gateway.ask("/orders").json["instance"] for _ in range(6)}) == 2
        return
    assert eventually(lambda: {fresh.gateway.ask("/orders").json["instance"] for _ in range(6)} == {"orders-b"})
    fresh.found["orders-a"].ready = True
    assert eventually(lambda: len({fresh.gateway.ask("/orders").json["instance"] for _ in range(6)}) == 2)


def test_dead_instance_is_passed_over(kind: str, tmp_path: Path) -> None:
    with instances(*NAMES) as found:
        found["orders-a"].port = free_port()
        with opened(kind, tmp_path / "gateway", found, health=None) as edge:
            assert [edge.gateway.ask("/orders").status for _ in range(6)] == [200] * 6


def test_body_that_says_it_is_too_long_is_refused(edge: Open) -> None:
    answer = edge.gateway.ask("/orders", "POST", body=b"x" * 400_001)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert not edge.heard()


def test_body_of_untold_length_is_counted_or_refused(edge: Open) -> None:
    long, short = (edge.gateway.ask("/orders", "POST", body=iter([b"x" * 300_000] * count)) for count in (2, 1))
    assert long.status == (411 if edge.kind == "haproxy" else 413)
    assert short.status == (411 if edge.kind == "haproxy" else 200)


def test_gateway_is_ready(edge: Open) -> None:
    assert edge.gateway.ask("/-/ready").json == {"status": "ok"}
    assert not edge.heard()


@pytest.mark.parametrize(("protocol", "passes"), [("websocket", True), ("h2c", False)])
def test_nothing_but_websockets_is_upgraded_to(edge: Open, protocol: str, passes: bool) -> None:
    with edge.gateway.upgraded("/orders", {}, protocol) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ") == passes
    assert [heard.all("upgrade") for heard in edge.heard()] in ([[["websocket"]]] if passes else [[], [[]]])


def test_log_has_a_line_of_json_for_each_request(edge: Open) -> None:
    answer = edge.gateway.ask('/orders/a"b\\c?x=1', headers={"traceparent": "00-x\\y"})
    (given,) = answer.all("x-request-id")

    def mine() -> list[dict[str, Any]]:
        return [line for line in edge.gateway.lines() if line["request_id"] == given]

    assert eventually(lambda: len(mine()) == 1)
    assert mine()[0]["status"] == answer.status == 200
