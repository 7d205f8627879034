"""What every renderer needs of an `Edge`, worked out once: instances in pools, how long to wait, who decides.

Sans I/O: nothing here looks a name up or opens a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from interservice.errors import ConfigurationError
from interservice.inbound.auth import JWTAuth
from interservice.inbound.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from interservice.gateway.edge import Edge, Service

#: Seconds that an idle connection to an instance is kept: less than any Python server keeps it, so that a POST is not lost on a
#: connection that is just being closed.
IDLE = 1.0

Mode = Literal["forward", "native", "open"]


class Endpoint(NamedTuple):
    """One instance."""

    secure: bool
    host: str
    port: int

    @property
    def address(self) -> str:
        """host:port, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def named(self) -> bool:
        """Whether it is known by a name, which must be looked up."""
        return not (":" in self.host or self.host.rpartition(".")[2].isdecimal())


class Pool(NamedTuple):
    """The instances that serve one service, or some version of it."""

    name: str
    service: Service
    version: str | None
    endpoints: tuple[Endpoint, ...]

    @property
    def secure(self) -> bool:
        """Whether its instances speak TLS."""
        return self.endpoints[0].secure


class Patience(NamedTuple):
    """How long a gateway waits that counts each try by itself: seconds, of which the sum stays inside the service's timeout.

    Attributes:
        connect: For a connection to stand.
        answer: For the answer of one try.
        window: After this no further try begins.
    """

    connect: float
    answer: float
    window: float


def ordered(edge: Edge) -> list[Service]:
    """The services, the longest prefix first: the order in which they are looked for."""
    return sorted(edge.services, key=lambda service: -len(service.prefix.rstrip("/")))


def pools(service: Service) -> list[Pool]:
    """A service's pools: the general one first, then one for each version with instances of its own."""
    general = Pool(service.name, service, None, endpoints(service.endpoints))
    # No service has a dot in its name, so that no two pools can have the same.
    own = [Pool(f"{service.name}.{version}", service, version, endpoints(each)) for version, each in service.versions.items()]
    if len({pool.secure for pool in (general, *own)}) > 1:
        raise ConfigurationError(f"Service.versions must be all http or all https, as its endpoints are ({service.name})")
    return [general, *own]


def endpoints(origins: Sequence[str]) -> tuple[Endpoint, ...]:
    """Origins, taken apart."""
    return tuple(endpoint(origin) for origin in origins)


def endpoint(origin: str) -> Endpoint:
    """An origin, taken apart."""
    parts = urlsplit(origin)
    secure = parts.scheme == "https"
    return Endpoint(secure, parts.hostname or "", parts.port or (443 if secure else 80))


def listening(edge: Edge) -> Endpoint:
    """Where the gateway listens."""
    return endpoint(f"http://{edge.listen}")._replace(port=int(edge.listen.rpartition(":")[2]))


def patience(service: Service) -> Patience:
    """How the service's time is spent by a gateway that starts another try only where the one before failed early."""
    slack = service.retries + 0.5 if service.retries else 0.0
    connect = min(service.connect_timeout, service.timeout / (2 * (slack + 1)))
    window = connect * slack
    return Patience(connect, service.timeout - window - connect, window)


def mode(edge: Edge) -> Mode:
    """Who decides: the gate, when it is asked; the server by itself; or nobody, as the gate wants no token."""
    if edge.forward_auth is not None:
        return "forward"
    return "native" if any(isinstance(policy, JWTAuth) for policy in edge.gate.policies) else "open"


def authorization(edge: Edge) -> tuple[Endpoint, str]:
    """The instance that answers for the gate, and the path at which it is mounted, without a slash at the end."""
    return endpoint(edge.forward_auth or ""), urlsplit(edge.forward_auth or "").path.rstrip("/")


def versions_of(edge: Edge) -> Versions | None:
    """The gate's versions."""
    return next((policy for policy in edge.gate.policies if isinstance(policy, Versions)), None)


def one_host(pool: Pool, server: str) -> str:
    """The name under which a pool's instances show their certificate.

    Raises:
        ConfigurationError: They are known under several, and the server can expect but one.
    """
    names = {endpoint.host for endpoint in pool.endpoints}
    if len(names) > 1:
        raise ConfigurationError(f"{server} must be given https instances with one name in a pool, not {sorted(names)!r}")
    return names.pop()


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(seconds * 1000))
