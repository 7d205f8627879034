"""The usable keys of one issuer at one time, indexed for look-up. Immutable; one bad key never spoils the set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .algorithms import ALGORITHMS
from .jwk import Key, UnusableKey, key_from_jwk

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOG = logging.getLogger("interservice.tokens")
MAX_KEYS = 100
#: Keys that are tried for a token without a key id; more would make each forged token dearer.
_MAX_WITHOUT_KID = 3
#: Keys of one id that are tried.
_MAX_SAME_KID = 4


class KeySet:
    """Keys by id and algorithm.

    Args:
        keys: All usable keys.
        any_kid: Whether the id in a token is ignored, as for configured secrets.
    """

    __slots__ = ("_by_algorithm", "_by_kid", "any_kid", "keys", "kids")

    def __init__(self, keys: Iterable[Key], *, any_kid: bool = False) -> None:
        self.keys: frozenset[Key] = frozenset(keys)
        self.kids: frozenset[str] = frozenset() if any_kid else frozenset(key.kid for key in self.keys)
        self.any_kid = any_kid
        self._by_kid: dict[tuple[str, str], tuple[Key, ...]] = {}
        self._by_algorithm: dict[str, tuple[Key, ...]] = {}
        ordered = sorted(self.keys, key=lambda key: (key.kid, key.thumbprint))
        for algorithm in ALGORITHMS.values():
            fitting = tuple(key for key in ordered if key.fits(algorithm))
            self._by_algorithm[algorithm.name] = fitting if any_kid or len(fitting) <= _MAX_WITHOUT_KID else ()
            for kid in {key.kid for key in fitting}:
                same = tuple(key for key in fitting if key.kid == kid)
                self._by_kid[kid, algorithm.name] = same[:_MAX_SAME_KID]

    def candidates(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """The keys that may have signed a token with this key id and algorithm."""
        if kid is None or self.any_kid:
            return self._by_algorithm.get(algorithm, ())
        return self._by_kid.get((kid, algorithm), ())

    def __len__(self) -> int:
        return len(self.keys)


def keys_from_jwks(document: object, *, source: str) -> list[Key]:
    """The usable keys of a JWK Set (RFC 7517 section 5); those that are not are left out, with a line in the log at debug level.

    Raises:
        UnusableKey: It is no JWK Set, holds more than 100 keys, or none that is usable.
    """
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise UnusableKey("not a JWK Set: no list of keys")
    if len(members) > MAX_KEYS:
        raise UnusableKey(f"more than {MAX_KEYS} keys")
    keys = []
    for position, member in enumerate(members):
        try:
            keys.append(key_from_jwk(member, source=source))
        except UnusableKey as error:
            _LOG.debug("key %d of %s is not used: %s", position, source, error)
    if not keys:
        raise UnusableKey("no usable key")
    return keys
