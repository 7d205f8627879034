"""Keys that are configured and never fetched."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from interservice.clock import SYSTEM
from interservice.condition import PASS, Condition
from interservice.errors import ConfigurationError

from .algorithms import ALGORITHMS
from .jwk import Key, UnusableKey, key_from_jwk, key_from_public, key_from_secret
from .keyset import KeySet, keys_from_jwks
from .parser import read_object
from .source import Lease
from .weakness import no_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_LEAST_SECRET = min(algorithm.least_secret for algorithm in ALGORITHMS.values() if algorithm.kty == "oct")


class StaticKeys:
    """The keys of an issuer, given in the configuration.

    Args:
        keys: A JWK Set, a JWK, a PEM text (public key, certificate; of a private key the public half is used), a key object of
            `cryptography`; or a list of these, or a mapping of key ids to these. Without an id a key has its RFC 7638 thumbprint.
            A token that names a key id is proven by a key with that id and by no other.

    Raises:
        ConfigurationError: There is no usable key in it.
    """

    __slots__ = ("clock", "lease")

    def __init__(self, keys: Mapping[str, Any] | str | bytes | Sequence[Any]) -> None:
        try:
            found = list(_keys(keys))
        except UnusableKey as error:
            raise ConfigurationError(f"StaticKeys: {error}") from error
        if not found:
            raise ConfigurationError("StaticKeys must be given at least one usable key")
        self.clock = SYSTEM
        self.lease: Lease | None = Lease(KeySet(found), math.inf)

    @classmethod
    def secret(cls, *secrets: bytes) -> StaticKeys:
        """Shared secrets, for HMAC (HS256, HS384, HS512) and nothing else; several while one is being replaced.

        Raises:
            ConfigurationError: One is shorter than 32 bytes, or is a public key in some wrapping and thus no secret.
        """
        for secret in secrets:
            if not isinstance(secret, bytes):
                raise ConfigurationError(f"StaticKeys.secret must be bytes, not {type(secret).__name__}")
            if len(secret) < _LEAST_SECRET:
                raise ConfigurationError(f"StaticKeys.secret must have at least {_LEAST_SECRET} bytes, not {len(secret)}")
            if kind := no_secret(secret):
                raise ConfigurationError(f"StaticKeys.secret must be a secret, not {kind}")
        if not secrets:
            raise ConfigurationError("StaticKeys.secret must be given at least one secret")
        made = cls.__new__(cls)
        made.clock = SYSTEM
        made.lease = Lease(KeySet([key_from_secret(secret) for secret in secrets], any_kid=True), math.inf)
        return made

    @property
    def keyset(self) -> KeySet:
        """The keys, indexed."""
        assert self.lease is not None  # noqa: S101 - set when made, and never again
        return self.lease.keyset

    @property
    def has_secret(self) -> bool:
        """Whether these are shared secrets."""
        return self.keyset.any_kid

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the usable keys; none for secrets."""
        return self.keyset.kids

    def renew(self) -> Lease | None:
        """The keys, for ever."""
        return self.lease

    def work(self, kid: str | None, algorithm: str) -> Callable[[], object] | None:
        """None: there is nothing to fetch."""

    def condition(self) -> Condition:
        """For `Health`: pass, the keys are always here."""
        return PASS

    def warm(self) -> bool:
        """True: the keys are always here."""
        return True

    def retry_after(self) -> float:
        """No wait brings other keys."""
        return 0.0

    def __repr__(self) -> str:
        return f"<StaticKeys {len(self.keyset)} keys>"


def _keys(given: object) -> Iterable[Key]:
    if isinstance(given, dict):
        yield from _from_mapping(given)
    elif isinstance(given, (str, bytes)):
        yield from _from_text(given.encode() if isinstance(given, str) else given)
    elif hasattr(given, "keys") and hasattr(given, "__getitem__"):
        yield from _keys(dict(given))
    elif isinstance(given, (list, tuple)):
        for item in given:
            yield from _keys(item)
    else:
        yield key_from_public(given)


def _from_mapping(given: dict[str, Any]) -> Iterable[Key]:
    """Keys of a JWK, a JWK Set, or a mapping of key ids to keys."""
    if "kty" in given:
        yield key_from_jwk(given, source="StaticKeys")
    elif "keys" in given:
        yield from keys_from_jwks(given, source="StaticKeys")
    else:
        for kid, item in given.items():
            for key in _keys(item):
                yield replace(key, kid=kid)


def _from_text(text: bytes) -> Iterable[Key]:
    """Keys of a PEM text, or of a JWK or JWK Set in JSON."""
    if text.lstrip().startswith(b"{"):
        try:
            document = read_object(text)
        except ValueError as error:
            raise UnusableKey("the JSON of a key is not well-formed") from error
        yield from _keys(document)
        return
    if text.count(b"-----BEGIN ") - text.count(b"-----BEGIN EC PARAMETERS") > 1:
        raise UnusableKey("a PEM text with several blocks, of which it is not clear which are meant: give a list")
    for load in (load_pem_public_key, _certified, _private):
        try:
            public = load(text)
        except Exception:  # noqa: BLE001, S112 - each loader has errors of its own for text that is not for it
            continue
        yield key_from_public(public)
        return
    raise UnusableKey("a text that is neither a PEM key or certificate nor a JWK Set")


def _certified(text: bytes) -> object:
    return x509.load_pem_x509_certificate(text).public_key()


def _private(text: bytes) -> object:
    return load_pem_private_key(text, password=None)
