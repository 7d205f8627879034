"""Whatever stands in an option, it stays one value: the rest is as it would be with a tame one, or nothing is rendered."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from interservice import ConfigurationError, Gate, JWTAuth, PathVersion, Rule, Versions
from interservice.gateway import Edge, Service
from interservice.gateway.render import caddy, haproxy, nginx
from interservice.gateway.render.envoy import bootstrap
from interservice.inbound.versions import HeaderVersion, MediaTypeVersion, QueryVersion
from interservice.inbound.versions.readers import Reader
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER = Issuer("https://issuer.test", algorithms=["ES256"])
KEYS = StaticKeys(ISSUER.jwks)
HOSTILE = st.text(alphabet="ab1 \t\n\r;{}\"'`$\\#%[]()*,:=-~^|é\0", min_size=1, max_size=12) | st.text(min_size=1, max_size=12)
TAME = "tame"


def edge(**values: str) -> Edge:
    """An edge without forward_auth, with one value in each place that takes text."""
    get = values.get
    rules = [
        Rule("GET", get("path", "/tame"), scopes=[get("scope", TAME)], issuers=[get("issuer", TAME)], acr=[get("acr", TAME)]),
        Rule("GET", "/x", any_scopes=[get("any_scope", TAME)], clients=[get("client", TAME)]),
    ]
    verifier = Verifier(get("issuer", TAME), get("audience", TAME), keys=KEYS, require=("exp", get("require", TAME)))
    auth = JWTAuth(verifier, rules=rules, realm=get("realm", TAME))
    return Edge(gate=Gate([_versions(get), auth], service=get("service", TAME)), services=[_service()])


def opened(**values: str) -> Edge:
    """One without tokens, for servers that verify none."""
    return Edge(gate=Gate([_versions(values.get)]), services=[_service()])


def _versions(get: Callable[[str, str], str]) -> Versions:
    readers: list[Reader] = [
        PathVersion("/" + get("template", TAME) + "{version}"),
        HeaderVersion(get("header", TAME)),
        QueryVersion(get("query", TAME)),
        MediaTypeVersion(get("parameter", TAME), template="application/" + get("media", TAME) + "{version}"),
    ]
    return Versions(["1", "2"], default="1", readers=readers)


def _service() -> Service:
    return Service(name="orders", prefix="/orders", endpoints=["http://10.0.0.1"], versions={"2": ["http://10.0.0.2"]})


def nginx_shape(text: str) -> list[int]:
    """How many words each directive and block has."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[;{}]|#[^\n]*|[^\s;{}"\']+', text, re.DOTALL)
    shape, count = [], 0
    for token in tokens:
        if token in (";", "{", "}"):
            shape += [count, " ;{}".index(token)]
            count = 0
        elif not token.startswith("#"):
            count += 1
    return shape


def haproxy_shape(text: str) -> list[int]:
    """How many words each line has."""
    return [len(shlex.split(line, comments=True)) for line in text.split("\n")]


def caddy_shape(text: str) -> list[int]:
    """How many words each line has, by the quotes that a Caddyfile knows."""
    blank = re.sub(r'`[^`]*`|"(?:[^"\\]|\\.)*"', "word", text)
    return [len(line.split()) for line in blank.split("\n")]


def envoy_shape(value: object) -> object:
    """The same with every text left out but the names of members."""
    if isinstance(value, dict):
        return [(key if not key.startswith("0001 ") else "", envoy_shape(each)) for key, each in value.items()]
    return [envoy_shape(each) for each in value] if isinstance(value, list) else type(value).__name__


SERVERS: dict[str, tuple[Callable[..., Edge], Callable[..., Any], Callable[..., object]]] = {
    "nginx": (opened, nginx, nginx_shape),
    "caddy": (opened, caddy, caddy_shape),
    "haproxy": (edge, haproxy, haproxy_shape),
    "envoy": (edge, bootstrap, envoy_shape),
}
KNOWN = ('"; evil on; "', "'\nevil", "a b", "-i", "{env.HOME}", "$evil", "`")
PLACES = ("template", "header", "query", "parameter", "media")
MORE = ("path", "scope", "any_scope", "client", "acr", "issuer", "audience", "require", "realm", "service")


@pytest.mark.parametrize("server", sorted(SERVERS))
@given(data=st.data())
@settings(max_examples=40)
@example(data=None)
def test_value_stays_a_value(server: str, data: Any) -> None:
    make, render, shape = SERVERS[server]
    tame = shape(render(make()))
    places = PLACES if make is opened else PLACES + MORE
    if data is None:
        drawn = [(place, value) for place in places for value in KNOWN]
    else:
        drawn = [(data.draw(st.sampled_from(places)), data.draw(HOSTILE))]
    for place, value in drawn:
        hostile = f"/{value}" if place == "path" else value
        try:
            text = render(make(**{place: hostile}))
        except ConfigurationError:
            continue
        assert shape(text) == tame, (place, value)


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_tame_values_are_rendered(server: str) -> None:
    make, render, _ = SERVERS[server]
    assert "orders" in str(render(make()))
