"""The edge, described once: the gate that decides, and the services behind it. Every gateway is made from this table.

NGINX, Envoy, HAProxy, Caddy and Kong get their configuration from it (`interservice.gateway.render`); the embedded gateway gets
its routes. Nothing here does I/O.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from interservice.errors import ConfigurationError
from interservice.hosts import check_url
from interservice.inbound.gate import Gate
from interservice.inbound.versions import Versions, VersionSets
from interservice.options import check, number, strings, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252})", re.ASCII)
_DOT_SEGMENT: Final = re.compile(r"/\.\.?(?:/|$)")
#: Below this the gateway answers itself.
OWN: Final = "/-"
#: What the gateway answers itself with 200 while it runs, to whoever wants to know.
READY: Final = f"{OWN}/ready"


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service behind the gateway.

    Args:
        name: What it is called, in the configuration and in metrics: letters, digits, "-" and "_".
        prefix: The path from "/" that it answers, whole segments of it, below a version's prefix ("/v2/orders" is "/orders" in
            version 2). The longest prefix that matches wins. The service sees the path as the client sent it.
        endpoints: Origins of its instances, such as "http://10.0.0.1:8000".
        versions: Origins of the instances that serve some versions alone, by version; requests for other versions go to
            `endpoints`.
        health: The path that tells whether an instance wants traffic; None when it has none.
        connect_timeout: Seconds for a connection to stand.
        timeout: Seconds for the whole answer, retries included.
        retries: How often a request that can be repeated (never a POST or PATCH) is tried again, on another instance.
        cache: Whether answers that say so (`Cache-Control`) may be kept at the edge. Requests with credentials never are.

    Raises:
        ConfigurationError: An option makes no sense.
    """

    name: str
    prefix: str
    endpoints: Sequence[str]
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    health: str | None = "/readyz"
    connect_timeout: float = 1.0
    timeout: float = 10.0
    retries: int = 1
    cache: bool = False

    def __post_init__(self) -> None:
        text("Service.name", self.name)
        plain = self.name.isascii() and self.name.replace("-", "").replace("_", "").isalnum()
        check(plain, "Service.name", "made of letters, digits, '-' and '_'", self.name)
        check_path("Service.prefix", self.prefix)
        own = self.prefix == OWN or self.prefix.startswith(f"{OWN}/")
        check(not own, "Service.prefix", f"outside {OWN}/, where the gateway answers itself", self.prefix)
        if self.health is not None:
            check_path("Service.health", self.health)
        object.__setattr__(self, "endpoints", _origins("Service.endpoints", self.endpoints))
        versions = {version: _origins("Service.versions", origins) for version, origins in dict(self.versions).items()}
        object.__setattr__(self, "versions", MappingProxyType(versions))
        number("Service.connect_timeout", self.connect_timeout, above=0)
        number("Service.timeout", self.timeout, above=0)
        number("Service.retries", self.retries, at_least=0, at_most=10, integer=True)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A gate and the services behind it, for whatever gateway carries it out.

    Args:
        gate: What decides: its `Versions` and `JWTAuth` are read.
        services: What is behind.
        listen: Where the gateway listens, "host:port".
        forward_auth: The URL at which `forward_auth(gate)` is mounted; the gateway asks it about each request, and versions and
            rules are exactly the gate's. Without it the server checks tokens by itself, where it can.
        forward_token: Whether the services get the client's Authorization field. They need it where they verify tokens
            themselves; where they believe the gateway (`GatewayIdentity`) it is better kept from them.
        auth_timeout: Seconds within which the gate must have answered.
        max_body: The longest request body in bytes.
        access_log: The file that gets the access log, a line of JSON for each request.

    Raises:
        ConfigurationError: An option makes no sense, two services have one name or prefix, or a service serves a version that the
            gate does not.
    """

    gate: Gate
    services: Sequence[Service]
    listen: str = "127.0.0.1:8080"
    forward_auth: str | None = None
    forward_token: bool = True
    auth_timeout: float = 5.0
    max_body: int = 10_485_760
    access_log: str = "/dev/stdout"

    def __post_init__(self) -> None:
        check(isinstance(self.gate, Gate), "Edge.gate", "a Gate", self.gate)
        services = tuple(self.services)
        check(bool(services), "Edge.services", "at least one Service", self.services)
        for service in services:
            check(isinstance(service, Service), "Edge.services", "Services", service)
        for what in ("name", "prefix"):
            values = [getattr(service, what).rstrip("/") for service in services]
            # Names compare without case: NGINX finds its upstreams so.
            distinct = {value.lower() if what == "name" else value for value in values}
            check(len(distinct) == len(values), "Edge.services", f"services with a {what} each", values)
        object.__setattr__(self, "services", services)
        _check_listen(self.listen)
        if self.forward_auth is not None:
            _check_forward_auth(self.forward_auth)
        number("Edge.auth_timeout", self.auth_timeout, above=0)
        number("Edge.max_body", self.max_body, at_least=0, integer=True)
        check_path("Edge.access_log", self.access_log)
        self._check_versions()

    def _check_versions(self) -> None:
        """A service's versions are the gate's, spelt as the gate spells them: they are matched as text."""
        served = tuple(dict.fromkeys(version for versions in gate_versions(self.gate) for version in versions.supported))
        for service in self.services:
            unknown = [version for version in service.versions if version not in served]
            if unknown:
                raise ConfigurationError(
                    f"Service.versions must be versions that the gate serves ({', '.join(served) or 'none'}), not {unknown!r}"
                    f" ({service.name})"
                )


def gate_versions(gate: Gate) -> Iterable[Versions]:
    """What negotiates versions in a gate, those of a `VersionSets` included."""
    for policy in gate.policies:
        if isinstance(policy, VersionSets):
            yield from (*policy.sets.values(), *((policy.otherwise,) if policy.otherwise is not None else ()))
        elif isinstance(policy, Versions):
            yield policy


def check_path(option: str, value: object) -> None:
    """Refuse `value` unless it is a plain path from "/": one that needs no quoting in any server's configuration."""
    good = isinstance(value, str) and value.startswith("/") and all(c.isascii() and (c.isalnum() or c in "/-_.~") for c in value)
    check(good and "//" not in str(value), option, "a path from '/' of letters, digits, '-', '_', '.' and '~'", value)
    check(_DOT_SEGMENT.search(str(value)) is None, option, "a path without dot segments", value)


def check_host(option: str, host: str, value: object) -> None:
    """Refuse `value` unless `host` in it is an IP address or a plain host name, which needs no quoting either."""
    if _HOST.fullmatch(host) is None:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            check(False, option, "with an IP address or a host name", value)  # noqa: FBT003


def _check_listen(listen: object) -> None:
    text("Edge.listen", listen)
    host, _, port = str(listen).rpartition(":")
    good = bool(host) and port.isascii() and port.isdecimal() and int(port) < 65_536  # noqa: PLR2004
    check(good, "Edge.listen", "'host:port'", listen)
    check_host("Edge.listen", host.removeprefix("[").removesuffix("]"), listen)


def _check_forward_auth(url: str) -> None:
    check_url("Edge.forward_auth", url, allow_http=True)
    parts = urlsplit(url)
    check_host("Edge.forward_auth", parts.hostname or "", url)
    check(not parts.query, "Edge.forward_auth", "a URL without query", url)
    if parts.path:
        check_path("Edge.forward_auth", parts.path)


def _origins(option: str, values: Sequence[str]) -> tuple[str, ...]:
    origins = strings(option, values)
    check(bool(origins), option, "at least one origin", values)
    for origin in origins:
        check_url(option, origin, allow_http=True)
        parts = urlsplit(origin)
        check(parts.path in ("", "/") and not parts.query, option, "origins such as 'http://10.0.0.1:8000'", origin)
        check_host(option, parts.hostname or "", origin)
    check(len({urlsplit(origin).scheme for origin in origins}) == 1, option, "all http or all https", values)
    return tuple(origin.rstrip("/") for origin in origins)
