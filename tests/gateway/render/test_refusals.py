"""What a server cannot carry out is refused by name, and never rendered more weakly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from interservice import ConfigurationError, Gate, HeaderVersion, JWTAuth, PathVersion, Rule, Tracing, Versions
from interservice.gateway import Edge, Service
from interservice.gateway.render import caddy, envoy, haproxy, haproxy_keys, kong, nginx
from interservice.gateway.render.envoy_jwt import rule_match
from interservice.inbound.policy import Policy
from interservice.testing import Issuer
from interservice.tokens import JWKS, StaticKeys, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ISSUER = Issuer("https://issuer.test", algorithms=["RS256", "ES256", "EdDSA"])
RENDER: dict[str, Callable[[Edge], str]] = {"nginx": nginx, "envoy": envoy, "haproxy": haproxy, "caddy": caddy, "kong": kong}


class Custom(Policy):
    """Somebody's own."""

    def admit(self, exchange: object) -> None:
        """Let pass."""


def verifier(**options: Any) -> Verifier:
    return Verifier("https://issuer.test", **{"audience": "edge", "keys": StaticKeys(ISSUER.jwks), **options})


def edge(
    *rules: Rule,
    tokens: Any = None,
    policies: Sequence[Any] = (),
    forward: bool = False,
    versions: Versions | None = None,
    own: bool = False,
    service: Any = None,
) -> Edge:
    """An edge whose gate wants tokens."""
    gate = Gate([Tracing(), *([versions] if versions else []), *policies, JWTAuth(tokens or verifier(), rules=rules)])
    pools = {"2": ["http://10.0.0.2"]} if own else {}
    orders = Service(name="orders", prefix="/orders", endpoints=["http://10.0.0.1"], versions=pools)
    return Edge(gate=gate, services=[service or orders], forward_auth="http://127.0.0.1:9000" if forward else None)


def one_key(kid: str) -> StaticKeys:
    return StaticKeys([key for key in ISSUER.jwks["keys"] if key["kty"] == kid])


CASES = [
    ("nginx", edge(), "Edge.forward_auth"),
    ("caddy", edge(), "Edge.forward_auth"),
    ("haproxy", edge(forward=True), "Edge.forward_auth"),
    ("kong", edge(forward=True), "Edge.forward_auth"),
    ("envoy", edge(policies=[Custom()]), "Custom of the gate"),
    ("haproxy", edge(policies=[Custom()]), "Custom of the gate"),
    ("envoy", edge(policies=[JWTAuth(verifier())]), "several JWTAuth"),
    ("envoy", edge(Rule("GET", "/late/{id}", max_auth_age=60)), "Rule.max_auth_age (/late/{id})"),
    ("haproxy", edge(Rule("GET", "/admin/**", roles=["admin"])), "Rule.roles (/admin/**)"),
    ("kong", edge(Rule("GET", "/orders", scopes=["x"])), "Rules (/orders)"),
    ("envoy", edge(tokens=verifier(max_lifetime=60)), "Verifier.max_lifetime"),
    ("envoy", edge(tokens=verifier(max_age=60)), "Verifier.max_age"),
    ("envoy", edge(tokens=verifier(leeway=0)), "Verifier.leeway"),
    ("envoy", edge(tokens=verifier(keys=StaticKeys.secret(b"x1y2" * 10))), "StaticKeys.secret"),
    ("haproxy", edge(tokens=verifier(keys=StaticKeys.secret(b"x1y2" * 10))), "StaticKeys.secret"),
    ("haproxy", edge(tokens=verifier(keys=JWKS("https://issuer.test/jwks"))), "cannot fetch keys"),
    ("haproxy", edge(tokens=verifier(keys=one_key("OKP"))), "none of the keys"),
    ("kong", edge(), "Verifier.audience"),
    ("kong", edge(tokens=verifier(audience=None)), "Verifier.reject_id_tokens"),
    ("kong", edge(tokens=verifier(audience=None, reject_id_tokens=False)), "one configured key"),
    ("kong", edge(tokens=verifier(audience=None, reject_id_tokens=False, keys=one_key("OKP"))), "no Ed25519 key"),
    ("envoy", edge(versions=Versions(["1", "2"], default=lambda _: "1"), own=True), "Versions.default"),
    ("envoy", edge(versions=Versions(["2026-01-31", "2"], match="floor")), "Versions.match"),
    ("envoy", edge(versions=Versions(["1", "2"], readers=[HeaderVersion("x!y")]), own=True), "HeaderVersion.name"),
]


@pytest.mark.parametrize(("server", "asked", "named"), CASES, ids=[f"{server}-{named}" for server, _, named in CASES])
def test_what_a_server_cannot_carry_out_is_named(server: str, asked: Edge, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        RENDER[server](asked)
    assert named in str(raised.value)


@pytest.mark.parametrize("server", ["nginx", "envoy", "caddy"])
def test_gate_that_is_asked_may_decide_what_it_likes(server: str) -> None:
    policies = [Custom()]
    asked = edge(Rule("GET", "/late", max_auth_age=60), policies=policies, forward=True, tokens=verifier(max_age=60))
    assert "orders" in RENDER[server](asked)


def test_https_instances_of_one_pool_must_have_one_name() -> None:
    service = Service(name="orders", prefix="/orders", endpoints=["https://a.example", "https://b.example"])
    for server in ("nginx", "envoy"):
        with pytest.raises(ConfigurationError, match="https instances with one name"):
            RENDER[server](edge(service=service, forward=True))


def test_versions_and_endpoints_must_speak_the_same() -> None:
    versions = Versions(["1", "2"])
    service = Service(name="orders", prefix="/orders", endpoints=["https://a.example"], versions={"2": ["http://a.example"]})
    with pytest.raises(ConfigurationError, match="all http or all https"):
        nginx(edge(service=service, versions=versions, forward=True))


def test_keys_for_haproxy_are_public_and_of_use() -> None:
    keys = haproxy_keys(edge())
    assert len(keys) == 2  # RS256 and ES256, no EdDSA
    assert all(key.startswith(b"-----BEGIN PUBLIC KEY-----") for key in keys.values())
    assert all(name in haproxy(edge()) for name in keys)


def test_version_in_the_path_counts_for_rules_only_where_it_is_stripped() -> None:
    readers = [PathVersion("/v{version}")]
    rule = Rule("GET", "/orders")
    kept, stripped = (edge(rule, versions=Versions(["1"], readers=readers, path=path)) for path in ("keep", "strip"))
    assert [bool(re.fullmatch(rule_match(each, rule)["safe_regex"]["regex"], "/v1/orders")) for each in (kept, stripped)] == [
        False,
        True,
    ]
