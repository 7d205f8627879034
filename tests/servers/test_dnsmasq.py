"""Discovery by a real name server: addresses, SRV records, and an outage of the name server itself."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from interservice.faultserver import FaultServer
from interservice.outbound import DNS, SRV, Backoff, NoEndpoint, Retry, ServiceAdapter, ServiceSession
from interservice.outbound.discovery import Found, found
from tests.servers.peer import TOOLS, Peer, accepts, free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("dns", reason="dnspython is not here: pip install 'interservice[dns]'")

_HOW = "apt-get install dnsmasq-base, or make servers"
QUICK = Retry(backoff=Backoff(base=0.0, cap=0.0))


class Zone:
    """A running name server and the three servers that its SRV records name."""

    def __init__(self, peer: Peer, port: int, servers: tuple[FaultServer, ...]) -> None:
        self.peer = peer
        self.server = f"127.0.0.1:{port}"
        self.servers = servers

    @property
    def counts(self) -> list[int]:
        return [len(server.requests) for server in self.servers]


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    dnsmasq = program("dnsmasq", Path("/usr/sbin/dnsmasq"), TOOLS / "dnsmasq/usr/sbin/dnsmasq", how=_HOW)
    port = free_port()
    with FaultServer() as a, FaultServer() as b, FaultServer() as c:
        conf = (Path(__file__).parent / "dnsmasq.conf").read_text()
        for mark, value in (("@PORT@", port), ("@A@", a.port), ("@B@", b.port), ("@C@", c.port)):
            conf = conf.replace(mark, str(value))
        (tmp_path / "dnsmasq.conf").write_text(conf)
        with Peer([dnsmasq, "-k", "-C", tmp_path / "dnsmasq.conf"], lambda: accepts(port), cwd=tmp_path) as peer:
            yield Zone(peer, port, (a, b, c))


def test_every_address_of_a_name_is_an_endpoint(zone: Zone) -> None:
    urls = [entry.url for entry in found(DNS("billing.svc.test", port=8000, nameservers=[zone.server]))]
    assert sorted(urls) == ["http://127.0.0.11:8000", "http://127.0.0.12:8000"]


@pytest.mark.parametrize(("family", "hosts"), [("any", {"127.0.0.1", "[::1]"}), ("ipv4", {"127.0.0.1"}), ("ipv6", {"[::1]"})])
def test_families_are_told_apart(zone: Zone, family: str, hosts: set[str]) -> None:
    answer = found(DNS("both.svc.test", port=81, family=family, nameservers=[zone.server]))  # type: ignore[arg-type]
    assert {entry.url for entry in answer} == {f"http://{host}:81" for host in hosts}


def test_srv_records_give_port_priority_and_weight(zone: Zone) -> None:
    a, b, c = (server.port for server in zone.servers)
    answer = found(SRV("_billing._tcp.svc.test", nameservers=[zone.server]))
    assert sorted(answer) == sorted([
        Found(f"http://127.0.0.1:{a}", 10, 60), Found(f"http://127.0.0.1:{b}", 10, 40), Found(f"http://127.0.0.1:{c}", 20, 1),
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["_gone._tcp.svc.test", "_dangling._tcp.svc.test", "_none._tcp.svc.test"])
def test_a_service_that_is_not_here_is_not_found(zone: Zone, name: str) -> None:
    with (
        ServiceSession({"billing": ServiceAdapter("billing", endpoints=SRV(name, nameservers=[zone.server]))}) as session,
        pytest.raises(NoEndpoint, match="could not be found"),
    ):
        session.get("http://billing/")


def test_calls_go_to_the_better_priority_by_weight_and_to_the_other_when_it_is_dead(zone: Zone) -> None:
    adapter = ServiceAdapter("billing", endpoints=SRV("_billing._tcp.svc.test", nameservers=[zone.server]), retry=QUICK)
    with ServiceSession({"billing": adapter}) as session:
        for _ in range(200):
            session.get("http://billing/")
        a, b, c = zone.counts
        assert c == 0
        assert a > b > 40
        for server in zone.servers[:2]:
            server.refuse()
        answers = Counter(session.get("http://billing/").status_code for _ in range(50))
        assert answers == {200: 50}
        assert zone.counts[2] == 50


def test_calls_go_on_while_the_name_server_is_down(zone: Zone) -> None:
    adapter = ServiceAdapter("billing", endpoints=SRV("_billing._tcp.svc.test", nameservers=[zone.server], timeout=0.5))
    with ServiceSession({"billing": adapter}) as session:
        assert session.get("http://billing/").status_code == 200
        zone.peer.stop()
        destination = adapter._destinations._fixed
        assert destination is not None
        assert destination.watch is not None
        destination.watch.look()
        assert destination.watch.trouble is not None
        assert session.get("http://billing/").status_code == 200


def test_a_name_of_the_system_needs_no_name_server_of_its_own() -> None:
    with FaultServer() as server:
        there = DNS("localhost", port=server.port, family="ipv4")
        assert found(there) == [Found(server.url)]
        assert socket.getaddrinfo("localhost", server.port)
        with ServiceSession({"billing": ServiceAdapter("billing", endpoints=there)}) as session:
            assert session.get("http://billing/x").status_code == 200
        assert server.requests[0].headers["host"] == "billing"
