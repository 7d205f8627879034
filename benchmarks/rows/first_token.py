"""A token at first sight, and again: the verifier beside PyJWT, joserfc and Authlib."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, Any

import jwt

from benchmarks.choose import available
from benchmarks.layered import decode
from benchmarks.measure import calls
from benchmarks.peers import Peer
from benchmarks.scene import AUDIENCE, ISSUER, SCOPE
from benchmarks.table import Side, Table, Target
from interservice.testing import Issuer
from interservice.tokens import StaticKeys, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

_TEXT = """\
Access tokens as RFC 9068 describes them ({algorithm}), {count} of them in turn. The verifier keeps too few to meet one
again, so that each is new to it, and remembers the header that all have in common. Everybody checks signature, `iss`, `aud`
and `exp`, with the key at hand as an object of cryptography; the verifier checks more (strict base64url and JSON, types of
claims, critical headers) and makes a `Principal`. PyJWKClient has both of its caches filled."""
_AGAIN = "One token, verified before: the look-up that nearly every request gets. Beside it what PyJWT does for each request."
_WHY = """\
Half of it is the signature, which cryptography's OpenSSL computes; the rest is parsing header and claims more strictly than the
others do, and making the `Principal`."""

_jose = Peer("joserfc.jwt")
_jose_jwk = Peer("joserfc.jwk")
_authlib = Peer("authlib.jose")
_TOKENS = 256
_VERIFIER = "Verifier, first sight"


def tables(stack: ExitStack) -> list[Table]:
    """One table for each algorithm, and one for a token met again."""
    return [*(_first(name, stack) for name in ("RS256", "ES256", "EdDSA")), _again(stack)]


def _first(algorithm: str, stack: ExitStack) -> Table:
    issuer = Issuer(ISSUER, algorithms=(algorithm,), expires_in=86400)
    tokens = [issuer.mint(sub="billing", aud=AUDIENCE, scope=SCOPE) for _ in range(_TOKENS)]
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks), cache_size=_TOKENS // 4)
    sides, missing = available(
        [
            ("PyJWT, key at hand", lambda: _pyjwt(issuer, algorithm, tokens), ""),
            (_VERIFIER, lambda: _each(verifier.verify, tokens), ""),
            ("PyJWT with PyJWKClient", lambda: _pyjwt_client(issuer, algorithm, tokens, stack), ""),
            ("joserfc", lambda: _joserfc(issuer, algorithm, tokens), ""),
            ("Authlib", lambda: _authlib_jwt(issuer, algorithm, tokens), ""),
        ]
    )
    return Table(
        key=f"first-{algorithm.lower()}",
        title=f"A token at first sight, {algorithm}",
        text=_TEXT.format(algorithm=algorithm, count=_TOKENS),
        sides=sides,
        reference="PyJWT, key at hand",
        clock="cpu",
        targets=[Target(_VERIFIER, "time", 40.0, why=_WHY)] if algorithm == "RS256" else [],
        missing=missing,
    )


def _again(stack: ExitStack) -> Table:
    issuer = Issuer(ISSUER, algorithms=("RS256",), expires_in=86400)
    token = issuer.mint(sub="billing", aud=AUDIENCE, scope=SCOPE)
    verifier = Verifier(ISSUER, AUDIENCE, keys=StaticKeys(issuer.jwks))
    sides = [
        Side("PyJWT with PyJWKClient", _pyjwt_client(issuer, "RS256", [token], stack)),
        Side("Verifier, same token again", calls(lambda: verifier.verify(token))),
    ]
    return Table(
        key="token-again",
        title="The same token again",
        text=_AGAIN,
        sides=sides,
        reference="PyJWT with PyJWKClient",
        clock="cpu",
        targets=[Target("Verifier, same token again", "time", 2.5)],
    )


def _each(verify: Callable[[str], object], tokens: Sequence[str]) -> Callable[[int], object]:
    """What verifies so many tokens, going on where it ended last."""
    endless = itertools.cycle(tokens)

    def run(count: int) -> None:
        for token in itertools.islice(endless, count):
            verify(token)

    run(1)
    return run


def _pyjwt(issuer: Issuer, algorithm: str, tokens: Sequence[str]) -> Callable[[int], object]:
    key = jwt.PyJWK(issuer.jwks["keys"][0]).key
    options: Any = {"require": ["exp"]}

    def verify(token: str) -> object:
        return jwt.decode(token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER, leeway=30, options=options)

    return _each(verify, tokens)


def _pyjwt_client(issuer: Issuer, algorithm: str, tokens: Sequence[str], stack: ExitStack) -> Callable[[int], object]:
    url = stack.enter_context(issuer.serve()) + "/jwks"
    client = jwt.PyJWKClient(url, cache_keys=True, cache_jwk_set=True, lifespan=86400)
    return _each(lambda token: decode(client, token, algorithm), tokens)


def _joserfc(issuer: Issuer, algorithm: str, tokens: Sequence[str]) -> Callable[[int], object]:
    keys = _jose_jwk.KeySet.import_key_set(issuer.jwks)
    key, wanted = keys.keys[0], [algorithm]
    registry = _jose.JWTClaimsRegistry(
        leeway=30,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    read = _jose.decode

    def verify(token: str) -> None:
        registry.validate(read(token, key, algorithms=wanted).claims)

    with warnings.catch_warnings():  # RFC 9864 has other names for EdDSA
        warnings.simplefilter("ignore")
        return _each(verify, tokens)


def _authlib_jwt(issuer: Issuer, algorithm: str, tokens: Sequence[str]) -> Callable[[int], object]:
    with warnings.catch_warnings():  # joserfc is its successor
        warnings.simplefilter("ignore")
        reader = _authlib.JsonWebToken([algorithm])
        key = _authlib.JsonWebKey.import_key(issuer.jwks["keys"][0])
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }

    def verify(token: str) -> None:
        reader.decode(token, key, claims_options=options).validate(leeway=30)

    return _each(verify, tokens)
