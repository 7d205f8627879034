"""Where a service runs: asked of a callable, or found in DNS. What is here blocks; a `Watch` has it done in the background.

Sources: RFC 1035 and RFC 3596 (A, AAAA), RFC 2782 (SRV: priority, weight, and a target of "." for "not here").
"""

from __future__ import annotations

import ipaddress
import math
import socket
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from interservice import options
from interservice.errors import ConfigurationError

from .address import Address, endpoint_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_RECORDS = {"any": ("A", "AAAA"), "ipv4": ("A",), "ipv6": ("AAAA",)}
_DNS_PORT = 53
#: Entries of a table of weights at most; finer shares than that are rounded.
_MOST_ENTRIES = 256


class Found(NamedTuple):
    """An endpoint that was found.

    Attributes:
        url: Scheme, host and port.
        priority: Those of the lowest are preferred, and the others called when none of them can be (RFC 2782).
        weight: Its share among those of its priority.
    """

    url: str
    priority: int = 0
    weight: int = 1


class Discovery(Protocol):
    """Finds out where a service runs. `DNS`, `SRV` and `Polled` do; so may a class of yours."""

    @property
    def refresh(self) -> float:
        """Seconds after which to find out anew."""

    def find(self) -> Iterable[str | Found]:
        """Where it runs now. May block, and raise: then what was found before is used."""


@dataclass(frozen=True, slots=True)
class Polled:
    """Endpoints that a callable gives, such as one that asks a registry. It is called in the background.

    Args:
        source: Gives URLs, or `Found` where priority and weight matter.
        refresh: Seconds between two calls.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    source: Callable[[], Iterable[str | Found]]
    _: KW_ONLY
    refresh: float = 30.0

    def __post_init__(self) -> None:
        options.check(callable(self.source), "Polled.source", "a callable that gives URLs", self.source)
        options.number("Polled.refresh", self.refresh, above=0)

    def find(self) -> Iterable[str | Found]:
        """What the callable gives."""
        return self.source()


@dataclass(frozen=True, slots=True)
class DNS:
    """Endpoints that are the addresses of a name, such as that of a headless service: each address is one.

    Args:
        host: The name.
        port: Where they listen; by default the port of the scheme.
        scheme: How they are talked to. With https the certificate is checked for the host of the request's URL.
        family: Which addresses: "ipv4" (A), "ipv6" (AAAA), or "any" of them.
        refresh: Seconds between two lookups; the answers' own time to live is not known to `getaddrinfo`.
        nameservers: Ask these instead of the system's, as "127.0.0.1:8600"; needs the extra `dns`.
        timeout: Seconds that a lookup at `nameservers` may take.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    host: str
    _: KW_ONLY
    port: int | None = None
    scheme: Literal["http", "https"] = "http"
    family: Literal["any", "ipv4", "ipv6"] = "any"
    refresh: float = 30.0
    nameservers: Sequence[str] = ()
    timeout: float = 5.0

    def __post_init__(self) -> None:
        options.text("DNS.host", self.host)
        options.number("DNS.port", self.port, at_least=1, at_most=65535, integer=True, optional=True)
        _check("DNS", self)

    def find(self) -> Iterable[Found]:
        """Look the name up. Raises OSError, or dnspython's own error, when that fails."""
        port = self.port or (443 if self.scheme == "https" else 80)
        addresses = _resolve(self.host, self.family, self.nameservers, self.timeout)
        return [Found(Address(self.scheme, address, port).url) for address in addresses]


@dataclass(frozen=True, slots=True)
class SRV:
    """Endpoints that SRV records name, with port, priority and weight (RFC 2782). Needs the extra `dns`.

    Args:
        name: The name of the records, such as "_orders._tcp.example.com".
        scheme: How they are talked to.
        family: Which addresses of their hosts.
        refresh: Seconds between two lookups.
        nameservers: Ask these instead of the system's, as "127.0.0.1:8600".
        timeout: Seconds that a lookup may take.

    Raises:
        ConfigurationError: an option has a value that cannot work.
    """

    name: str
    _: KW_ONLY
    scheme: Literal["http", "https"] = "http"
    family: Literal["any", "ipv4", "ipv6"] = "any"
    refresh: float = 30.0
    nameservers: Sequence[str] = ()
    timeout: float = 5.0

    def __post_init__(self) -> None:
        options.text("SRV.name", self.name)
        _check("SRV", self)

    def find(self) -> Iterable[Found]:
        """Look the records up, and the addresses of the hosts they name; a host without one is left out."""
        endpoints: list[Found] = []
        trouble: Exception | None = None
        for record in _resolver(self.nameservers, self.timeout).resolve(self.name, "SRV"):
            host = record.target.to_text(omit_final_dot=True)
            if host in {"", "."}:
                continue
            try:
                addresses = _resolve(host, self.family, self.nameservers, self.timeout)
            except Exception as error:  # noqa: BLE001 - dnspython's, which must not be imported for that; raised if it was the last
                trouble = error
                continue
            endpoints += [
                Found(Address(self.scheme, address, record.port).url, record.priority, record.weight) for address in addresses
            ]
        if not endpoints and trouble is not None:
            raise trouble
        return endpoints


def found(discovery: Discovery) -> list[Found]:
    """What a discovery finds now, each endpoint once.

    Raises:
        LookupError: nothing.
        ConfigurationError: what it gave is no endpoint.
    """
    answer: dict[Address, Found] = {}
    for item in discovery.find():
        entry = Found(item) if isinstance(item, str) else Found(*item)
        address = endpoint_address(f"the endpoints of {discovery!r}", entry.url)
        if address not in answer or entry.priority < answer[address].priority:
            answer[address] = entry._replace(url=address.url)
    if not answer:
        msg = "no endpoint was found"
        raise LookupError(msg)
    return list(answer.values())


def shares(weights: Sequence[int]) -> list[int]:
    """How often each is entered in a table from which all entries are drawn alike. Nobody's share is nothing."""
    positive = [max(0, weight) for weight in weights]
    whole = sum(positive)
    if len(set(positive)) == 1 or not whole:
        return [1] * len(positive)
    divisor = math.gcd(*positive)
    if whole / divisor > _MOST_ENTRIES:
        return [max(1, round(weight * _MOST_ENTRIES / whole)) for weight in positive]
    return [max(1, weight // divisor) for weight in positive]


def _check(name: str, made: DNS | SRV) -> None:
    options.one_of(f"{name}.scheme", made.scheme, ("http", "https"))
    options.one_of(f"{name}.family", made.family, tuple(_FAMILIES))
    options.number(f"{name}.refresh", made.refresh, above=0)
    options.number(f"{name}.timeout", made.timeout, above=0)
    servers = options.strings(f"{name}.nameservers", made.nameservers)
    for server in servers:
        _nameserver(f"{name}.nameservers", server)
    object.__setattr__(made, "nameservers", servers)


def _nameserver(option: str, server: str) -> tuple[str, int]:
    """The address and port of a name server.

    Raises:
        ConfigurationError: it is none.
    """
    host, _, port = server.rpartition(":") if server.count(":") == 1 or server.startswith("[") else (server, "", "")
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
        number = int(port or _DNS_PORT)
        if not 0 < number < 65536:  # noqa: PLR2004 - ports
            raise ValueError  # noqa: TRY301 - one message
    except ValueError:
        msg = f"{option} must be addresses like '127.0.0.1:8600', not {server!r}"
        raise ConfigurationError(msg) from None
    return address, number


def _resolve(host: str, family: str, nameservers: Sequence[str], timeout: float) -> list[str]:
    """The addresses of a host, each once."""
    if not nameservers:
        rows = socket.getaddrinfo(host, None, _FAMILIES[family], socket.SOCK_STREAM)
        return list(dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows))
    resolver = _resolver(nameservers, timeout)
    names = []
    for kind in _RECORDS[family]:
        answer = resolver.resolve(host, kind, raise_on_no_answer=False)
        names += [record.address for record in answer.rrset or ()]
    if not names:
        msg = f"{host} has no address"
        raise LookupError(msg)
    return list(dict.fromkeys(names))


def _resolver(nameservers: Sequence[str], timeout: float) -> Any:
    """A resolver of dnspython: the system's, or one that asks these servers."""
    try:
        import dns.nameserver  # noqa: PLC0415 - an extra
        import dns.resolver  # noqa: PLC0415
    except ImportError as error:
        msg = "SRV records and name servers of your own need dnspython: pip install 'interservice[dns]'"
        raise ConfigurationError(msg) from error
    resolver = dns.resolver.Resolver(configure=not nameservers)
    resolver.lifetime = timeout
    if nameservers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_nameserver("nameservers", server)) for server in nameservers]
    return resolver
