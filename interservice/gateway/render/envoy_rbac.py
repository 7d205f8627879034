"""Envoy's `rbac`: what the gate's rules ask of a verified token, by claims that `jwt_authn` has left as metadata.

Policies of this filter have no order. So each has the rules before it, as far as they may match the same request, as exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interservice.errors import ConfigurationError
from interservice.gateway.edge import READY

from .envoy_jwt import ENVOY, FILTER, MALFORMED, PREFLIGHT, rule_match
from .envoy_types import extension, regex
from .native import before, policy, providers
from .patterns import AMBIGUOUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from interservice.gateway.edge import Edge
    from interservice.inbound.rules import Rule

    from .native import Provider

_ANY: dict[str, Any] = {"any": True}
_SCOPES = ("scope", "scp", "permissions")
_ROLES = ("roles", "groups", "entitlements", "cognito:groups")
_CLIENTS = ("client_id", "azp", "appid", "cid")
_ID_TOKEN = ("nonce", "at_hash", "c_hash")
_ACCESS_TOKEN = "(?i:(?:application/)?at\\+jwt)"  # noqa: S105 - a type


def rbac(edge: Edge) -> list[dict[str, Any]]:
    """The filter."""
    auth = policy(edge, ENVOY)
    sound = _sound(providers(edge, ENVOY))
    found = {"0-answered": _policy([_path(READY), _all([{"header": each} for each in MALFORMED]), _url(AMBIGUOUS)], [_ANY])}
    if auth.preflight:
        found["0-preflight"] = _policy([_all([{"header": each} for each in PREFLIGHT])], [_ANY])
    audiences = [audience for provider in providers(edge, ENVOY) for audience in provider.audiences or ()]
    for position, rule in enumerate(auth.rules):
        matched = [_rule(edge, rule)]
        exceptions = [_rule(edge, earlier) for earlier in before(auth.rules, position)]
        if exceptions:
            matched.append({"not_rule": {"or_rules": {"rules": exceptions}}})
        needs = [] if rule.public else [*sound, *_needs(rule, audiences)]
        found[f"{position + 1:04d} {rule.path}"] = _policy([_all(matched)], [{"and_ids": {"ids": needs}} if needs else _ANY])
    if not auth.rules:
        found["1"] = _policy([_ANY], [{"and_ids": {"ids": sound}}])
    return [extension("envoy.filters.http.rbac", "filters.http.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": found})]


def _policy(permissions: list[dict[str, Any]], principals: list[dict[str, Any]]) -> dict[str, Any]:
    return {"permissions": permissions, "principals": principals}


def _all(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"and_rules": {"rules": rules}}


def _path(path: str) -> dict[str, Any]:
    return {"url_path": {"path": {"exact": path}}}


def _url(pattern: str) -> dict[str, Any]:
    return {"url_path": {"path": regex(pattern)}}


def _rule(edge: Edge, rule: Rule) -> dict[str, Any]:
    match = rule_match(edge, rule)
    return _all(
        [{"url_path": {"path": {"safe_regex": match["safe_regex"]}}}, *({"header": each} for each in match.get("headers", ()))]
    )


def _needs(rule: Rule, audiences: Sequence[str]) -> Iterable[dict[str, Any]]:
    """What a rule asks of the claims; each must be so.

    Raises:
        ConfigurationError: It asks what Envoy cannot tell.
    """
    if rule.max_auth_age is not None:
        raise ConfigurationError(f"Envoy cannot carry out Rule.max_auth_age ({rule.path}): give Edge.forward_auth")
    for scope in rule.scopes:
        yield _scope(scope)
    if rule.any_scopes:
        yield _either(_scope(scope) for scope in rule.any_scopes)
    if rule.roles:
        yield _either(_role(role, audiences) for role in rule.roles)
    if rule.clients:
        yield _either(_client(client) for client in rule.clients)
    if rule.issuers:
        yield _either(_claim("iss", {"string_match": {"exact": issuer}}) for issuer in rule.issuers)
    if rule.acr:
        yield _either(_claim("acr", {"string_match": {"exact": acr}}) for acr in rule.acr)


def _scope(scope: str) -> dict[str, Any]:
    word = {"string_match": regex(f"(?:.* )?{_quoted(scope)}(?: .*)?")}
    return _either(each for name in _SCOPES for each in (_claim(name, word), _listed((name,), scope)))


def _role(role: str, audiences: Iterable[str]) -> dict[str, Any]:
    places = [
        *((name,) for name in _ROLES),
        ("realm_access", "roles"),
        *(("resource_access", each, "roles") for each in audiences),
    ]
    exact = {"string_match": {"exact": role}}
    return _either(each for place in places for each in (_nested(place, exact), _listed(place, role)))


def _client(client: str) -> dict[str, Any]:
    """The first of the claims that is there names the client."""
    exact = {"string_match": {"exact": client}}
    found = []
    for position, name in enumerate(_CLIENTS):
        missing = [{"not_id": _present(earlier)} for earlier in _CLIENTS[:position]]
        found.append({"and_ids": {"ids": [_claim(name, exact), *missing]}})
    return _either(found)


def _sound(found: Sequence[Provider]) -> list[dict[str, Any]]:
    """What the gate's verifier looks at beyond `jwt_authn`, for each issuer. A token was verified: it has an issuer."""
    return [_either({"and_ids": {"ids": [*_checks(provider)]}} for provider in found)]


def _checks(provider: Provider) -> Iterable[dict[str, Any]]:
    yield _claim("iss", {"string_match": {"exact": provider.issuer}})
    yield _header("alg", {"string_match": regex("|".join(map(_quoted, provider.algorithms)))})
    # Bound to a certificate or a key, which nobody here has seen.
    yield {"not_id": _present("cnf")}
    typed = _header("typ", {"string_match": regex(_ACCESS_TOKEN)})
    if provider.access_token:
        yield typed
    else:
        yield _either([typed, {"not_id": _header("typ", {"string_match": regex(r"(?i:.*\+jwt)")})}])
    if provider.reject_id_tokens:
        yield _either([typed, {"not_id": _either(_present(name) for name in _ID_TOKEN)}])
    for name in provider.require:
        yield _present(name)


def _quoted(word: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else f"[{c}]" if c not in "\\[]^" else f"\\{c}" for c in word)


def _either(ids: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"or_ids": {"ids": list(ids)}}


def _claim(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return _nested((name,), value)


def _present(name: str) -> dict[str, Any]:
    return _nested((name,), {"present_match": True})


def _listed(place: Sequence[str], item: str) -> dict[str, Any]:
    return _nested(place, {"list_match": {"one_of": {"string_match": {"exact": item}}}})


def _header(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return _metadata(("header", name), value)


def _nested(place: Sequence[str], value: dict[str, Any]) -> dict[str, Any]:
    return _metadata(("payload", *place), value)


def _metadata(place: Sequence[str], value: dict[str, Any]) -> dict[str, Any]:
    path = [{"key": key} for key in place]
    return {"sourced_metadata": {"metadata_matcher": {"filter": FILTER, "path": path, "value": value}}}
