"""What the phases, the traffic and the report need of a stack, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from interservice.issuer import SigningKey

    from .process import Process

#: The client of the demo, and what its tokens are for.
CLIENT, AUDIENCE, SCOPE = "demo-client", "orders", "orders:read orders:write"


@dataclass(frozen=True)
class Balancing:
    """How a stack takes an instance out of the traffic, in its own words.

    Attributes:
        what: What knows the state of instances; the heading of its column.
        well: The state of an instance that gets traffic.
        out: The states of one that gets none.
        slowness: Seconds by which an instance that is slow here answers later.
    """

    what: str
    well: str
    out: frozenset[str]
    slowness: float


class Stack(Protocol):
    """A running stack: gateway, authorization server, orders, invoices, metrics."""

    #: What it says of instances.
    balancing: Balancing

    @property
    def orders(self) -> Sequence[Process]:
        """The orders instances."""

    @property
    def gateway_url(self) -> str:
        """Where clients send requests."""

    @property
    def issuer_url(self) -> str:
        """The authorization server's identifier."""

    @property
    def client_secret(self) -> str:
        """The secret of the demo's client, made for this run."""

    def key(self) -> SigningKey:
        """What the authorization server signs with now."""

    def rotate_keys(self) -> None:
        """Sign with new keys from now on; the last ones are still published."""

    def stop_issuer(self) -> None:
        """Take the authorization server away."""

    def start_issuer(self) -> None:
        """Bring the authorization server back with the keys it had."""

    def slow_down(self, instance: Process, seconds: float) -> None:
        """Make an orders instance as a whole slower than the stack puts up with; 0 makes it well."""

    def burden(self, seconds: float) -> None:
        """Make every order take longer, so that fewer suffice for an overload; 0 makes them light again."""

    def states(self) -> Mapping[str, str]:
        """The state of each orders instance by name, as whoever balances the load sees it; nothing where that cannot be asked."""

    def retries(self) -> int:
        """How many second and third tries were made so far behind the gateway."""

    def accounts(self, sent: int) -> tuple[list[str], list[str]]:
        """What monitoring says after a run in which the client sent so many requests: lines to show, and what is wrong."""

    def save(self, folder: Path) -> None:
        """Write the metrics that were received."""
