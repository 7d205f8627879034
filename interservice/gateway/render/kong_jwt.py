"""Kong's `jwt` plugin: what it can verify, and the refusal of all else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from interservice.errors import ConfigurationError
from interservice.tokens import StaticKeys

from .native import ordered_keys, pem, policy, providers

if TYPE_CHECKING:
    from interservice.gateway.edge import Edge

    from .native import Provider

KONG: Final = "Kong"
_ALGORITHMS: Final = {"RSA": ("RS256",), "P-256": ("ES256",), "P-384": ("ES384",)}


def jwt_plugin(edge: Edge) -> dict[str, Any]:
    """The plugin, for every route.

    Raises:
        ConfigurationError: A rule says more than "a valid token".
    """
    auth = policy(edge, KONG)
    for rule in auth.rules:
        raise ConfigurationError(
            f"Kong cannot carry out Rules ({rule.path}), as its plugin looks at no scope: leave them to the services"
        )
    config = {
        "key_claim_name": "iss",
        "claims_to_verify": ["exp", "nbf"],
        "header_names": ["authorization"],
        "uri_param_names": [],
        "cookie_names": [],
        "run_on_preflight": not auth.preflight,
        "maximum_expiration": 0,
    }
    return {"name": "jwt", "config": config}


def consumers(edge: Edge) -> list[dict[str, Any]]:
    """One for each issuer, with its key: the plugin knows a key by the token's `iss`.

    Raises:
        ConfigurationError: The verifier does what the plugin cannot.
    """
    return [{"username": provider.name, "jwt_secrets": [_secret(provider)]} for provider in providers(edge, KONG)]


def _secret(provider: Provider) -> dict[str, Any]:
    if provider.audiences is not None:
        raise ConfigurationError(
            "Kong cannot carry out Verifier.audience, as its plugin does not look at it: leave tokens to the services"
        )
    if provider.access_token or provider.require != ("exp",):
        raise ConfigurationError("Kong cannot carry out Verifier.profile or Verifier.require: leave tokens to the services")
    if provider.reject_id_tokens:
        raise ConfigurationError("Kong cannot carry out Verifier.reject_id_tokens: leave tokens to the services, or say False")
    keys = ordered_keys(provider.keys) if isinstance(provider.keys, StaticKeys) else []
    if len(keys) != 1:
        raise ConfigurationError(f"Kong has one configured key for an issuer ({provider.issuer}): give StaticKeys with one")
    key = keys[0]
    kind = key.kty if key.kty == "RSA" else key.crv
    algorithm = next((name for name in _ALGORITHMS.get(str(kind), ()) if name in provider.algorithms), None)
    if algorithm is None:
        raise ConfigurationError(f"Kong can verify with no {kind} key: it needs RSA (RS256) or EC (ES256, ES384)")
    return {"key": provider.issuer, "algorithm": algorithm, "rsa_public_key": pem(key).decode(), "secret": "unused"}
