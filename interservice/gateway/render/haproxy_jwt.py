"""HAProxy's `jwt_verify` checks a signature and nothing else: claim by claim, the rest is written out here.

An `aud` that is a list, and scopes in a list, HAProxy cannot read; such tokens are refused. Roles are lists as a rule, and rules
that ask for them are not rendered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from interservice.errors import ConfigurationError
from interservice.tokens import StaticKeys

from .asked import leads
from .haproxy_answers import refuse
from .haproxy_services import pattern
from .native import methods, ordered_keys, pem, policy, providers
from .patterns import AMBIGUOUS, rule_path
from .plan import versions_of
from .quoting import haproxy_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from interservice.gateway.edge import Edge
    from interservice.inbound.rules import Rule
    from interservice.tokens.jwk import Key

    from .native import Provider

HAPROXY: Final = "HAProxy"
#: By the algorithm, the keys that HAProxy 2.6 can verify with: not PS256, not EdDSA.
_KTY: Final = {"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_MISSING: Final = ("Unauthorized", "Authentication is required.", "unauthenticated")
_INVALID: Final = ("Unauthorized", "The access token is not valid.", "invalid_token")
_SEVERAL: Final = ("Bad Request", "There is more than one Authorization field.", "invalid_request")
_PATH: Final = ("Bad Request", "The path has more than one meaning.", "ambiguous_path")
_SCOPE: Final = ("Forbidden", "The token does not carry the scopes that this needs.", "insufficient_scope")
_FORBIDDEN: Final = ("Forbidden", "This is not allowed.", "forbidden")
_REALM: Final = re.compile(r"[\x20-\x21\x23-\x24\x26-\x5b\x5d-\x7e]+", re.ASCII)
_FOUND: Final = "-m found"


def haproxy_keys(edge: Edge) -> Mapping[str, bytes]:
    """The public keys that a configuration names: the contents of files, by name.

    Raises:
        ConfigurationError: As `haproxy`.
    """
    found = {}
    for provider in providers(edge, HAPROXY):
        found.update({_file(provider, position): pem(key) for position, key in _keys(provider)})
    return found


def verification(edge: Edge) -> Iterator[str]:
    """The lines that refuse what the gate would refuse."""
    auth = policy(edge, HAPROXY)
    realm = auth.realm or edge.gate.service or "api"
    if _REALM.fullmatch(realm) is None:
        raise ConfigurationError(f"JWTAuth.realm must be free of quotes and '%' for HAProxy, not {realm!r}")
    yield refuse(400, f"{{ path -m reg {pattern(AMBIGUOUS)} }}", _PATH)
    yield refuse(400, "{ req.fhdr_cnt(authorization) gt 1 }", _SEVERAL, f'Bearer realm="{realm}", error="invalid_request"')
    yield from _choosing(edge)
    yield from _reading()
    for number, provider in enumerate(providers(edge, HAPROXY)):
        yield from _proving(provider, number)
    open_to_all = "{ var(txn.open) -m str yes }"
    yield refuse(401, f"!{open_to_all} !{{ var(txn.bearer) {_FOUND} }}", _MISSING, f'Bearer realm="{realm}"')
    yield refuse(
        401, f"!{open_to_all} !{{ var(txn.proven) {_FOUND} }}", _INVALID, f'Bearer realm="{realm}", error="invalid_token"'
    )
    yield from _demands(edge, realm)


def _choosing(edge: Edge) -> Iterable[str]:
    """The number of the first rule that fits, and whether no token is needed."""
    auth = policy(edge, HAPROXY)
    versions = versions_of(edge)
    before = leads(edge) if versions is not None and versions.path == "strip" else []
    for position, rule in enumerate(auth.rules):
        named = methods(rule)
        method = f" {{ method -- {' '.join(haproxy_string('Rule.methods', name) for name in named)} }}" if named else ""
        unset = f"!{{ var(txn.rule) {_FOUND} }}"
        path = f"{{ path -m reg {pattern(rule_path(rule.path, before))} }}"
        yield f"http-request set-var(txn.rule) str(r{position}) if {unset} {path}{method}"
        if rule.public:
            yield f"http-request set-var(txn.open) str(yes) if {{ var(txn.rule) -m str r{position} }}"
    if auth.preflight:
        origin, asks = f"{{ req.fhdr(origin) {_FOUND} }}", f"{{ req.fhdr(access-control-request-method) {_FOUND} }}"
        yield f"http-request set-var(txn.preflight) str(yes) if {{ method OPTIONS }} {origin} {asks}"
        yield f"http-request set-var(txn.open) str(yes) if {{ var(txn.preflight) {_FOUND} }}"


def _reading() -> Iterable[str]:
    # RFC 6750 section 2.1: HAProxy would take whatever comes behind the first word.
    plain = pattern("[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9._~+/-]+=*")
    yield f"http-request set-var(txn.bearer) http_auth_bearer if {{ req.fhdr(authorization) -m reg {plain} }}"
    for name in ("alg", "typ"):
        yield f"http-request set-var(txn.{name}) var(txn.bearer),jwt_header_query('$.{name}')"
    for name in ("iss", "aud", "scope", "client_id", "azp", "acr"):
        yield f"http-request set-var(txn.{name}) var(txn.bearer),jwt_payload_query('$.{name}')"
    for name in ("exp", "nbf", "iat", "auth_time"):
        yield f"http-request set-var(txn.{name}) var(txn.bearer),jwt_payload_query('$.{name}','int')"
    yield "http-request set-var(txn.payload) var(txn.bearer),field(2,.),ub64dec"
    yield "http-request set-var(txn.now) date()"
    # A token for another purpose says so (RFC 8725 section 3.11).
    yield "http-request set-var(txn.access) str(yes) if { var(txn.typ) -m reg -i ^(application/)?at\\+jwt$ }"
    yield "http-request set-var(txn.other) str(yes) if { var(txn.typ) -m reg -i '\\+jwt$' } !{ var(txn.access) -m found }"


def _proving(provider: Provider, number: int) -> Iterable[str]:
    """Sets `txn.proven` to the issuer's number where the token is good."""
    good = f"ok{number}"
    conditions = [
        f"{{ var(txn.iss) -m str -- {haproxy_string('Verifier.issuer', provider.issuer)} }}",
        "!{ var(txn.other) -m found }",
    ]
    if provider.audiences is not None:
        names = " ".join(haproxy_string("Verifier.audience", name) for name in provider.audiences)
        conditions.append(f"{{ var(txn.aud) -m str -- {names} }}")
    if provider.access_token:
        conditions.append("{ var(txn.access) -m found }")
    yield f"http-request set-var(txn.{good}) str(yes) if {' '.join(conditions)}"
    for position, key in _keys(provider):
        algorithms = " ".join(_fitting(provider, key))
        proof = (
            f'{{ var(txn.alg) -m str {algorithms} }} {{ var(txn.bearer),jwt_verify(txn.alg,"{_file(provider, position)}") 1 }}'
        )
        yield f"http-request set-var(txn.signed{number}) str(yes) if {{ var(txn.{good}) {_FOUND} }} {proof}"
    for condition in _failures(provider):
        yield f"http-request unset-var(txn.signed{number}) if {condition}"
    yield f"http-request set-var(txn.proven) str({good}) if {{ var(txn.signed{number}) {_FOUND} }}"


def _failures(provider: Provider) -> Iterable[str]:
    leeway = int(provider.leeway)
    yield f"{{ var(txn.exp),add({leeway}),sub(txn.now) -m int le 0 }}"
    yield f"{{ var(txn.nbf),sub({leeway}),sub(txn.now) -m int gt 0 }}"
    yield f"{{ var(txn.iat),sub({leeway}),sub(txn.now) -m int gt 0 }}"
    for name in provider.require:
        # Anywhere in the text: a name alone proves nothing, and what must be there for sure has a line of its own.
        yield f"!{{ var(txn.{name}) {_FOUND} }}" if name in {"exp", "nbf", "iat", "iss", "aud", "client_id"} else _lacks(name)
    for name in ("exp", "nbf", "iat"):
        # A time that HAProxy cannot read would pass for none.
        yield f"{{ var(txn.payload) -m sub '\"{name}\"' }} !{{ var(txn.{name}) {_FOUND} }}"
    yield "{ var(txn.payload) -m sub '\"cnf\"' }"
    if provider.reject_id_tokens:
        for name in ("nonce", "at_hash", "c_hash"):
            yield f"{{ var(txn.payload) -m sub '\"{name}\"' }} !{{ var(txn.access) {_FOUND} }}"


def _lacks(name: str) -> str:
    quoted = haproxy_string("Verifier.require", f'"{name}"')
    return f"!{{ var(txn.payload) -m sub -- {quoted} }}"


def _demands(edge: Edge, realm: str) -> Iterable[str]:
    auth = policy(edge, HAPROXY)
    if not auth.rules:
        return
    preflight = f"!{{ var(txn.preflight) {_FOUND} }} " if auth.preflight else ""
    yield refuse(403, f"{preflight}!{{ var(txn.rule) {_FOUND} }}", _FORBIDDEN)
    for position, rule in enumerate(auth.rules):
        here = f"{preflight}{{ var(txn.rule) -m str r{position} }}"
        for condition in _needs(rule):
            yield refuse(
                403,
                f"{here} !{condition}",
                _SCOPE if "txn.scope" in condition else _FORBIDDEN,
                _scope_challenge(condition, realm),
            )


def _scope_challenge(condition: str, realm: str) -> str:
    return f'Bearer realm="{realm}", error="insufficient_scope"' if "txn.scope" in condition else ""


def _needs(rule: Rule) -> Iterable[str]:
    """Conditions, each of which must hold.

    Raises:
        ConfigurationError: The rule asks what HAProxy cannot tell.
    """
    if rule.roles:
        raise ConfigurationError(f"HAProxy cannot carry out Rule.roles ({rule.path}): give Edge.forward_auth to another gateway")
    for scope in rule.scopes:
        yield _word([scope])
    if rule.any_scopes:
        yield _word(rule.any_scopes)
    if rule.clients:
        # The gate takes the first of the claims that is there.
        names = " ".join(haproxy_string("Rule.clients", client) for client in rule.clients)
        yield f"{{ var(txn.client_id) -m str -- {names} }}"
    if rule.issuers:
        yield f"{{ var(txn.iss) -m str -- {' '.join(haproxy_string('Rule.issuers', issuer) for issuer in rule.issuers)} }}"
    if rule.acr:
        yield f"{{ var(txn.acr) -m str -- {' '.join(haproxy_string('Rule.acr', acr) for acr in rule.acr)} }}"
    if rule.max_auth_age is not None:
        yield f"{{ var(txn.auth_time),add({int(rule.max_auth_age)}),sub(txn.now) -m int ge 0 }}"


def _word(words: Iterable[str]) -> str:
    either = "|".join(
        "".join(c if c.isalnum() and c.isascii() else f"[{c}]" if c not in "\\[]^" else f"\\{c}" for c in word) for word in words
    )
    return f"{{ var(txn.scope) -m reg {pattern(f'(?:.* )?(?:{either})(?: .*)?')} }}"


def _keys(provider: Provider) -> Iterator[tuple[int, Key]]:
    """The keys of use, numbered.

    Raises:
        ConfigurationError: There is none, or they must be fetched.
    """
    if not isinstance(provider.keys, StaticKeys):
        raise ConfigurationError(
            f"HAProxy cannot fetch keys ({provider.issuer}): give StaticKeys, or Edge.forward_auth to another gateway"
        )
    found = [(position, key) for position, key in enumerate(ordered_keys(provider.keys)) if _fitting(provider, key)]
    if not found:
        raise ConfigurationError(
            f"HAProxy can verify with none of the keys of {provider.issuer}: it needs RSA (RS256) or EC (ES256)"
        )
    yield from found


def _fitting(provider: Provider, key: Key) -> list[str]:
    """The algorithms of HAProxy and the verifier that a key is for."""
    kind = key.kty if key.kty == "RSA" else key.crv
    named = [key.alg] if key.alg is not None else provider.algorithms
    return [name for name in named if name in provider.algorithms and _KTY.get(name) == kind]


def _file(provider: Provider, position: int) -> str:
    return f"edge-{provider.name}-{position}.pem"
