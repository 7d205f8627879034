"""Both kinds of tokens side by side: what looks like a JWT is verified, everything else is introspected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from interservice.condition import Condition, worst
from interservice.options import check

from .sighting import Sighting, conclude, work_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .principal import Principal

_DOTS = 2
#: How the base64url text of a JOSE header begins: it is a JSON object, so that its first character is "{".
_HEADER = "e"


class Looker(Protocol):
    """What verifies tokens."""

    def look(self, token: str) -> Sighting:
        """What can be said of a token at once."""

    def condition(self) -> Condition:
        """How it does, for `Health`, without blocking."""

    def warm(self) -> bool:
        """Have at hand what is needed; whether it is. Never raises."""


class ByShape:
    """Verifies JWTs with one verifier and opaque tokens with another; goes wherever a `Verifier` does.

        ByShape(Verifier(issuer, "orders"), Introspection(issuer, "orders", client_id=..., client_secret=...))

    A token of three parts, the first of which begins as a JSON object does, is a JWT and never introspected: servers refuse that,
    and nobody else's token is shown to them.

    Args:
        jwt: A `Verifier`, or `Issuers` for several.
        opaque: An `Introspection`.

    Raises:
        ConfigurationError: One of them verifies no tokens.
    """

    def __init__(self, jwt: Looker, opaque: Looker) -> None:
        for name, given in (("jwt", jwt), ("opaque", opaque)):
            check(callable(getattr(given, "look", None)), f"ByShape.{name}", "a Verifier, Issuers or Introspection", given)
        self.jwt = jwt
        self.opaque = opaque

    def condition(self) -> Condition:
        """For `Health`: the worse of both."""
        return worst([self.jwt.condition(), self.opaque.condition()])

    def warm(self) -> bool:
        """As `Verifier.warm`, for both; whether both have what they need."""
        return self.jwt.warm() & self.opaque.warm()

    def verify(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `Verifier.verify` or `Introspection.verify`.

        Raises:
            InvalidToken: It must not be believed.
            Unavailable: That cannot be told now.
        """
        return conclude(self.look(token), wait=True, certificate=certificate)

    def wants(self, token: str) -> Callable[[], object] | None:
        """As `Verifier.wants`."""
        return work_of(self.look(token))

    def check(self, token: str, *, certificate: str | None = None) -> Principal:
        """As `Verifier.check`: without I/O."""
        return conclude(self.look(token), wait=False, certificate=certificate)

    def look(self, token: str) -> Sighting:
        """As `Verifier.look`."""
        jwt = type(token) is not str or (token.startswith(_HEADER) and token.count(".") == _DOTS)
        return self.jwt.look(token) if jwt else self.opaque.look(token)

    def __repr__(self) -> str:
        return f"<ByShape jwt={self.jwt!r} opaque={self.opaque!r}>"
