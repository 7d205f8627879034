"""Who may ask the issuer for tokens, and for which. A client's secret is kept as a digest, in memory, and never shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from interservice import options
from interservice.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: RFC 6749 appendix A: a client id is VSCHAR, a scope token NQCHAR.
_CLIENT_ID: Final = re.compile(r"[\x20-\x7e]{1,256}", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}", re.ASCII)
_NOBODY: Final = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client.

    Attributes:
        client_id: Its identifier.
        secret: For client_secret_basic and client_secret_post; only its SHA-256 is kept.
        jwks: For private_key_jwt: its public keys, a JWK Set (RFC 7517).
        scopes: What it may ask for; asking for nothing gives all.
        audiences: Whose tokens it may ask for (RFC 8707); the first is the default. None: tokens for the issuer itself.
        lifetime: Seconds its tokens live, or None for the issuer's.
        introspects: Whether it may introspect every token, as resource servers do, and not only its own.
        exchanges: Whether it may exchange tokens (RFC 8693).
    """

    client_id: str
    secret: InitVar[str | None] = None
    jwks: Mapping[str, Any] | None = None
    scopes: Sequence[str] = ()
    audiences: Sequence[str] = ()
    lifetime: float | None = None
    introspects: bool = False
    exchanges: bool = False
    _digest: bytes | None = field(init=False, repr=False, default=None)

    def __post_init__(self, secret: str | None) -> None:
        options.text("Client.client_id", self.client_id)
        ok = _CLIENT_ID.fullmatch(self.client_id) is not None
        options.check(ok, "Client.client_id", "1 to 256 printable ASCII characters", self.client_id)
        if secret == "":
            msg = "Client.secret must be a non-empty string"
            raise ConfigurationError(msg)
        if secret is None and self.jwks is None:
            msg = f"Client {self.client_id!r} needs a secret or jwks: every client authenticates"
            raise ConfigurationError(msg)
        scopes = options.strings("Client.scopes", self.scopes)
        options.check(
            all(map(_SCOPE.fullmatch, scopes)), "Client.scopes", "a list of scope tokens (RFC 6749 section 3.3)", scopes
        )
        options.number("Client.lifetime", self.lifetime, above=0, optional=True)
        object.__setattr__(self, "scopes", scopes)
        object.__setattr__(self, "audiences", options.strings("Client.audiences", self.audiences))
        object.__setattr__(self, "_digest", None if secret is None else hashlib.sha256(secret.encode()).digest())

    @property
    def methods(self) -> tuple[str, ...]:
        """How it may authenticate."""
        secret = () if self._digest is None else ("client_secret_basic", "client_secret_post")
        return secret if self.jwks is None else (*secret, "private_key_jwt")

    def has_secret(self, secret: str) -> bool:
        """Whether `secret` is its own, compared in constant time."""
        return matches(self._digest, secret)


def matches(digest: bytes | None, secret: str) -> bool:
    """Whether `secret` has this SHA-256; takes the same time where there is none."""
    given = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
    same = hmac.compare_digest(digest or _NOBODY, given)
    return same and digest is not None
