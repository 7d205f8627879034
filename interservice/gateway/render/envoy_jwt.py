"""Envoy's `jwt_authn`: tokens verified with an issuer's keys, configured or fetched.

It looks at signature, issuer, audience, `exp` (required) and `nbf`. What else the gate looks at is checked by `envoy_rbac`, but
for an `iat` in the future, which Envoy believes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from interservice.errors import ConfigurationError
from interservice.gateway.edge import READY
from interservice.tokens import JWKS

from .asked import leads
from .envoy_clusters import cluster
from .envoy_types import extension, header, regex
from .native import jwks, keys_url, methods, policy, providers
from .patterns import AMBIGUOUS, rule_path
from .plan import endpoint, mode, versions_of

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge
    from interservice.inbound.rules import Rule

    from .native import Provider

ENVOY: Final = "Envoy"
FILTER: Final = "envoy.filters.http.jwt_authn"
#: Seconds for which fetched keys are kept; an unknown key id makes Envoy fetch none.
_KEPT: Final = 60
_ORIGIN = {"name": "origin", "present_match": True}
_ASKS = {"name": "access-control-request-method", "present_match": True}
#: CORS preflights (Fetch standard), which carry no token.
PREFLIGHT: Final = [header(":method", exact="OPTIONS"), _ORIGIN, _ASKS]
#: Bearer tokens in any other form than RFC 6750's, several of them included: Envoy would find the first wherever it stands.
MALFORMED: Final = [
    header("authorization", contains="Bearer "),
    {**header("authorization", **regex(r"Bearer +[A-Za-z0-9\-._~+/]+=*")), "invert_match": True},
]


def jwt_authn(edge: Edge) -> dict[str, Any]:
    """The filter."""
    found = providers(edge, ENVOY)
    return extension(
        FILTER,
        "filters.http.jwt_authn.v3.JwtAuthentication",
        providers={provider.name: _provider(edge, provider) for provider in found},
        rules=_rules(edge, [provider.name for provider in found]),
    )


def key_clusters(edge: Edge) -> list[dict[str, Any]]:
    """Where keys are fetched."""
    found = []
    for provider in providers(edge, ENVOY) if mode(edge) == "native" else ():
        if isinstance(provider.keys, JWKS):
            parts = urlsplit(keys_url(provider.keys))
            place = endpoint(f"{parts.scheme}://{parts.netloc}")
            found.append(cluster(_cluster(provider), [place], connect=5.0, host=place.host))
    return found


def rule_match(edge: Edge, rule: Rule) -> dict[str, Any]:
    """A route match for a rule."""
    match: dict[str, Any] = regex(rule_path(rule.path, stripped(edge)))
    if named := methods(rule):
        match["headers"] = [header(":method", exact=named[0]) if len(named) == 1 else _one_of(named)]
    return match


def stripped(edge: Edge) -> list[str]:
    """What stands before the path that rules are about."""
    versions = versions_of(edge)
    return leads(edge) if versions is not None and versions.path == "strip" else []


def _one_of(named: tuple[str, ...]) -> dict[str, Any]:
    return header(":method", **regex("|".join("".join(c if c.isalnum() else f"[{c}]" for c in name) for name in named)))


def _cluster(provider: Provider) -> str:
    return f"edge.keys.{provider.name}"


def _provider(edge: Edge, provider: Provider) -> dict[str, Any]:
    if provider.leeway < 1:
        raise ConfigurationError(
            f"Verifier.leeway must be at least 1 for Envoy, which takes 0 for a minute, not {provider.leeway}"
        )
    found: dict[str, Any] = {
        "issuer": provider.issuer,
        "clock_skew_seconds": int(provider.leeway),
        "require_expiration": "exp" in provider.require,
        "forward": edge.forward_token,
        # Envoy's default would take a token from the query, too.
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": "payload",
        "header_in_metadata": "header",
    }
    if provider.audiences is not None:
        found["audiences"] = list(provider.audiences)
    if isinstance(provider.keys, JWKS):
        uri = {"uri": keys_url(provider.keys), "cluster": _cluster(provider), "timeout": "5s"}
        found["remote_jwks"] = {"http_uri": uri, "cache_duration": f"{_KEPT}s", "async_fetch": {"failed_refetch_duration": "1s"}}
    else:
        found["local_jwks"] = {"inline_string": jwks(provider.keys)}
    return found


def _rules(edge: Edge, names: list[str]) -> list[dict[str, Any]]:
    """The first that matches says whether a token is needed."""
    auth = policy(edge, ENVOY)
    each = [{"provider_name": name} for name in names]
    needed = each[0] if len(each) == 1 else {"requires_any": {"requirements": each}}
    welcome = {"requires_any": {"requirements": [*each, {"allow_missing_or_failed": {}}]}}
    found: list[dict[str, Any]] = [{"match": {"path": READY}}]
    # Refused by their routes.
    found += [{"match": {"prefix": "/", "headers": MALFORMED}}, {"match": regex(AMBIGUOUS)}]
    if auth.preflight:
        found.append({"match": {"prefix": "/", "headers": PREFLIGHT}})
    found += [{"match": rule_match(edge, rule), "requires": welcome if rule.public else needed} for rule in auth.rules]
    return [*found, {"match": {"prefix": "/"}, "requires": needed}]
