"""Gateways that verify tokens by themselves: never weaker than the gate, and as good as it for ordinary requests."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from interservice import ConfigurationError, Gate, JWTAuth
from interservice.gateway import Edge
from interservice.gateway.render import haproxy
from interservice.http import Request
from interservice.testing import Issuer
from interservice.tokens import JWKS, StaticKeys
from tests.servers.edge_gate import RULES, gate
from tests.servers.edges import NAMES, RUN, Gateway, Instance, instances, options, run_haproxy, services
from tests.servers.parity import ALL, Asked, Fields, Verdict, pairs, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from interservice.inbound.rules import Rule

pytestmark = pytest.mark.xdist_group("render-native")
#: HAProxy reads no lists.
WITHOUT_ROLES = tuple(rule for rule in RULES if not rule.roles)
_KINDS: Mapping[str, tuple[Rule, ...]] = {"envoy": RULES, "haproxy": WITHOUT_ROLES}


class Fielded:
    """Fields as a server gives them."""

    def __init__(self, fields: Fields) -> None:
        self._fields = [(name.lower(), value) for name, value in fields]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return ",".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._fields if key == name]

    def items(self) -> list[tuple[str, str]]:
        return self._fields


def decided(gate: Gate, asked: Asked, fields: Fields) -> Verdict:
    """What the gate itself says."""
    path, _, query = asked.target.partition("?")
    headers = Fielded([("host", "edge"), *asked.headers, *fields])
    exchange = gate.open(Request(asked.method, unquote(path), headers, raw_path=path.encode(), query=query))
    while work := gate.prepare(exchange):
        work()
    reply = gate.admit(exchange)
    gate.finish(exchange)
    return Verdict(200, None) if reply is None else Verdict(reply.status, None)


def restricted(whole: Gate, rules: tuple[Rule, ...]) -> Gate:
    """A gate with other rules."""
    policies = [replace(policy, rules=rules) if isinstance(policy, JWTAuth) else policy for policy in whole.policies]
    return Gate(policies, service=whole.service)


@dataclass
class Native:
    """A gateway that verifies, the gate that it stands for, and what is behind it."""

    kind: str
    gateway: Gateway
    gate: Gate
    found: dict[str, Instance]
    issuer: Issuer

    def bearer(self, **claims: object) -> Fields:
        """A field with a good token, unless `claims` say otherwise."""
        good = {"sub": "svc-a", "aud": "edge", "scope": ALL}
        return [("Authorization", f"Bearer {self.issuer.mint(**{**good, **claims})}")]  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=sorted(_KINDS))
def native(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    issuer = Issuer("https://issuer.test", algorithms=["RS256", "ES256"])
    whole = restricted(gate(issuer.issuer, StaticKeys(issuer.jwks)), _KINDS[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        found = stack.enter_context(instances(*NAMES))
        edge = Edge(gate=whole, services=services(found), max_body=400_000, **options(folder))
        run = {**RUN, "haproxy": run_haproxy}[request.param]
        yield Native(request.param, stack.enter_context(run(edge, folder)), whole, found, issuer)


def test_nothing_passes_that_the_gate_would_refuse(native: Native) -> None:
    stranger = Issuer(native.issuer.issuer, algorithms=["RS256"])
    weaker, stricter, passed = [], [], 0
    for token, fields, asked in pairs(native.issuer, stranger):
        expected = decided(native.gate, asked, fields)
        got = verdict(native.gateway.ask(asked.target, asked.method, [*asked.headers, *fields]))
        passed += got.status == 200
        if got.status == 200 and expected.status != 200:
            weaker.append((token, asked.name, str(expected), str(got)))
        if got.status != 200 and expected.status == 200:
            stricter.append((token, asked.name, str(got)))
    assert sum(len(instance.heard) for instance in native.found.values()) == passed > 30
    # The versions of requests are for the services to judge; and Envoy believes in any time of issue.
    believed = {"issued later"} if native.kind == "envoy" else set()
    assert [each for each in weaker if not _about_versions(each[1]) and each[0] not in believed] == []
    for each in stricter:
        sys.stdout.write(f"{native.kind} is stricter: {each}\n")
    assert {(token, name) for token, name, _ in stricter} <= _STRICTER[native.kind] | _EVERYWHERE


def _about_versions(name: str) -> bool:
    return "API-Version" in name or "Accept: application/json; version=9" in name


_PREFLIGHTS = "[Origin: https://app.example] [Access-Control-Request-Method: PUT]"
_TOKENS = ("none", "good", "wrong scope", "expired", "two fields", "two in one")
#: No escape that nobody needs; nobody behind a path; preflights with two tokens.
_EVERYWHERE = {
    *((token, "GET /%75sers/7") for token in _TOKENS),
    *((token, f"OPTIONS /nothing {_PREFLIGHTS}") for token in _TOKENS),
    *((token, "GET /users/public/x") for token in ("malformed", "not base64", "behind basic")),
    *(
        (token, name)
        for token in ("two fields", "two in one")
        for name in ("GET /users/public/x", f"OPTIONS /orders/7 {_PREFLIGHTS}")
    ),
}
_ORDINARY = (
    "GET /users/public/x",
    "GET /users/7",
    "GET /orders",
    "GET /orders/7",
    "GET /orders/7/lines?x=1",
    "GET /v1/orders/7",
)
_STRICTER: Mapping[str, set[tuple[str, str]]] = {
    "envoy": {("lower case", name) for name in _ORDINARY},
    "haproxy": {(token, name) for token in ("scope list", "aud list", "lower case") for name in _ORDINARY},
}


@pytest.mark.parametrize(
    ("target", "method", "claims", "status"),
    [
        ("/orders/7", "GET", {}, 200),
        ("/v2/orders/7", "GET", {}, 200),
        ("/orders", "POST", {}, 200),
        ("/orders", "POST", {"scope": "orders:read"}, 403),
        ("/orders/7", "GET", {"scope": "orders:all"}, 200),
        ("/orders/7", "GET", {"scope": "orders:allx"}, 403),
        ("/orders/7", "DELETE", {"client_id": "janitor"}, 200),
        ("/orders/7", "DELETE", {"client_id": "janitor2"}, 403),
        ("/users/7", "GET", {"exp": 1}, 401),
        ("/users/7", "GET", {"aud": "edge2"}, 401),
        ("/nothing", "GET", {}, 403),
        ("/v9/orders/7", "GET", {}, 403),
    ],
)
def test_claims_open_what_the_rules_say(native: Native, target: str, method: str, claims: dict[str, object], status: int) -> None:
    answer = native.gateway.ask(target, method, native.bearer(**claims), b"x" if method == "POST" else None)
    if (native.kind, claims) == ("envoy", {"aud": "edge2"}):
        status = 403  # Envoy's own word for a wrong audience
    assert answer.status == status
    assert status == 200 or answer.all("content-type") == ["application/problem+json"]


def test_role_in_a_list_opens(native: Native) -> None:
    if native.kind == "haproxy":  # reads no lists, so that such rules are not rendered for it
        with pytest.raises(ConfigurationError, match=r"Rule\.roles"):
            haproxy(Edge(gate=restricted(native.gate, RULES), services=services(native.found)))
        return
    assert native.gateway.ask("/users/admin/x", "GET", native.bearer(roles=["user", "admin"])).status == 200
    assert native.gateway.ask("/users/admin/x", "GET", native.bearer(realm_access={"roles": ["admin"]})).status == 200
    assert native.gateway.ask("/users/admin/x", "GET", native.bearer(roles=["user"])).status == 403


def test_versions_find_their_instances(native: Native) -> None:
    for target, headers, instance in (
        ("/orders/7", [], "orders-a orders-b"),
        ("/v1/orders/7", [], "orders-a orders-b"),
        ("/v2/orders/7", [], "orders-2"),
        ("/v2.0.0/orders/7", [], "orders-2"),
        ("/orders/7", [("API-Version", "2.0")], "orders-2"),
        ("/orders/7", [("Accept", "text/html, application/json;version=2;q=0.5")], "orders-2"),
        ("/orders/7?api=2", [("API-Version", "1")], "orders-a orders-b"),
    ):
        answer = native.gateway.ask(target, "GET", [*native.bearer(), *headers])
        assert answer.status == 200, target
        assert answer.json["instance"] in instance.split(), target


def test_fields_of_identity_reach_no_service(native: Native) -> None:
    for instance in native.found.values():
        instance.heard.clear()
    spoofs = [
        (name, "evil")
        for name in (
            "X-Auth-Subject",
            "X_Auth_Identity",
            "X-Auth-Anything",
            "X-Forwarded-For",
            "X-Request-ID",
            "X-Envoy-Retry-On",
        )
    ]
    answer = native.gateway.ask("/users/public/x", "GET", [*native.bearer(), *spoofs])
    (heard,) = native.found["users"].heard
    assert "evil" not in str(heard.headers)
    assert heard.all("x-forwarded-for") == ["127.0.0.1"]
    assert len(heard.all("authorization")) == 1
    assert answer.all("x-request-id") == heard.all("x-request-id")


def test_envoy_fetches_keys_of_an_issuer_that_publishes_them(tmp_path: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    issuer = Issuer(algorithms=["ES256"])
    folder = tmp_path_factory.mktemp("envoy")
    with issuer.serve() as url, instances(*NAMES) as found:
        whole = gate(url, JWKS(f"{url}/jwks"))
        edge = Edge(gate=whole, services=services(found), **options(folder))
        with RUN["envoy"](edge, folder) as gateway:
            native = Native("envoy", gateway, whole, found, issuer)
            assert gateway.ask("/users/7", "GET", native.bearer()).status == 200
            assert gateway.ask("/users/7", "GET", native.bearer(aud="other")).status == 403


def test_envoy_is_told_where_an_issuers_metadata_has_its_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    issuer = Issuer(algorithms=["ES256"])
    folder = tmp_path_factory.mktemp("envoy")
    with issuer.serve() as url, instances(*NAMES) as found:
        edge = Edge(gate=gate(url), services=services(found), **options(folder))
        with RUN["envoy"](edge, folder) as gateway:
            assert gateway.ask("/users/7", "GET", Native("envoy", gateway, edge.gate, found, issuer).bearer()).status == 200
