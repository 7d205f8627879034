"""Which peers are trusted: networks, and whether an address is in one of them. Nothing here looks a name up."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from interservice.errors import ConfigurationError
from interservice.options import strings

if TYPE_CHECKING:
    from collections.abc import Sequence


class Peers:
    """The peers in some networks.

    Args:
        option: What they are called, for messages.
        networks: CIDR, such as "10.0.0.0/8"; single addresses too.

    Raises:
        ConfigurationError: One is no network.
    """

    __slots__ = ("_networks",)

    def __init__(self, option: str, networks: Sequence[str]) -> None:
        try:
            self._networks = tuple(ipaddress.ip_network(network) for network in strings(option, networks))
        except ValueError as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"{option} must be a list of networks, not {networks!r}: {error}") from None

    def __contains__(self, address: object) -> bool:
        """Whether `address`, as a server gives it, is in one of the networks; anything but an IP address is in none."""
        if not isinstance(address, str):
            return False
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)
