"""What a policy is: three moments, each optional. A policy decides and never does I/O, sleeps, or reads a clock it was not given.

prepare  Look, and say whether blocking work (fetching keys, waiting for a slot) must come first; the binding does it where
blocking is allowed.
admit    Return None to let the request pass, or raise a Rejection. May write to the exchange.
respond  Amend the head of the response, the application's or a refusal's; runs in reverse order of the policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.exchange import Exchange
    from interservice.http import Head

#: Work that may block; a Rejection it raises refuses the request.
Work: TypeAlias = "Callable[[], object]"


class Policy:
    """The moments, doing nothing. Subclasses are keyword-only frozen dataclasses: the object is its configuration."""

    __slots__ = ()

    def prepare(self, exchange: Exchange) -> Work | None:
        """Blocking work wanted before `admit`, or None."""

    def admit(self, exchange: Exchange) -> None:
        """Let the request pass, or raise a `Rejection`."""

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Amend the head of the response."""
