"""Kong's configuration against a schema of the parts that are rendered: a lint, as no Kong could be had to run it."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from interservice import Gate, JWTAuth, Versions
from interservice.gateway import Edge, Service
from interservice.gateway.render import kong
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT, _COUNT, _FLAG = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
_NAME = {"type": "string", "pattern": r"^[A-Za-z0-9._~\-]+$"}
_PROTOCOLS = _list({"enum": ["http", "https"]})
_ROUTE = _object(
    "name paths protocols",
    name=_NAME,
    paths=_list({"type": "string", "pattern": "^[/~]"}),
    headers={"type": "object", "additionalProperties": _list(_TEXT)},
    protocols=_PROTOCOLS,
    strip_path=_FLAG,
    preserve_host=_FLAG,
    regex_priority=_COUNT,
)
_SERVICE = _object(
    "name host port protocol routes",
    name=_NAME,
    host=_NAME,
    port=_COUNT,
    path=_TEXT,
    protocol={"enum": ["http", "https"]},
    retries=_COUNT,
    connect_timeout=_COUNT,
    read_timeout=_COUNT,
    write_timeout=_COUNT,
    tls_verify=_FLAG,
    routes=_list(_ROUTE),
)
_CHECK = {"type": "object", "properties": {"interval": _COUNT, "successes": _COUNT, "http_statuses": _list(_COUNT)}}
_HEALTH = _object(
    active=_object(type=_TEXT, http_path=_TEXT, timeout=_COUNT, healthy=_CHECK, unhealthy=_CHECK),
    passive=_object(type=_TEXT, healthy=_CHECK, unhealthy=_CHECK),
)
_UPSTREAM = _object(
    "name targets",
    name=_NAME,
    algorithm={"enum": ["round-robin"]},
    targets=_list(_object("target weight", target=_TEXT, weight=_COUNT)),
    healthchecks=_HEALTH,
)
_PLUGINS = {"enum": ["jwt", "request-transformer", "correlation-id", "request-size-limiting"]}
_SECRET = _object(
    "key algorithm rsa_public_key", key=_TEXT, algorithm={"enum": ["RS256", "ES256", "ES384"]}, rsa_public_key=_TEXT, secret=_TEXT
)
SCHEMA = _object(
    "_format_version services upstreams plugins",
    _format_version={"const": "3.0"},
    services=_list(_SERVICE),
    upstreams=_list(_UPSTREAM),
    plugins=_list(_object("name config", name=_PLUGINS, config={"type": "object"})),
    consumers=_list(_object("username jwt_secrets", username=_NAME, jwt_secrets=_list(_SECRET))),
)
ORDERS = Service(name="orders", prefix="/orders", endpoints=["http://10.0.0.1:8000"], versions={"2": ["http://10.0.0.2:8000"]})
FILES = Service(name="files", prefix="/", endpoints=["https://files.example"], health=None, retries=0)


def checked(edge: Edge) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kong(edge))
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(found)]
    assert errors == []
    return found


def test_services_routes_and_upstreams_have_the_right_shape() -> None:
    found = checked(Edge(gate=Gate([Versions(["1", "2"], default="1")]), services=[FILES, ORDERS]))
    names = [service["name"] for service in found["services"]]
    assert names == ["orders.2", "orders", "files"]
    assert {upstream["name"] for upstream in found["upstreams"]} == {f"edge.{name}" for name in names}
    assert {service["host"] for service in found["services"]} == {upstream["name"] for upstream in found["upstreams"]}


def test_longer_prefixes_and_conditions_go_first() -> None:
    found = checked(Edge(gate=Gate([Versions(["1", "2"], default="1")]), services=[FILES, ORDERS]))
    priorities = {route["name"]: route["regex_priority"] for service in found["services"] for route in service["routes"]}
    assert priorities["files-0"] < priorities["orders-3"] <= priorities["orders.2-0"]


def test_tokens_are_verified_where_the_plugin_can() -> None:
    issuer = Issuer("https://issuer.test", algorithms=["RS256"])
    verifier = Verifier("https://issuer.test", None, keys=StaticKeys(issuer.jwks), reject_id_tokens=False)
    found = checked(Edge(gate=Gate([JWTAuth(verifier)]), services=[FILES]))
    (consumer,) = found["consumers"]
    assert consumer["jwt_secrets"][0]["key"] == "https://issuer.test"
    (plugin,) = [plugin for plugin in found["plugins"] if plugin["name"] == "jwt"]
    assert plugin["config"]["claims_to_verify"] == ["exp", "nbf"]


def test_identity_of_clients_is_taken_off_in_both_spellings() -> None:
    found = checked(Edge(gate=Gate([Versions(["1"])]), services=[FILES]))
    (plugin,) = [plugin for plugin in found["plugins"] if plugin["name"] == "request-transformer"]
    assert {"x-auth-identity", "x_auth_identity", "x-forwarded-client-cert"} <= set(plugin["config"]["remove"]["headers"])
