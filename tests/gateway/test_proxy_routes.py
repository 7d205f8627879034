"""The embedded gateway finds the service by path and by negotiated version, and is made from the table of an Edge."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from interservice import Gate, GatewayIdentity, JWTAuth, Rule, Tracing, Versions, current
from interservice.errors import ConfigurationError
from interservice.exchange import Exchange
from interservice.faultserver import FaultServer, Reply
from interservice.gateway import Proxy, embedded
from interservice.gateway.edge import Edge, Service
from interservice.gateway.identity import Signer
from interservice.http import Request
from interservice.inbound.versions import HeaderVersion, PathVersion
from interservice.issuer import Server
from interservice.outbound import Retry, ServiceAdapter
from interservice.testing import Issuer, Recorder
from interservice.tokens import StaticKeys, Verifier
from interservice.wsgi import Middleware
from tests.bindings import wsgi_side


class _Nothing:
    """No header fields."""

    def get(self, name: str) -> None:
        return None

    def all(self, name: str) -> list[str]:
        return []

    def items(self) -> list[tuple[str, str]]:
        return []


NOTHING = _Nothing()
ISSUER = Issuer("https://auth.test", algorithms=["ES256"], expires_in=86_400)
VERIFIER = Verifier("https://auth.test", "api", keys=StaticKeys(ISSUER.jwks))
TEXT = {"Content-Type": "text/plain"}
TOKEN = {"Authorization": f"Bearer {ISSUER.mint(sub='svc-a', aud='api', scope='orders:read')}"}


def ask(app: Any, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Any:
    return wsgi_side.ask(app, method, path, headers or {})


@pytest.fixture
def old() -> Iterator[FaultServer]:
    with FaultServer(then=Reply(body=b"old", headers=TEXT)) as server:
        yield server


@pytest.fixture
def new() -> Iterator[FaultServer]:
    with FaultServer(then=Reply(body=b"new", headers=TEXT)) as server:
        yield server


def versions(path: Any) -> Versions:
    return Versions(["1", "2", "3"], default="3", path=path)


def service(server: FaultServer) -> ServiceAdapter:
    return ServiceAdapter("orders", endpoints=[server.url])


def edge(gate: Gate, old: FaultServer, new: FaultServer, **options: Any) -> Edge:
    orders = Service(name="orders", prefix="/orders", endpoints=[new.url], versions={"1": [old.url]})
    return Edge(gate=gate, services=[orders], **options)


@pytest.mark.parametrize("path", ["keep", "strip"])
def test_version_chooses_the_service_wherever_it_is_written(old: FaultServer, new: FaultServer, path: str) -> None:
    app = embedded(edge(Gate([versions(path)]), old, new))
    assert ask(app, "/v1/orders/7").body == b"old"
    assert ask(app, "/orders/7", {"API-Version": "1"}).body == b"old"
    assert ask(app, "/orders/7", {"Accept": "application/json; version=1"}).body == b"old"
    assert [ask(app, each).body for each in ("/v2/orders/7", "/v3/orders/7", "/orders/7")] == [b"new"] * 3
    assert [request.target for request in old.requests] == ["/v1/orders/7", "/orders/7", "/orders/7"]
    assert [request.target for request in new.requests] == ["/v2/orders/7", "/v3/orders/7", "/orders/7"]


def test_version_that_the_gate_refuses_reaches_nobody(old: FaultServer, new: FaultServer) -> None:
    answer = ask(embedded(edge(Gate([versions("keep")]), old, new)), "/v9/orders")
    assert json.loads(answer.body)["code"] == "api-version-unsupported"
    assert old.requests == new.requests == []


def test_equal_spellings_of_a_version_are_one(old: FaultServer, new: FaultServer) -> None:
    proxy = Proxy({"/orders": {"1.0": service(old), None: service(new)}})
    app = Middleware(proxy, Gate([Versions(["1", "2"], default="2")]))
    assert ask(app, "/orders", {"API-Version": "1"}).body == b"old"


def test_route_of_other_versions_alone_is_404(old: FaultServer) -> None:
    app = Middleware(Proxy({"/orders": {"1": service(old)}}), Gate([versions("keep")]))
    answer = ask(app, "/orders", {"API-Version": "2"})
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "no_route")
    assert json.loads(ask(Proxy({"/orders": {"1": service(old)}}), "/orders").body)["code"] == "api-version-unspecified"


def test_prefix_of_a_kept_version_is_looked_past_by_the_gates_readers_alone(old: FaultServer, new: FaultServer) -> None:
    gate = Gate([Versions(["1", "2"], default="2", readers=[PathVersion("/api/v{version}"), HeaderVersion("X-V")])])
    app = embedded(edge(gate, old, new))
    assert ask(app, "/api/v1/orders").body == b"old"
    assert ask(app, "/v1/orders").status == 404


def test_longest_prefix_wins_in_each_version(old: FaultServer, new: FaultServer) -> None:
    app = Proxy({"/": service(old), "/orders": service(old), "/orders/special": service(new)})
    assert [ask(app, path).body for path in ("/orders/special/1", "/orders/specials", "/orders", "/other")] == [
        b"new", b"old", b"old", b"old",
    ]  # fmt: skip


def test_edge_decides_who_gets_in_and_what_goes_on(old: FaultServer, new: FaultServer) -> None:
    gate = Gate([versions("keep"), JWTAuth(VERIFIER, rules=[Rule("GET", "/orders/{id}", scopes=["orders:read"])])])
    app = embedded(edge(gate, old, new, forward_token=False))
    assert ask(app, "/orders/7").status == 401
    assert ask(app, "/orders/7", TOKEN, "DELETE").status == 403
    assert new.requests == []
    assert ask(app, "/orders/7", TOKEN).body == b"new"
    assert "authorization" not in new.requests[0].headers
    assert ask(embedded(edge(gate, old, new)), "/orders/7", TOKEN).body == b"new"
    assert new.requests[1].headers["authorization"] == TOKEN["Authorization"]


def test_services_believe_what_the_gateway_signed_and_nothing_else(new: FaultServer) -> None:
    secret = secrets.token_bytes(32)
    seen: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        exchange = current()
        assert exchange is not None
        principal = exchange.principal
        seen.append((principal.subject, principal.issuer) if principal else None)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"in"]

    behind = Gate([GatewayIdentity(secret, rules=[Rule("*", "/orders/**", scopes=["orders:read"])])])
    with Server(lambda _url: Middleware(application, behind)) as server:
        orders = Service(name="orders", prefix="/orders", endpoints=[server.url])
        gate = Gate([Tracing(), JWTAuth(VERIFIER)])
        app = embedded(Edge(gate=gate, services=[orders], forward_token=False), signer=Signer(secret=secret))
        assert ask(app, "/orders/a%20b/%C3%A9?x=%2F&y", TOKEN).body == b"in"
        unsigned = embedded(Edge(gate=gate, services=[orders], forward_token=False))
        forged = {
            "X-Auth-Identity": Signer(secret=secrets.token_bytes(32)).sign(Exchange(Request("GET", "/orders", NOTHING), 0.0))
        }
        answer = ask(unsigned, "/orders/7", {**TOKEN, **forged})
        assert (answer.status, json.loads(answer.body)["code"]) == (401, "no_gateway_identity")
    assert seen == [("svc-a", "https://auth.test")]


def test_services_are_told_the_version_and_who_asks(old: FaultServer, new: FaultServer) -> None:
    gate = Gate([versions("keep"), JWTAuth(VERIFIER)])
    claimed = {"X-Auth-Subject": "admin", "X_Auth_Roles": "admin"}
    assert ask(embedded(edge(gate, old, new)), "/v1/orders/7", {**TOKEN, **claimed}).status == 200
    told = {name: value for name, value in old.requests[0].headers.items() if "auth-" in name.replace("_", "-")}
    assert told == {
        "x-auth-subject": "svc-a", "x-auth-scopes": "orders:read", "x-auth-issuer": "https://auth.test", "x-auth-version": "1",
        **({"x-auth-client-id": told["x-auth-client-id"]} if "x-auth-client-id" in told else {}),
    }  # fmt: skip


def test_services_of_an_edge_get_the_clients_host(old: FaultServer, new: FaultServer) -> None:
    ask(embedded(edge(Gate([versions("keep")]), old, new)), "/orders", {"Host": "api.example"})
    assert (new.requests[0].headers["host"], new.requests[0].headers["x-forwarded-host"]) == ("api.example", "api.example")


def test_gateway_says_that_it_runs_whatever_the_gate_wants(old: FaultServer, new: FaultServer) -> None:
    app = embedded(edge(Gate([versions("keep"), JWTAuth(VERIFIER)]), old, new))
    assert [ask(app, "/-/ready", method=method).status for method in ("GET", "HEAD")] == [200, 200]
    assert ask(app, "/-/ready/x").status == 401


def test_longest_body_is_the_edges(old: FaultServer, new: FaultServer) -> None:
    app = embedded(edge(Gate([versions("keep")]), old, new, max_body=10))
    answer = ask(app, "/orders", {"Content-Length": "11"}, "POST")
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "body_too_large")


def test_services_options_are_the_adapters(old: FaultServer, new: FaultServer) -> None:
    recorder = Recorder()
    app = embedded(
        edge(Gate([versions("keep")]), old, new), listeners=[recorder], adapters={"orders": {"retry": Retry(attempts=4)}}
    )
    new.expect(*[Reply(status=502, headers=TEXT)] * 3)
    assert ask(app, "/orders").body == b"new"
    assert len(new.requests) == 4


def test_unsafe_requests_are_not_sent_twice(old: FaultServer, new: FaultServer) -> None:
    app = embedded(edge(Gate([versions("keep")]), old, new))
    new.expect(Reply(status=502, headers=TEXT), Reply(status=502, headers=TEXT))
    assert ask(app, "/orders", {"Content-Length": "0"}, "POST").status == 502
    assert len(new.requests) == 1
    assert ask(app, "/orders").status == 200
    assert len(new.requests) == 3


def test_snapshot_has_every_route(old: FaultServer, new: FaultServer) -> None:
    app: Any = embedded(edge(Gate([versions("keep")]), old, new))
    ask(app, "/orders")
    seen = {(route["prefix"], route["version"]): list(route["endpoints"]) for route in app.snapshot()}
    assert seen == {("/orders", None): [new.url], ("/orders", "1"): [old.url]}


@pytest.mark.parametrize(
    "routes",
    [
        {"/orders": {}},
        {"/orders": {"x": ServiceAdapter("orders")}},
        {"/orders": {"1": ServiceAdapter("orders"), "1.0": ServiceAdapter("orders")}},
        {"/orders": ServiceAdapter("orders"), "/orders/": ServiceAdapter("orders")},
        {"/orders": None},
    ],
    ids=["no-version", "no-such-version", "twice-a-version", "twice-a-prefix", "no-adapter"],
)
def test_nonsense_in_routes_is_refused_when_made(routes: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Proxy\.routes"):
        Proxy(routes)


def test_nonsense_in_options_is_refused_when_made(old: FaultServer, new: FaultServer) -> None:
    with pytest.raises(ConfigurationError, match=r"Proxy\.max_body"):
        Proxy({"/": service(old)}, max_body=-1)
    with pytest.raises(ConfigurationError, match=r"Proxy\.via"):
        Proxy({"/": service(old)}, via="two words")
    with pytest.raises(ConfigurationError, match=r"embedded\.adapters"):
        embedded(edge(Gate([versions("keep")]), old, new), adapters={"billing": {}})
    not_an_edge: Any = "edge"
    with pytest.raises(ConfigurationError, match=r"embedded\.edge"):
        embedded(not_an_edge)
