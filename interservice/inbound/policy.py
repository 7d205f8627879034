"""What a policy is: three moments, each optional. A policy decides and never does I/O, sleeps, or reads a clock it was not given.

prepare  Look, and say whether blocking work (fetching keys, waiting for a slot) must come first; the binding does it where
blocking is allowed.
admit    Return None to let the request pass, or raise a Rejection, or an Answer in the application's place. May write to the
         exchange.
respond  Amend the head of the response, the application's or a refusal's; runs in reverse order of the policies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from interservice.exchange import Exchange
    from interservice.http import Head, Reply

#: Work that may block; a Rejection it raises refuses the request.
Work: TypeAlias = "Callable[[], object]"


class Answer(Exception):
    """Raised by a policy that answers a request itself, such as one for its metadata; later policies are not asked.

    Args:
        reply: The whole response; policies amend its head as any other's.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Policy:
    """The moments, doing nothing. Subclasses are keyword-only frozen dataclasses: the object is its configuration."""

    __slots__ = ()

    def prepare(self, exchange: Exchange) -> Work | None:
        """Blocking work wanted before `admit`, or None."""

    def admit(self, exchange: Exchange) -> None:
        """Let the request pass, or raise a `Rejection`."""

    def respond(self, exchange: Exchange, head: Head) -> None:
        """Amend the head of the response."""
