"""What the comparison with Envoy in the documentation says, row by row, against a real Envoy and the embedded gateway."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interservice import Deadlines, Gate, JWTAuth, Tracing
from interservice.faultserver import FaultServer, Reply
from interservice.gateway import Edge, Service, embedded
from interservice.testing import FakeClock, Issuer
from interservice.tokens import JWKS, Verifier
from tests.bindings import wsgi_side
from tests.servers.peer import Peer, accepts, envoy, eventually, free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deployment" / "envoy-comparison.md"
#: What is asked: what Envoy does, and what we do. The page has the same table.
FACTS = {
    "a token for another audience": ("403", "401"),
    "a token without `exp`": ("200", "401"),
    "a token whose `crit` names an extension that nobody knows": ("200", "401"),
    "a token in the query, `?access_token=`": ("200", "401"),
    "a token of a key that was published after the keys were fetched": (
        "401 until the cache ends",
        "200: they are fetched again",
    ),
    "the keys cannot be fetched, and never were": ("401", "503"),
    "the keys cannot be fetched any more, and their cache has ended": ("401", "200: the old ones are kept for hours"),
    "a POST that the service answers with 502": ("sent 3 times", "sent once"),
    "50 GETs in turn that are all answered with 502, 2 retries each, and a budget of 20 %": ("sent 150 times", "sent 60 times"),
    "a caller that says that it waits 500 ms: what the service is told": ("2000 ms, the route's own", "at most 500 ms"),
}
AUDIENCE, TIMEOUT = "orders", 2.0
TEXT = {"Content-Type": "text/plain"}
_TYPES = "type.googleapis.com/envoy.extensions.filters"


class Sides:
    """The same service behind Envoy and behind us, with the keys of one issuer."""

    def __init__(self, port: int, issuer: Issuer, url: str, service: FaultServer) -> None:
        self.port, self.issuer, self.url, self.service = port, issuer, url, service
        self.ours = self.app(JWKS(f"{url}/jwks"))

    def app(self, keys: JWKS, **adapter: Any) -> Any:
        gate = Gate([Tracing(), Deadlines(), JWTAuth(Verifier(self.issuer.issuer, AUDIENCE, keys=keys))])
        orders = Service(name="orders", prefix="/orders", endpoints=[self.service.url], timeout=TIMEOUT, retries=2)
        return embedded(Edge(gate=gate, services=[orders]), adapters={"orders": {"breaker": None, **adapter}})

    def token(self, **options: Any) -> str:
        return self.issuer.mint(**{"sub": "svc-a", "aud": AUDIENCE, **options})

    def envoy(self, path: str = "/orders/7", token: str | None = None, method: str = "GET", **fields: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={**_bearer(token), **fields})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def us(self, path: str = "/orders/7", token: str | None = None, method: str = "GET", app: Any = None, **fields: str) -> int:
        length = {"Content-Length": "0"} if method == "POST" else {}
        answer = wsgi_side.ask(app or self.ours, method, path, {**_bearer(token), **length, **fields})
        assert answer.status is not None, answer
        return int(answer.status)

    def both(self, path: str = "/orders/7", token: str | None = None) -> tuple[str, str]:
        """The statuses that the two sides answer."""
        return str(self.envoy(path, token)), str(self.us(path, token))


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    budget = {"thresholds": [{"retry_budget": {"budget_percent": {"value": 20.0}, "min_retry_concurrency": 3}}]}
    return {
        "name": name,
        "connect_timeout": "1s",
        "circuit_breakers": budget,
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


def _configuration(port: int, issuer: str, keys: int, service: int, nowhere: int) -> dict[str, Any]:
    """One listener: keys kept for ten minutes, for a second, and keys that cannot be had; retries as a gateway has them."""

    def provider(cluster: str, seconds: int) -> dict[str, Any]:
        fetched = {"uri": "http://keys/jwks", "cluster": cluster, "timeout": "1s"}
        return {
            "issuer": issuer, "audiences": [AUDIENCE], "remote_jwks": {"http_uri": fetched, "cache_duration": f"{seconds}s"},
        }  # fmt: skip

    jwt = {
        "@type": f"{_TYPES}.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"long": provider("keys", 600), "short": provider("keys", 1), "cold": provider("nowhere", 600)},
        "rules": [
            {"match": {"prefix": f"/{name}"}, "requires": {"provider_name": known}}
            for name, known in (("orders", "long"), ("short", "short"), ("cold", "cold"))
        ],
    }
    retries = {"retry_on": "5xx,reset,connect-failure", "num_retries": 2, "retry_back_off": {"base_interval": "0.005s"}}
    route = {"cluster": "service", "timeout": f"{TIMEOUT}s", "retry_policy": retries}
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "http_filters": [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": jwt},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}},
        ],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "static_resources": {
            "listeners": [{"name": "edge", "address": _address(port), "filter_chains": [{"filters": filters}]}],
            "clusters": [_cluster("service", service), _cluster("keys", keys), _cluster("nowhere", nowhere)],
        }
    }


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    issuer = Issuer("https://auth.test", algorithms=["ES256"])
    binary, port = envoy(), free_port()
    with issuer.serve() as url, FaultServer(then=Reply(headers=TEXT)) as service:
        keys = int(url.rpartition(":")[2])
        told = _configuration(port, issuer.issuer, keys, service.port, free_port())
        (tmp_path / "envoy.json").write_text(json.dumps(told))
        command = [binary, "-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]
        with Peer(command, lambda: accepts(port), cwd=tmp_path):
            yield Sides(port, issuer, url, service)


def test_good_token_is_good_for_both(sides: Sides) -> None:
    assert sides.both(token=sides.token()) == ("200", "200")
    assert sides.both() == ("401", "401")


def test_audience(sides: Sides) -> None:
    assert sides.both(token=sides.token(aud="billing")) == FACTS["a token for another audience"]


def test_expiry(sides: Sides) -> None:
    assert sides.both(token=sides.token(exp=None)) == FACTS["a token without `exp`"]


def test_critical_extension(sides: Sides) -> None:
    token = sides.token(headers={"crit": ["https://example.test/x"], "https://example.test/x": 1})
    assert sides.both(token=token) == FACTS["a token whose `crit` names an extension that nobody knows"]


def test_token_in_the_query(sides: Sides) -> None:
    assert sides.both(f"/orders/7?access_token={sides.token()}") == FACTS["a token in the query, `?access_token=`"]


def test_new_key(sides: Sides) -> None:
    assert sides.both(token=sides.token()) == ("200", "200")
    fetched = sides.issuer.hits("/jwks")
    sides.issuer.rotate()
    token = sides.token()
    theirs, ours = FACTS["a token of a key that was published after the keys were fetched"]
    assert theirs.startswith(str(sides.envoy(token=token)))
    assert sides.issuer.hits("/jwks") == fetched
    assert ours.startswith(str(sides.us(token=token)))
    assert sides.issuer.hits("/jwks") == fetched + 1


def test_keys_that_never_were_there(sides: Sides) -> None:
    token = sides.token()
    ours = sides.app(JWKS(f"http://127.0.0.1:{free_port()}/jwks"))
    seen = (str(sides.envoy("/cold", token)), str(sides.us(token=token, app=ours)))
    assert seen == FACTS["the keys cannot be fetched, and never were"]


def test_keys_that_went_away(sides: Sides) -> None:
    token, clock = sides.token(), FakeClock()
    ours = sides.app(JWKS(f"{sides.url}/jwks", clock=clock))
    assert (sides.envoy("/short", token), sides.us(token=token, app=ours)) == (200, 200)
    sides.issuer.fail("unavailable")
    clock.advance(3600.0)
    theirs, mine = FACTS["the keys cannot be fetched any more, and their cache has ended"]
    assert eventually(lambda: str(sides.envoy("/short", token)) == theirs)
    assert mine.startswith(str(sides.us(token=token, app=ours)))


def test_unsafe_retries(sides: Sides) -> None:
    token = sides.token()
    sides.service.expect(*[Reply(status=502, headers=TEXT)] * 3)
    assert sides.envoy(token=token, method="POST") == 502
    theirs = len(sides.service.requests)
    sides.service.expect(Reply(status=502, headers=TEXT))
    assert sides.us(token=token, method="POST") == 502
    mine = len(sides.service.requests) - theirs
    assert (f"sent {theirs} times", "sent once" if mine == 1 else mine) == FACTS["a POST that the service answers with 502"]


def test_retries_in_an_outage(sides: Sides) -> None:
    token = sides.token()
    failing = Reply(status=502, headers=TEXT)
    sides.service.expect(*[failing] * 500)
    assert {sides.envoy(token=token) for _ in range(50)} == {502}
    theirs = len(sides.service.requests)
    ours = sides.app(JWKS(f"{sides.url}/jwks"), clock=FakeClock())
    assert {sides.us(token=token, app=ours) for _ in range(50)} == {502}
    seen = (f"sent {theirs} times", f"sent {len(sides.service.requests) - theirs} times")
    assert seen == FACTS["50 GETs in turn that are all answered with 502, 2 retries each, and a budget of 20 %"]


def test_time_that_the_service_is_told(sides: Sides) -> None:
    theirs, mine = FACTS["a caller that says that it waits 500 ms: what the service is told"]
    waits = {"x-envoy-expected-rq-timeout-ms": "500"}
    assert sides.envoy(token=sides.token(), **waits) == sides.us(token=sides.token(), **waits) == 200
    by_envoy, by_us = sides.service.requests
    assert theirs.startswith(by_envoy.headers["x-envoy-expected-rq-timeout-ms"])
    assert 0 < int(by_us.headers["x-request-timeout-ms"]) <= int(mine.split()[2])


def test_both_tell_what_is_left_in_later_tries(sides: Sides) -> None:
    """What the page says they have in common."""

    def told(ask: Callable[..., int], field: str) -> tuple[int, int]:
        before = len(sides.service.requests)
        sides.service.expect(Reply(status=502, delay=0.3, headers=TEXT))
        assert ask(token=sides.token()) == 200
        first, second = (int(request.headers[field]) for request in sides.service.requests[before:])
        return first, second

    for ask, field in ((sides.envoy, "x-envoy-expected-rq-timeout-ms"), (sides.us, "x-request-timeout-ms")):
        first, second = told(ask, field)
        assert second <= first - 250


def test_page_has_this_very_table() -> None:
    section = PAGE.read_text("utf-8").partition("## What was measured\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert rows == [f"| {asked} | {theirs} | {ours} |" for asked, (theirs, ours) in FACTS.items()]
